from __future__ import annotations

from typing import Any

import pytest

from shared.stream_records import read_record
from tests.fakes.receipts import Receipts, at, record, typed
from vector_store.changes import Change, parse_change
from vector_store.errors import EventInvalid
from vector_store.messages import Message, VectorsReady
from vector_store.receipts import told_by

LINE, WORD = "LINE#00001", "LINE#00001#WORD#00002"
LABEL = f"{WORD}#LABEL#TOTAL"
BOX = {"confidence": 0.99, "x": 1, "y": 2, "width": 30, "height": 4}
FLOATS = {"confidence": 0.99, "x": 1.0, "y": 2.0, "width": 30.0, "height": 4.0}
PLACE = {"merchant_name": "Rewe", "place_id": "p-1", "address": "Hauptstr. 1"}


def told(receipts: Receipts) -> dict[str, Message]:
    """What the last write tells."""
    return told_by(read_record(receipts.stream[-1]))


@pytest.fixture
def receipts() -> Receipts:
    return Receipts()


@pytest.mark.parametrize(
    ("sort", "collection", "owner"), [(LINE, "lines", "r-1/00001"), (WORD, "words", "r-1/00001/00002")]
)
def test_a_line_or_word_is_born_with_all_that_is_shown_of_it(
    receipts: Receipts, sort: str, collection: str, owner: str
) -> None:
    receipts.put("r-1", sort, text="Milch", **BOX, font="unknown")
    assert told(receipts) == {collection: Change(owner, at(1), born=True, set={"text": "Milch", **FLOATS})}


def test_a_change_says_all_anew_and_null_for_what_is_gone(receipts: Receipts) -> None:
    receipts.put("r-1", LINE, text="Milch", confidence=0.5, x=1)
    receipts.put("r-1", LINE, text="Milch 1,5%", confidence=0.5)
    assert told(receipts) == {
        "lines": Change("r-1/00001", at(2), born=True, set={"text": "Milch 1,5%", "confidence": 0.5, "x": None})
    }


@pytest.mark.parametrize("sort", [LINE, WORD, "PLACE"])
def test_a_change_of_what_no_store_shows_is_none(receipts: Receipts, sort: str) -> None:
    receipts.put("r-1", sort, text="Milch", merchant_name="Rewe", status="VALID", seen=1)
    receipts.put("r-1", sort, text="Milch", merchant_name="Rewe", status="VALID", seen=2)
    assert told(receipts) == {}


def test_a_record_without_anything_to_show_is_born_all_the_same(receipts: Receipts) -> None:
    receipts.put("r-1", LINE, font="unknown")
    assert told(receipts) == {"lines": Change("r-1/00001", at(1), born=True)}


@pytest.mark.parametrize(
    ("sort", "collection", "owner"), [(LINE, "lines", "r-1/00001"), (WORD, "words", "r-1/00001/00002")]
)
def test_a_removed_line_or_word_has_died(receipts: Receipts, sort: str, collection: str, owner: str) -> None:
    receipts.put("r-1", sort, text="Milch")
    receipts.remove("r-1", sort)
    assert told(receipts) == {collection: Change(owner, at(2), died=True)}


def test_only_the_removal_of_a_receipt_tells_anything_and_both_collections(receipts: Receipts) -> None:
    receipts.put("r-1", "RECEIPT", total=1)
    assert told(receipts) == {}
    receipts.put("r-1", "RECEIPT", total=2)
    assert told(receipts) == {}
    receipts.remove("r-1", "RECEIPT")
    assert told(receipts) == dict.fromkeys(("lines", "words"), Change("r-1", at(3), died=True))


def test_a_label_is_a_field_of_its_word_until_it_is_removed(receipts: Receipts) -> None:
    word = "r-1/00001/00002"
    receipts.put("r-1", LABEL, status="PENDING")
    assert told(receipts) == {"words": Change(word, at(1), set={"label:TOTAL": "PENDING"})}
    receipts.put("r-1", LABEL, status="VALID", proposed_by="somebody")
    assert told(receipts) == {"words": Change(word, at(2), set={"label:TOTAL": "VALID"})}
    receipts.put("r-1", LABEL, status="VALID", proposed_by="somebody else")
    assert told(receipts) == {}
    receipts.remove("r-1", LABEL)
    assert told(receipts) == {"words": Change(word, at(4), set={"label:TOTAL": None})}


def test_a_place_is_told_to_both_collections_and_its_removal_too(receipts: Receipts) -> None:
    receipts.put("r-1", "PLACE", **PLACE, rating=4)
    assert told(receipts) == dict.fromkeys(("lines", "words"), Change("r-1", at(1), set=PLACE))
    receipts.remove("r-1", "PLACE")
    assert told(receipts) == dict.fromkeys(("lines", "words"), Change("r-1", at(2), set=dict.fromkeys(PLACE)))


def test_a_run_is_a_delta_of_vectors_in_each_collection_once(receipts: Receipts) -> None:
    receipts.put("r-1", "RUN#run-7", prefix="delta/run-7/", lines=3, words=12)
    assert told(receipts) == {
        "lines": VectorsReady("run-7", "delta/run-7/", 3, at(1)),
        "words": VectorsReady("run-7", "delta/run-7/", 12, at(1)),
    }
    receipts.put("r-1", "RUN#run-7", prefix="delta/run-7/", lines=3, words=12, seen=1)
    assert told(receipts) == {}
    receipts.remove("r-1", "RUN#run-7")
    assert told(receipts) == {}


