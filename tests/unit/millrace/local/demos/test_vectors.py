"""How the story of vector_store is followed and judged, and that its sample is what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from millrace.errors import StillRunning
from millrace.executions.watching import Pace
from millrace.local.demos.vectors import (
    AFTERWARDS,
    BY_NEW_LABEL,
    CORRECTED,
    DELETED,
    REFUSED,
    RIGHT,
    WRONG,
    Answered,
    Question,
    Receipt,
    Story,
    await_published,
    flaws,
    questions,
    sample,
    typed,
)
from shared.stream_records import StreamRecord
from tests.fakes.receipts import at
from vector_store.changes import Change
from vector_store.embed_records import BadRow, Record, read_records
from vector_store.places import COLLECTIONS
from vector_store.receipts import told_by

QUESTION = Question("words", "goose", {"merchant_name": "Walnut Tree"}, "grocer/00001/00001", "Goose")
ANSWERED = Answered(QUESTION, ["grocer/00001/00001", "ferry/00001/00002"], "Goose")
AGREED = {"records": 3, "missing": 0, "superfluous": 0, "different": 0, "withoutVector": 1}
STORY = Story(
    refused={name: [f"it is {words}"] for name, words in REFUSED.items()},
    embedded={"lines": 2, "words": 3},
    published={"lines": 2, "words": 3},
    answers=[ANSWERED],
    still_found=[],
    found_by_new_label=True,
    check={"lines": AGREED, "words": AGREED},
)


def test_the_story_as_it_is_meant_has_no_flaw() -> None:
    assert flaws(STORY) == []


@pytest.mark.parametrize(
    ("departure", "said"),
    [
        ({"refused": {}}, "of chemist-0305 one row is to be refused (not JSON), and not: none"),
        (
            {"refused": {**STORY.refused, "ferry-0088": ["id is of another receipt"]}},
            "of ferry-0088 one row is to be refused (text is missing), and not: id is of another receipt",
        ),
        ({"refused": {**STORY.refused, "inn-0217": ["too long"]}}, "rows of inn-0217 were refused"),
        ({"published": {"lines": 2, "words": 2}}, "of 3 words with vectors 2 were published"),
        ({"published": {"words": 3}}, "of 2 lines with vectors 0 were published"),
        (
            {"answers": [replace(ANSWERED, records=["ferry/00001/00002"])]},
            "goose (only merchant_name Walnut Tree), among words: found was ferry/00001/00002, not grocer/00001/00001",
        ),
        (
            {"answers": [replace(ANSWERED, records=[])]},
            "goose (only merchant_name Walnut Tree), among words: found was",
        ),
        ({"answers": [replace(ANSWERED, said="goose,")]}, "grocer/00001/00001 does not say Goose"),
        ({"still_found": [AFTERWARDS[1]]}, f"{AFTERWARDS[1]}: {DELETED}/00002 is still found"),
        ({"found_by_new_label": False}, f"{BY_NEW_LABEL}: {CORRECTED} is not found"),
        ({"check": {"lines": AGREED, "words": {**AGREED, "different": 4}}}, "4 of words are different"),
    ],
)
def test_each_departure_from_the_story_is_named(departure: dict[str, Any], said: str) -> None:
    found = flaws(replace(STORY, **departure))
    assert found[0].startswith(said)


def changes(receipt: Receipt) -> Iterator[tuple[str, Change]]:
    """What a stream tells of the receipt's items, in their order."""
    for number, item in enumerate(receipt.items, 1):
        image = typed(item)
        keys = {name: image[name] for name in ("pk", "sk")}
        for collection, told in told_by(StreamRecord(keys, at(number), {}, image)).items():
            assert isinstance(told, Change)
            yield collection, told


def rows(receipt: Receipt) -> list[Record | BadRow]:
    with receipt.export.open("rb") as export:
        return list(read_records(export, receipt.receipt_id))


def test_a_dozen_receipts_have_an_export_each_and_every_item_is_one_that_the_store_knows() -> None:
    assert len(sample()) == 12
    for receipt in sample():
        assert receipt.items[0] == {"pk": f"RECEIPT#{receipt.receipt_id}", "sk": "RECEIPT"}
        told = list(changes(receipt))
        places = sum(item["sk"] == "PLACE" for item in receipt.items)
        assert len(told) == len(receipt.items) - 1 + places, "a place is told to both collections, a receipt to none"


def test_an_export_has_every_record_of_its_receipt_that_has_a_text_but_for_those_that_are_refused() -> None:
    for receipt in sample():
        exported = {(row.collection, row.id): row.text for row in rows(receipt) if isinstance(row, Record)}
        written = {
            (collection, change.owner): change.set["text"]
            for collection, change in changes(receipt)
            if change.born and "text" in change.set
        }
        assert exported.items() <= written.items()
        assert len(written) - len(exported) == (receipt.receipt_id == "chemist-0305"), "its word was cut off"


def test_three_rows_are_refused_each_for_its_own_reason() -> None:
    refused = {
        receipt.receipt_id: [row.reason for row in rows(receipt) if isinstance(row, BadRow)] for receipt in sample()
    }
    assert {name for name, reasons in refused.items() if reasons} == REFUSED.keys()
    for name, words in REFUSED.items():
        (reason,) = refused[name]
        assert words in reason


def shown() -> dict[str, dict[str, Any]]:
    """What the stores show of the sample, by record: its own fields and its receipt's."""
    found: dict[str, dict[str, Any]] = {}
    for receipt in sample():
        told = [change for _, change in changes(receipt)]
        place = {name: value for it in told if it.owner == receipt.receipt_id for name, value in it.set.items()}
        for it in told:
            if it.owner != receipt.receipt_id:
                found.setdefault(it.owner, {"receipt_id": receipt.receipt_id, **place}).update(it.set)
    return found


def test_each_question_is_about_a_record_with_its_text_and_metadata() -> None:
    there = shown()
    for question in (*questions(), *AFTERWARDS):
        assert question.collection in COLLECTIONS
        record = there[question.answer]
        assert record.items() >= question.where.items()
        assert question.text.lower() in str(record["text"]).lower()
    assert all(there[question.answer]["text"] == question.says for question in questions())


def test_what_somebody_corrects_was_labelled_otherwise_before() -> None:
    (label,) = BY_NEW_LABEL.where
    assert shown()[CORRECTED][label] == WRONG != RIGHT


def looks(*seen: str | None) -> tuple[Any, Pace]:
    """What a look sees, one after the other and then always the last; and a pace that looks for 5 s."""
    left, now = list(seen), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return lambda: left.pop(0) if len(left) > 1 else left[0], Pace(1, 5, clock=lambda: now[0], sleep=sleep)


def test_all_is_published_once_nothing_is_under_way() -> None:
    look, pace = looks("3 exports", "2 deltas", None)
    await_published(look, pace)
    assert pace.clock() == 2


def test_a_wait_that_is_too_long_ends_the_story_and_names_what_is_left() -> None:
    with pytest.raises(StillRunning, match="after 5 s there are still 2 deltas of words"):
        await_published(*looks("3 exports", "2 deltas of words"))
