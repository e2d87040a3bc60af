from __future__ import annotations

from typing import Any

import pytest

from incident_sync.errors import ConfigurationInvalid, EventInvalid
from incident_sync.fields import Fields
from incident_sync.records import ID_MAX_BYTES, Change, of_record

FIELDS = Fields(("title",), ("priority",), ())
SEQUENCE = "111100000000000000000001"
PADDED = SEQUENCE.zfill(40)
SYNCED = {"M": {"synced": {"BOOL": True}, "searchable": {"BOOL": True}}}
NOT_SYNCED = {"M": {"synced": {"BOOL": False}}}

Item = dict[str, Any]


def item(status: str = "CLOSED", title: str = "Disk full", **attributes: Any) -> Item:
    return {"incident_id": {"S": "INC-1"}, "status": {"S": status}, "title": {"S": title}} | attributes


def record(before: Item | None, now: Item | None, **told: Any) -> dict[str, Any]:
    """A record as Lambda delivers it."""
    images = {"OldImage": before, "NewImage": now}
    name = "INSERT" if before is None else "REMOVE" if now is None else "MODIFY"
    return {
        "eventID": "event-1",
        "eventName": name,
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"incident_id": {"S": "INC-1"}},
            "SequenceNumber": SEQUENCE,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "ApproximateCreationDateTime": 1_759_665_600.0,
        }
        | {image: content for image, content in images.items() if content is not None}
        | told,
    }


def asked(before: Item | None, now: Item | None) -> Change | None:
    return of_record(record(before, now), FIELDS)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (None, item()),
        (None, item(kb_sync_status=SYNCED)),
        (item("OPEN"), item()),
        (item(title="Disk"), item()),
        (item(), item(priority={"S": "P1"})),
        (item(priority={"S": "P1"}), item()),
        (item(kb_sync_status=SYNCED), item(kb_sync_status=NOT_SYNCED)),
        (item(kb_sync_status=SYNCED), item()),
        (item(title="Disk", kb_sync_status=SYNCED), item(kb_sync_status=SYNCED)),
    ],
)
def test_a_closed_incident_that_is_not_written_as_it_is_asks_to_be_written(before: Item | None, now: Item) -> None:
    assert asked(before, now) == Change("INC-1", PADDED, closed=True)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (item(), item("OPEN")),
        (item(kb_sync_status=SYNCED), item("REOPENED", title="Disk full again")),
        (item(), {"incident_id": {"S": "INC-1"}}),
        (item(kb_sync_status=SYNCED), None),
        (item(), None),
    ],
)
def test_one_that_was_closed_and_is_not_any_more_asks_to_be_removed(before: Item, now: Item | None) -> None:
    assert asked(before, now) == Change("INC-1", PADDED, closed=False)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (item(), item(kb_sync_status=SYNCED)),
        (item(kb_sync_status=NOT_SYNCED), item(kb_sync_status=SYNCED)),
        (item(kb_sync_status={"M": {"synced": {"BOOL": True}}}), item(kb_sync_status=SYNCED)),
        (item("OPEN", kb_sync_status=SYNCED), item("OPEN", kb_sync_status=NOT_SYNCED)),
    ],
)
def test_our_own_marks_ask_nothing(before: Item, now: Item) -> None:
    assert asked(before, now) is None


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (item(), item(assignee={"S": "somebody"})),
        (item(priority={"SS": ["a", "b"]}), item(priority={"SS": ["b", "a"]})),
        (item(), item(kb_sync_status=NOT_SYNCED)),
        (None, item("OPEN")),
        (item("OPEN"), item("IN_PROGRESS", title="Disk")),
        (item("OPEN"), None),
    ],
)
def test_what_no_object_says_asks_nothing(before: Item | None, now: Item | None) -> None:
    assert asked(before, now) is None


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"dynamodb": None},
        {"eventName": "INSERT", "dynamodb": {}},
        record(item(), None) | {"eventName": "INSERT"},
        record(None, item()) | {"eventName": "MODIFY"},
        record(item("OPEN"), item()) | {"eventName": "REMOVE"},
        record(item("OPEN"), item()) | {"eventName": "RENAME"},
        record(None, item(), NewImage="all of it"),
        record(None, item(), Keys={"number": {"N": "1"}}),
        record(None, item(), Keys={"incident_id": {"N": "1"}}),
        record(None, item(), Keys={"incident_id": {"S": "é" * 1_020}}),
        record(None, item(), Keys=None),
        record(None, item(), SequenceNumber=None),
        record(None, item(), SequenceNumber="49590-x"),
        record(None, item(), SequenceNumber="9" * 41),
        record(None, item(), SequenceNumber="٣"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(EventInvalid):
        of_record(broken, FIELDS)


def test_an_id_that_just_fits_into_the_other_tables_key_is_taken() -> None:
    change = of_record(record(None, item(), Keys={"incident_id": {"S": "a" * ID_MAX_BYTES}}), FIELDS)
    assert change is not None
    assert len(f"incident/{change.incident_id}") == 2_048


def test_a_stream_without_both_images_is_the_deployments_fault_and_not_the_records() -> None:
    with pytest.raises(ConfigurationInvalid, match="NEW_AND_OLD_IMAGES"):
        of_record(record(None, item(), StreamViewType="NEW_IMAGE"), FIELDS)
