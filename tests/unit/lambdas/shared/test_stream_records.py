from __future__ import annotations

from typing import Any

import pytest

from shared.stream_records import RecordInvalid, StreamRecord, ViewInvalid, answer, ids, padded, read_record

SEQUENCE = "111100000000000000000001"
KEYS = {"pk": {"S": "RECEIPT#r"}, "sk": {"S": "RECEIPT"}}
OLD, NEW = KEYS | {"total": {"N": "1"}}, KEYS | {"total": {"N": "2"}}


def record(name: str = "MODIFY", **told: Any) -> dict[str, Any]:
    images = {"INSERT": {"NewImage": NEW}, "REMOVE": {"OldImage": OLD}}.get(name, {"OldImage": OLD, "NewImage": NEW})
    of_stream = {"Keys": KEYS, "SequenceNumber": SEQUENCE, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    return {"eventID": "event-1", "eventName": name, "dynamodb": of_stream | images | told}


@pytest.mark.parametrize(("name", "before", "now"), [("INSERT", {}, NEW), ("MODIFY", OLD, NEW), ("REMOVE", OLD, {})])
def test_an_image_is_empty_where_the_item_was_not_there(name: str, before: Any, now: Any) -> None:
    assert read_record(record(name)) == StreamRecord(KEYS, SEQUENCE.zfill(40), before, now)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"dynamodb": None},
        {"eventName": "INSERT", "dynamodb": {}},
        record() | {"eventName": "INSERT"},
        record() | {"eventName": "REMOVE"},
        record() | {"eventName": "RENAME"},
        record("INSERT") | {"eventName": "MODIFY"},
        record("INSERT", NewImage="all of it"),
        record(Keys=None),
        record(SequenceNumber=None),
        record(SequenceNumber="49590-x"),
        record(SequenceNumber="9" * 41),
        record(SequenceNumber="٣"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(RecordInvalid):
        read_record(broken)


def test_a_stream_without_both_images_is_the_deployments_fault_and_not_the_records() -> None:
    with pytest.raises(ViewInvalid, match="NEW_AND_OLD_IMAGES"):
        read_record(record(StreamViewType="NEW_IMAGE"))


def test_padded_numbers_compare_as_numbers_do() -> None:
    numbers = [9, 10, 99_999, 100_000, 10**24, 9 * 10**39]
    texts = [padded(str(number)) for number in numbers]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {40}


def test_the_first_record_that_is_not_done_with_is_named_by_its_own_sequence_number() -> None:
    assert answer(None) == {"batchItemFailures": []}
    assert answer(record()) == {"batchItemFailures": [{"itemIdentifier": SEQUENCE}]}


def test_a_log_gets_ids_alone() -> None:
    assert ids(record()) == {"event_id": "event-1", "keys": KEYS, "sequence": SEQUENCE}
    assert ids({"eventID": "event-1", "dynamodb": {"NewImage": NEW}}) == {"event_id": "event-1"}
