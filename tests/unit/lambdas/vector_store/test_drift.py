"""What counts as drift, and which repair it gets, kind by kind. `test_repairs.py` holds all kinds against histories."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.stream_records import read_record
from tests.fakes.histories import Event, vector
from tests.fakes.receipts import Receipts, at
from tests.fakes.stores import Store
from vector_store import law
from vector_store.changes import Change, Value, VectorRow
from vector_store.drift import (
    DIFFERENT,
    FIRST_AT,
    MISSING,
    SECONDS_A_NUMBER,
    SUPERFLUOUS,
    Compared,
    Finding,
    Told,
    compare,
    repair_at,
    told,
)
from vector_store.law import NO_FIELDS, NO_VECTOR, Known, Vector
from vector_store.places import LINES, WORDS
from vector_store.receipts import told_by

NOW = 1_760_000_000.0
NEXT_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
MINUTE = int(NOW // SECONDS_A_NUMBER)
LINE, WORD = "R1/00001", "R1/00001/00001"
LINE_SORT, WORD_SORT = "LINE#00001", "LINE#00001#WORD#00001"
LABEL_SORT = f"{WORD_SORT}#LABEL#TOTAL"


def repaired(number: int, repair: int = MINUTE) -> str:
    """A repair's `at`, after the stream's record number so many."""
    return f"{at(number)}.{repair:08}"


class World:
    """A table, and one collection's store that is told of it."""

    def __init__(self, collection: str = WORDS) -> None:
        self.collection = collection
        self.table = Receipts()
        self.store = Store()
        self.now = NOW

    def put(self, sort: str, **attributes: Any) -> Change | None:
        return self._told(self.table.put("R1", sort, **attributes))

    def remove(self, sort: str) -> Change | None:
        return self._told(self.table.remove("R1", sort))

    def hear(self, *events: Event | None) -> None:
        if heard := [event for event in events if event]:
            self.store.take(*heard)

    def check(self, pending: Iterable[Event] = ()) -> Compared:
        """What a check finds of the receipt, while some deltas wait."""
        changes = [it for it in pending if isinstance(it, Change)]
        vectors = [it for it in pending if isinstance(it, VectorRow)]
        known = law.merge(self.store.state.of_receipts(["R1"]), law.heard(changes, vectors))
        self.now += SECONDS_A_NUMBER
        return compare("R1", self.read(), known, now=self.now - SECONDS_A_NUMBER)

    def read(self) -> Told:
        return told(self.table.items.values(), self.collection)

    def _told(self, record: Any) -> Change | None:
        message = told_by(read_record(record)).get(self.collection)
        return message if isinstance(message, Change) else None


@pytest.fixture
def world() -> World:
    """A receipt with a line, a word and its label, a place, and a store that knows it."""
    world = World()
    world.hear(
        world.put("RECEIPT"),
        world.put(LINE_SORT, text="Milk 1.29"),
        world.put(WORD_SORT, text="Milk", x=1),
        world.put(LABEL_SORT, status="VALID"),
        world.put("PLACE", merchant_name="Dairy"),
        VectorRow(WORD, at(3), "Milk", vector(1, 2)),
    )
    return world


def test_a_store_that_has_heard_everything_does_not_differ(world: World) -> None:
    assert world.check().is_clean


def test_a_missing_record_is_born_with_all_that_its_items_say(world: World) -> None:
    world.put("LINE#00001#WORD#00002", text="1.29", x=2)
    world.put("LINE#00001#WORD#00002#LABEL#TOTAL", status="PENDING")
    found = world.check()
    missing = f"{LINE}/00002"
    assert found.findings == [Finding(MISSING, missing)]
    fields: dict[str, Value] = {"text": "1.29", "x": 2.0, "label:TOTAL": "PENDING"}
    assert found.repairs == [Change(missing, repaired(5), born=True, set=fields)]
    assert [(it.id, it.at, it.text) for it in found.unembedded] == [(missing, repaired(5), "1.29")]


def test_a_superfluous_record_dies(world: World) -> None:
    world.remove(LABEL_SORT)
    world.remove(WORD_SORT)
    found = world.check()
    assert found.findings == [Finding(SUPERFLUOUS, WORD)]
    assert found.repairs == [Change(WORD, repaired(5), died=True)]


def test_a_field_that_differs_is_set_and_nothing_else(world: World) -> None:
    world.put(WORD_SORT, text="Milch", x=1)
    found = world.check()
    assert found.findings == [Finding(DIFFERENT, WORD, "text")]
    assert found.findings[0].told == "different: text"
    assert found.repairs == [Change(WORD, repaired(5), born=True, set={"text": "Milch"})]


def test_a_label_that_was_removed_ends(world: World) -> None:
    world.remove(LABEL_SORT)
    assert world.check().repairs == [Change(WORD, repaired(5), born=True, set={"label:TOTAL": None})]


def test_a_place_is_the_receipts_and_counts_once(world: World) -> None:
    world.remove("PLACE")
    found = world.check()
    assert found.findings == [Finding(DIFFERENT, "R1", "merchant_name")]
    assert found.repairs == [Change("R1", repaired(5), set={"merchant_name": None})]