def test_a_run_without_vectors_of_a_collection_is_no_delta_there(receipts: Receipts) -> None:
    receipts.put("r-1", "RUN#run-7", prefix="delta/run-7/", lines=3, words=0)
    assert told(receipts).keys() == {"lines"}


@pytest.mark.parametrize(
    ("partition", "sort"),
    [
        ("RECEIPT#r-1", f"{WORD}#LETTER#00001"),
        ("RECEIPT#r-1", "LINE"),
        ("RECEIPT#r-1", "SUMMARY"),
        ("RECEIPT#r-1", "RECEIPTS"),
        ("RECEIPT#r-1", ""),
        ("IMAGE#i-1", "RECEIPT"),
        ("IMAGE#i-1", LINE),
    ],
)
def test_an_item_of_another_kind_is_none_of_ours(partition: str, sort: str) -> None:
    keys = typed(pk=partition, sk=sort)
    for before, now in ((None, keys), (keys, keys | typed(text="new")), (keys, None)):
        assert told_by(read_record(record(1, keys, before, now))) == {}


@pytest.mark.parametrize(
    ("receipt", "sort", "attributes"),
    [
        ("r-1", "LINE#1", {"text": "Milch"}),
        ("r-1", "LINE#\u0660\u0660\u0660\u0660\u0661", {"text": "Milch"}),
        ("r-1", "LINE#", {"text": "Milch"}),
        ("r-1", "LINE#00001#WORD#abcde", {"text": "Milch"}),
        ("r-1", f"{WORD}#LABEL#", {"status": "VALID"}),
        ("r-1", f"{WORD}#LABEL#a#b", {"status": "VALID"}),
        ("r-1", f"{WORD}#LABEL#{'a' * 65}", {"status": "VALID"}),
        ("r/1", LINE, {"text": "Milch"}),
        ("", "RECEIPT", {}),
        ("r" * 65, "PLACE", PLACE),
        ("r-1", LINE, {"text": 3}),
        ("r-1", LINE, {"text": "Milch", "confidence": "high"}),
        ("r-1", LINE, {"text": "\ud800"}),
        ("r-1", "PLACE", {"merchant_name": 3}),
        ("r-1", LABEL, {"status": "MAYBE"}),
        ("r-1", LABEL, {}),
        ("r-1", LABEL, {"status": 1}),
        ("r-1", "RUN#", {"prefix": "delta/", "lines": 1, "words": 1}),
        ("r-1", "RUN#../7", {"prefix": "delta/", "lines": 1, "words": 1}),
        ("r-1", "RUN#7", {"lines": 1, "words": 1}),
        ("r-1", "RUN#7", {"prefix": "delta/", "lines": 1}),
        ("r-1", "RUN#7", {"prefix": "delta/", "lines": 1, "words": -1}),
        ("r-1", "RUN#7", {"prefix": "delta/", "lines": 1, "words": 1.5}),
    ],
)
def test_a_broken_item_of_a_known_kind_is_refused_without_its_text(
    receipts: Receipts, receipt: str, sort: str, attributes: dict[str, Any]
) -> None:
    receipts.put(receipt, sort, **attributes)
    if sort == "RECEIPT":
        receipts.remove(receipt, sort)
    with pytest.raises(EventInvalid) as caught:
        told(receipts)
    assert "Milch" not in str(caught.value)


@pytest.mark.parametrize("value", [{"N": "1e"}, {"N": "NaN"}, {"N": "Infinity"}, {"N": 3}, {"BOOL": True}, {}, "3"])
def test_a_number_that_dynamodb_does_not_have_is_refused(value: Any) -> None:
    keys = typed(pk="RECEIPT#r-1", sk=LINE)
    with pytest.raises(EventInvalid, match="confidence"):
        told_by(read_record(record(1, keys, None, keys | {"confidence": value})))


@pytest.mark.parametrize("keys", [{}, typed(pk="RECEIPT#r-1"), {"pk": {"N": "1"}, "sk": {"S": "PLACE"}}])
def test_keys_of_another_table_are_refused(keys: Any) -> None:
    with pytest.raises(EventInvalid, match="no text"):
        told_by(read_record(record(1, keys, None, {"pk": {"S": "x"}})))


def test_null_is_a_value_like_any_other() -> None:
    keys = typed(pk="RECEIPT#r-1", sk=LINE)
    null = read_record(record(1, keys, None, keys | {"text": {"NULL": True}, "x": {"NULL": True}}))
    assert told_by(null) == {"lines": Change("r-1/00001", at(1), born=True, set={"text": None, "x": None})}


def test_every_change_is_one_that_the_store_takes(receipts: Receipts) -> None:
    receipts.put("r-1", LINE, text="Milch", **BOX)
    receipts.put("r-1", WORD, text="\x00\ufffe", x=-0.0)
    receipts.put("r-1", LABEL, status="VALID")
    receipts.put("r-1", "PLACE", **PLACE)
    receipts.put("r-1", "RECEIPT")
    for _, sort in list(receipts.items):
        receipts.remove("r-1", sort)
    changes = [change for one in receipts.stream for change in told_by(read_record(one)).values()]
    assert len(changes) == 12
    assert [parse_change(change.json()) for change in changes] == changes
