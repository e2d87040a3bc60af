"""A store on the real Chroma, and the adapter below it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.histories import at, vector
from vector_store import chroma_store
from vector_store.changes import Change, VectorRow
from vector_store.chroma_store import DATABASE, ChromaStore
from vector_store.errors import SnapshotInvalid
from vector_store.store import CHROMA, Lookups, Store, contents

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MILK, BREAD = "R1/00001", "R1/00002"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path, "lines", create=True) as made:
        yield made


def born(record: str, number: int, **fields: Any) -> Change:
    return Change(record, at(number), born=True, set=fields)


def embedded(record: str, number: int, *numbers: float) -> VectorRow:
    return VectorRow(record, at(number), "text", vector(*numbers))


def shown(store: Store, record: str) -> tuple[str, dict[str, Any], bytes]:
    ((_, it, own),) = store.chroma.read([record])
    return it.document, dict(it.metadata), own


def test_vectors_come_back_byte_for_byte_normalized_or_not(store: Store) -> None:
    numbers = [(0.1, 0.2), (3.0, -0.0), (1e-30, 1e30), (0.6, 0.8)]
    records = [f"R1/{number:05}" for number in range(4)]
    store.merge(
        [born(record, 1) for record in records],
        [embedded(record, 1, *own) for record, own in zip(records, numbers, strict=True)],
        NOW,
    )
    expected = {record: vector(*own) for record, own in zip(records, numbers, strict=True)}
    assert store.chroma.vectors([*reversed(records), "R9/00001"]) == expected


def test_an_update_changes_what_it_names_and_nothing_else(store: Store) -> None:
    store.merge([born(MILK, 1, text="MILK", x=1, y="left")], [embedded(MILK, 1, 1, 2)], NOW)
    store.merge([Change(MILK, at(2), set={"x": True, "y": None, "label:TOTAL": "VALID"})], [], NOW)
    assert shown(store, MILK) == (
        "MILK",
        {"receipt_id": "R1", "line": 1, "x": True, "label:TOTAL": "VALID"},
        vector(1, 2),
    )
    store.merge([Change(MILK, at(3), set={"text": "OAT"})], [], NOW)
    assert shown(store, MILK)[0::2] == ("OAT", vector(1, 2))
    store.merge([Change(MILK, at(4), set={"text": None})], [], NOW)
    assert shown(store, MILK)[0] == ""


def test_another_vector_leaves_document_and_metadata(store: Store) -> None:
    store.merge([born(MILK, 1, text="MILK", x=1.5)], [embedded(MILK, 1, 1, 2)], NOW)
    store.merge([], [embedded(MILK, 2, 3, 4)], NOW)
    assert shown(store, MILK) == ("MILK", {"receipt_id": "R1", "line": 1, "x": 1.5}, vector(3, 4))
    assert store.chroma.count() == 1


def test_changes_of_more_than_a_chunk_all_arrive(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma_store, "CHUNK", 3)
    records = [f"R1/{number:05}" for number in range(10)]
    store.merge([born(it, 1) for it in records], [embedded(it, 1, 1, i) for i, it in enumerate(records)], NOW)
    store.merge([Change(it, at(2), set={"x": 1}) for it in records], [], NOW)
    merged = store.merge([Change(it, at(3), died=True) for it in records[1:]], [], NOW)
    assert store.chroma.ids() == records[:1]
    assert len(merged.differences) == 9


def test_a_search_filters_by_metadata(store: Store) -> None:
    store.merge(
        [born(MILK, 1, price=1.0), born(BREAD, 2, price=2.0)], [embedded(MILK, 1, 0, 1), embedded(BREAD, 2, 0, 2)], NOW
    )
    assert [hit.id for hit in store.search(vector(0, 1))] == [MILK, BREAD]
    assert [hit.id for hit in store.search(vector(0, 1), where={"price": {"$gt": 1.5}})] == [BREAD]
    assert store.search(vector(0, 1), limit=1)[0].distance == 0
    with pytest.raises(ValueError, match="dimension"):
        store.search(vector(0, 1, 2))


class Counted:
    """Counts the chunks."""

    def __init__(self) -> None:
        self.beats = 0

    def __call__(self) -> None:
        self.beats += 1


def published(store: Store) -> list[str]:
    records = [f"R1/{number:05}" for number in range(5)]
    vectors = [embedded(it, 1, 1, place) for place, it in enumerate(records)]
    store.merge([born(it, 1, x=0.1, text=it) for it in records], vectors, NOW)
    return records


def test_all_that_chroma_has_is_held_against_the_state_in_chunks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vector_store.store.CHUNK", 2)
    published(store)
    beat = Counted()
    store.check_all(beat)
    assert beat.beats == 3


def test_a_record_that_chroma_shows_otherwise_is_found_wherever_it_is(store: Store) -> None:
    records = published(store)
    collection = store.chroma._collection

    def another(**said: Any) -> None:
        collection.delete(ids=[records[3]])
        whole: dict[str, Any] = {
            "ids": [records[3]],
            "documents": [records[3]],
            "metadatas": [{"receipt_id": "R1", "line": 3, "x": 0.1}],
            "embeddings": [[1.0, 3.0]],
        }
        collection.add(**whole | said)

    another()
    store.check_all(Counted())
    for said in ({"documents": ["x"]}, {"metadatas": [{"line": 3}]}, {"embeddings": [[1.0, 4.0]]}):
        another(**said)
        with pytest.raises(SnapshotInvalid, match=f"does not show record {records[3]} as the state knows it"):
            store.check_all(Counted())
    another(ids=["R1/99999"])
    with pytest.raises(SnapshotInvalid, match=f"does not have record {records[3]}"):
        store.check_all(Counted())
    collection.delete(ids=["R1/99999"])
    with pytest.raises(SnapshotInvalid, match="has 4 records, the merged state 5"):
        store.check_all(Counted())


def test_an_empty_store_finds_nothing(store: Store) -> None:
    assert store.search(vector(0, 1)) == []
    assert store.check([]) == Lookups(0, ())


def test_a_closed_store_is_whole_and_nothing_of_it_stays_open(tmp_path: Path) -> None:
    folder, copied = tmp_path / "one", tmp_path / "two"
    folder.mkdir()
    with Store(folder, "lines", create=True) as store:
        store.merge([born(MILK, 1, text="MILK")], [embedded(MILK, 1, 1, 2)], NOW)
        expected = contents(store)
    shutil.copytree(folder, copied)
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".sqlite", ".sqlite3", ".bin"}
    shutil.rmtree(folder)
    with Store(copied, "lines") as store:
        assert contents(store) == expected
    assert not list(open_files(tmp_path))


def test_the_same_path_never_shows_what_was_there_before(tmp_path: Path) -> None:
    for record in (MILK, BREAD):
        with Store(tmp_path, "lines", create=True) as store:
            store.merge([born(record, 1)], [embedded(record, 1, 1, 2)], NOW)
            assert store.chroma.ids() == [record]
        for left in tmp_path.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def test_a_rebuilt_index_says_the_same(store: Store) -> None:
    records = [f"R1/{number:05}" for number in range(5)]
    store.merge(
        [born(it, 1, x=0.1, text=it) for it in records], [embedded(it, 1, 1, i) for i, it in enumerate(records)], NOW
    )
    store.merge([Change(records[0], at(2), died=True)], [], NOW)
    expected = contents(store)
    store.rebuild()
    assert contents(store) == expected
    store.merge([Change(records[1], at(3), set={"x": 2.5})], [], NOW)
    assert shown(store, records[1])[1]["x"] == 2.5


@pytest.mark.parametrize("broken", ["gone", "document", "metadata", "missing", "more"])
def test_a_check_finds_what_chroma_has_wrong(store: Store, broken: str) -> None:
    merged = store.merge(
        [born(MILK, 1, text="MILK", x=1.5), born(BREAD, 2)], [embedded(MILK, 1, 1, 2), embedded(BREAD, 2, 3, 4)], NOW
    )
    assert store.check(merged.differences).astray == ()
    collection = store.chroma._collection
    match broken:
        case "gone":
            collection.delete(ids=[MILK])
        case "document":
            collection.update(ids=[MILK], documents=["OAT"], embeddings=[[1.0, 2.0]])
        case "metadata":
            collection.update(ids=[MILK], metadatas=[{"x": 1}])
        case "missing":
            collection.delete(ids=[MILK])
            collection.add(ids=["R9/00001"], embeddings=[[1.0, 2.0]])
        case "more":
            collection.add(ids=["R9/00001"], embeddings=[[1.0, 2.0]])
    with pytest.raises(SnapshotInvalid, match=r"Chroma's lines (has|does not show record|and the state disagree)"):
        store.check(merged.differences)


def test_records_with_the_same_vector_find_each_other(store: Store) -> None:
    records = [f"R1/{number:05}" for number in range(30)]
    merged = store.merge([born(it, 1) for it in records], [embedded(it, 1, 1, 2) for it in records], NOW)
    assert store.check(merged.differences).astray == ()


@pytest.mark.parametrize(
    ("number", "astray", "doubtful", "broken"),
    [
        (20, 0, False, False),
        (20, 4, False, False),
        (20, 5, True, False),
        (20, 11, True, True),
        (2, 2, False, False),
        (3, 3, True, True),
    ],
)
def test_what_chance_loses_is_no_reason_to_doubt_an_index(
    number: int, astray: int, doubtful: bool, broken: bool
) -> None:
    lookups = Lookups(number, (MILK,) * astray)
    assert (lookups.is_doubtful, lookups.is_broken) == (doubtful, broken)


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotInvalid, match="missing"):
        Store(tmp_path, "lines")
    with Store(tmp_path, "lines", create=True):
        pass
    with pytest.raises(SnapshotInvalid, match="there already"):
        ChromaStore(tmp_path / CHROMA, "lines", create=True)
    (tmp_path / CHROMA / DATABASE).write_bytes(b"no database" * 1000)
    with pytest.raises(SnapshotInvalid, match="lines cannot be read"):
        Store(tmp_path, "lines")


def test_only_who_opens_a_store_imports_chroma() -> None:
    code = "import sys, vector_store.compact, vector_store.collect; print({'chromadb', 'numpy'} & sys.modules.keys())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "set()"


def open_files(folder: Path) -> Iterator[str]:
    """What this process has open under a folder, once Chroma's threads have had the time to end."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("only Linux tells which files a process has open")
    for _ in range(100):
        found = [str(it.readlink()) for it in descriptors.iterdir() if it.is_symlink()]
        left = [name for name in found if name.startswith(str(folder))]
        if not left:
            return
        time.sleep(0.02)
    yield from left
