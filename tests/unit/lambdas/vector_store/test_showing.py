from __future__ import annotations

import pytest

from tests.fakes.histories import at, vector
from tests.fakes.stores import Store
from vector_store.changes import Change, Value, VectorRow
from vector_store.showing import ADD, REMOVE, REPLACE, UPDATE, Difference

RECORD, WORD, RECEIPT = "R1/00001", "R1/00001/00002", "R1"
BIRTH = Change(RECORD, at(1), born=True, set={"text": "MILK", "x": 0.5})
EMBEDDED = VectorRow(RECORD, at(1), "MILK", vector(1, 2))


@pytest.fixture
def store() -> Store:
    """With one visible record, born at 1 with its vector, and its receipt's place, told at 1 too."""
    store = Store()
    store.take(BIRTH, EMBEDDED, Change(RECEIPT, at(1), set={"merchant_name": "MART"}))
    return store


def only(store: Store, *delta: Change | VectorRow) -> Difference:
    (difference,) = store.take(*delta).differences
    return difference


def test_a_record_shows_its_text_its_fields_its_receipts_and_what_its_id_says(store: Store) -> None:
    row = store.chroma.rows[RECORD]
    assert row.document == "MILK"
    assert row.metadata == {"x": 0.5, "merchant_name": "MART", "receipt_id": "R1", "line": 1}
    store.take(Change(WORD, at(2), born=True), VectorRow(WORD, at(2), "MILK", vector(1, 2)))
    assert store.chroma.rows[WORD].metadata == {"merchant_name": "MART", "receipt_id": "R1", "line": 1, "word": 2}


def test_a_record_without_text_has_an_empty_document(store: Store) -> None:
    for text, shown in ((None, ""), ("", ""), ("TEA", "TEA"), (None, "")):
        store.take(Change(RECORD, at(len(shown) + 2 + 10 * (text is None)), set={"text": text}))
    assert store.chroma.rows[RECORD].document == ""


def test_an_addition_is_whole() -> None:
    found = only(Store(), BIRTH, EMBEDDED)
    assert (found.kind, found.document, found.vector) == (ADD, "MILK", EMBEDDED.vector)
    assert found.metadata == {"x": 0.5, "receipt_id": "R1", "line": 1}
    assert found.before is None


def test_an_update_tells_what_differs_and_nothing_else(store: Store) -> None:
    found = only(store, Change(RECORD, at(2), born=True, set={"text": "MILK", "x": 0.5, "y": 1}))
    assert found[:5] == (RECORD, UPDATE, None, {"y": 1}, None)


def test_an_update_of_the_text_alone_tells_the_document(store: Store) -> None:
    assert only(store, Change(RECORD, at(2), set={"text": "BREAD"}))[:5] == (RECORD, UPDATE, "BREAD", {}, None)


def test_what_ends_is_told_as_none(store: Store) -> None:
    assert only(store, Change(RECORD, at(2), set={"x": None})).metadata == {"x": None}
    assert only(store, Change(RECEIPT, at(2), set={"merchant_name": None})).metadata == {"merchant_name": None}


def test_what_a_death_ended_goes_though_the_record_is_there_before_and_after(store: Store) -> None:
    found = only(
        store,
        Change(RECORD, at(2), died=True),
        Change(RECORD, at(3), born=True, set={"y": 1}),
        VectorRow(RECORD, at(3), "", vector(3, 4)),
    )
    assert found[:5] == (RECORD, REPLACE, "", {"x": None, "y": 1}, vector(3, 4))


@pytest.mark.parametrize(("was", "becomes"), [(1, True), (True, 1), (1, 1.0), (0, False), ("1", 1)])
def test_values_that_python_takes_for_equal_are_told(store: Store, was: Value, becomes: Value) -> None:
    store.take(Change(RECORD, at(2), set={"x": was}))
    found = only(store, Change(RECORD, at(3), set={"x": becomes}))
    assert repr(found.metadata) == repr({"x": becomes})


def test_the_same_value_said_later_is_no_difference(store: Store) -> None:
    assert store.take(Change(RECORD, at(2), born=True, set={"text": "MILK", "x": 0.5})).differences == []


def test_the_same_vector_said_later_is_no_difference(store: Store) -> None:
    assert store.take(EMBEDDED._replace(at=at(2))).differences == []


def test_another_vector_is_a_replacement(store: Store) -> None:
    found = only(store, VectorRow(RECORD, at(2), "BREAD", vector(3, 4)))
    assert found[:5] == (RECORD, REPLACE, None, {}, vector(3, 4))


def test_a_death_is_a_removal(store: Store) -> None:
    found = only(store, Change(RECORD, at(2), died=True))
    assert (found.kind, found.after, found.vector) == (REMOVE, None, None)


def test_a_place_is_told_to_all_records_of_its_receipt_and_to_no_other() -> None:
    store = Store()
    ids = [f"{receipt}/00001" for receipt in ("R1", "R1-", "R1.", "R10", "R", "R1x", "r1")] + ["R1/00002", "R1/99999"]
    for record in ids:
        store.take(Change(record, at(1), born=True), VectorRow(record, at(1), "", vector(1, 2)))
    told = store.take(Change("R1", at(2), set={"merchant_name": "MART"})).differences
    assert [it.id for it in told] == ["R1/00001", "R1/00002", "R1/99999"]


def test_a_record_that_comes_later_shows_its_receipts_place(store: Store) -> None:
    later = "R1/00009"
    found = only(store, Change(later, at(9), born=True), VectorRow(later, at(9), "", vector(1, 2)))
    assert found.metadata["merchant_name"] == "MART"


def test_a_field_that_record_and_receipt_have_is_the_records_unless_it_is_null(store: Store) -> None:
    assert store.take(Change(RECEIPT, at(2), set={"x": "place"})).differences == []
    assert only(store, Change(RECORD, at(3), set={"x": None})).metadata == {"x": "place"}
    assert only(store, Change(RECEIPT, at(4), set={"x": None})).metadata == {"x": None}
