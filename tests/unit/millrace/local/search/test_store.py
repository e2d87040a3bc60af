from __future__ import annotations

from pathlib import Path

import pytest

from millrace.local.search.store import Indexed, Status, Store, Work


@pytest.fixture
def store(tmp_path: Path):
    made = Store(tmp_path / "search.sqlite")
    yield made
    made.close()


def document(document_id: str, text: str) -> Indexed:
    return Indexed(document_id, "", text, {}, [])


def found(store: Store, collections: list[str], words: str | None) -> list[tuple[str, str]]:
    return [(one.document.id, one.document.text) for one in store.find(collections, words, 2)]


def accept(store: Store, document_id: str, content: dict | None, now: float) -> None:
    store.accept("c", [document_id], [content], "role", now=now, due=now + 5)


def test_words_are_found_in_the_asked_collections_only(store: Store):
    store.put_document("c", document("a", "red fox"))
    store.put_document("d", document("b", "blue fox"))
    assert found(store, ["c"], "fox") == [("a", "red fox")]
    assert sorted(found(store, ["c", "d"], "fox")) == [("a", "red fox"), ("b", "blue fox")]


def test_every_match_is_found_whatever_the_page(store: Store):
    for number in range(5):
        store.put_document("c", document(f"d{number}", "fox"))
    assert len(found(store, ["c"], "fox")) == 5
    assert [document_id for document_id, _ in found(store, ["c"], None)] == ["d0", "d1", "d2", "d3", "d4"]


def test_a_document_in_parts_is_found_by_each_and_removed_as_one(store: Store):
    store.put_document("c", document("a", "red fox blue fox"), ["red fox", "blue fox"])
    assert found(store, ["c"], "blue") == [("a", "blue fox")]
    assert store.size("c") == (2, 15)
    store.remove_document("c", "a")
    assert found(store, ["c"], "fox") == []
    assert not store.holds("c", "a")


def test_the_last_work_is_what_a_document_waits_for(store: Store):
    accept(store, "a", {"x": 1}, 10)
    accept(store, "a", None, 12)
    waiting = store.waiting("c", "a")
    assert waiting is not None
    assert (waiting.deletes, waiting.accepted, waiting.due) == (True, 12, 17)
    assert [work.document for work in store.due(17, 10)] == [{"x": 1}, None]
    assert [work.document for work in store.due(16, 10)] == [{"x": 1}]


def test_settled_work_leaves_its_status_or_nothing(store: Store):
    accept(store, "a", {}, 0)
    (work,) = store.due(5, 10)
    store.settle(work, Status("FAILED", "code", "reason", 5))
    assert store.waiting("c", "a") is None
    assert store.status("c", "a") == Status("FAILED", "code", "reason", 5)
    store.settle(Work(0, "c", "a", 0, 0, None, ""), None)
    assert store.status("c", "a") is None


def test_what_is_known_or_waits_is_listed_in_order(store: Store):
    for document_id in ("c", "a", "b"):
        accept(store, document_id, {}, 0)
    store.settle(store.due(5, 1)[0], Status("INDEXED"))
    assert store.ids("c", "", 10) == ["a", "b", "c"]
    assert store.ids("c", "a", 1) == ["b"]


def test_a_transaction_is_all_or_nothing_with_those_inside_it(store: Store):
    def fail() -> None:
        with store.transaction():
            store.put_document("c", document("a", "fox"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert found(store, ["c"], "fox") == []
    store.put_document("c", document("a", "fox"))
    assert found(store, ["c"], "fox") == [("a", "fox")]


def test_a_removed_collection_leaves_nothing(store: Store):
    store.put_document("c", document("a", "fox"))
    accept(store, "b", {}, 0)
    store.remove_collection("c")
    assert store.size("c") == (0, 0)
    assert store.next_due() is None
    assert found(store, ["c"], "fox") == []