def test_a_receipt_of_which_the_table_has_nothing_dies_at_once(world: World) -> None:
    world.table.put("R1", "RUN#run", prefix="delta/run/", lines=1, words=1)
    for sort in (LABEL_SORT, WORD_SORT, LINE_SORT, "PLACE", "RECEIPT"):
        world.remove(sort)
    found = world.check()
    assert found.findings == [Finding(SUPERFLUOUS, WORD), Finding(DIFFERENT, "R1", "merchant_name")]
    assert found.repairs == [Change("R1", repaired(5), died=True)]
    world.hear(*found.repairs)
    assert world.check().is_clean


def test_what_is_left_over_of_a_deleted_receipt_is_not_brought_back(world: World) -> None:
    world.hear(world.remove("RECEIPT"))
    assert world.check().is_clean
    world.store.state.forget(NEXT_YEAR)
    assert world.check().is_clean, "when the death is forgotten, too"


def test_a_receipt_that_is_about_to_come_is_not_mended() -> None:
    world = World()
    world.put(WORD_SORT, text="Milk")
    assert world.check().is_clean, "its item RECEIPT is not there yet"
    world.put("RECEIPT")
    assert [it.kind for it in world.check().findings] == [MISSING]


def test_a_receipt_that_was_written_again_lives_though_its_insert_was_lost(world: World) -> None:
    world.hear(*(world.remove(sort) for sort in (LABEL_SORT, WORD_SORT, LINE_SORT, "PLACE", "RECEIPT")))
    world.put("RECEIPT")
    world.put(WORD_SORT, text="Milk")
    found = world.check()
    assert found.repairs == [Change(WORD, repaired(10), born=True, set={"text": "Milk"})]
    world.hear(*found.repairs)
    assert not world.check().findings


def test_a_record_known_by_its_vector_alone_becomes_visible() -> None:
    world = World()
    world.put("RECEIPT")
    world.put(WORD_SORT, text="Milk")
    world.hear(VectorRow(WORD, at(9), "Milk", vector(1, 2)))
    found = world.check()
    assert found.repairs == [Change(WORD, f"{FIRST_AT}.{MINUTE:08}", born=True, set={"text": "Milk"})]
    assert found.unembedded == []
    world.hear(*found.repairs)
    assert world.store.chroma.rows.keys() == {WORD}


def test_what_waits_in_deltas_is_no_drift(world: World) -> None:
    waiting = [world.put(WORD_SORT, text="Milch"), world.remove(LABEL_SORT)]
    assert world.check().findings
    assert world.check(it for it in waiting if it).is_clean


def test_an_embedding_that_waits_in_a_delta_is_not_asked_for_again(world: World) -> None:
    world.hear(world.put("LINE#00001#WORD#00002", text="1.29"))
    assert [it.id for it in world.check().unembedded] == [f"{LINE}/00002"]
    assert world.check([VectorRow(f"{LINE}/00002", at(6), "", b"")]).is_clean


def test_a_record_without_a_text_needs_no_vector(world: World) -> None:
    world.hear(world.put("LINE#00001#WORD#00002", x=1), world.put("LINE#00001#WORD#00003", text=" "))
    assert world.check().is_clean


def test_an_item_that_makes_no_sense_is_neither_missing_nor_superfluous(world: World) -> None:
    world.table.put("R1", WORD_SORT, text="Milch", x="left")
    assert world.check().is_clean, "the router drops it too"
    world.table.put("R1", "LINE#1#WORD#1", text="Milk")
    assert (len(world.read().bad), world.read().unreadable) == (2, {WORD})
    world.collection = LINES
    assert len(world.read().bad) == 1, "of the other collection's only that whose key says nothing"


def test_numbers_of_the_table_are_floats_and_true_is_not_one(world: World) -> None:
    world.hear(Change(WORD, at(6), set={"x": True}))
    assert world.check().repairs[0].set == {"x": 1.0}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], f"{FIRST_AT}.{MINUTE:08}"),
        ([Known(at(3), "", NO_VECTOR, NO_FIELDS), Known("", at(7), NO_VECTOR, {"x": (at(5), 1)})], repaired(7)),
        ([Known(at(3), "", NO_VECTOR, {"x": (at(8), None)})], repaired(8)),
        ([Known(at(3), "", Vector(at(9), b"", None), NO_FIELDS)], repaired(3)),
        ([Known(repaired(3, MINUTE - 9), "", NO_VECTOR, NO_FIELDS)], repaired(3)),
        ([Known(repaired(3, MINUTE + 4), "", NO_VECTOR, NO_FIELDS)], repaired(3, MINUTE + 5)),
    ],
    ids=["nothing", "the latest of all", "of a field", "no vector's", "after a repair", "after one of today's"],
)
def test_a_repair_is_later_than_all_that_was_heard_and_earlier_than_what_comes(
    known: list[Known], expected: str
) -> None:
    assert repair_at(known, NOW) == expected
    assert all(it.born < expected and it.died < expected for it in known)
