from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.chroma import FakeChroma
from tests.fakes.histories import at, vector
from tests.fakes.stores import NOW, Store
from vector_store.changes import Change, VectorRow
from vector_store.errors import SnapshotInvalid, StateInvalid
from vector_store.state import FORGET_AFTER, NOT_BORN, NOT_THERE, OVERTAKEN, VERSION, State

RECORD, WORD, RECEIPT = "R1/00001", "R1/00001/00001", "R1"
DATA = vector(0.25, 0.5)
BIRTH = Change(RECORD, at(5), born=True, set={"text": "MILK"})
EMBEDDED = VectorRow(RECORD, at(8), "MILK", DATA)
LATE_DEATH = Change(RECORD, at(7), died=True)
"""Earlier than the vector, and later than the birth."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def stored_vectors(path: Path) -> list[str]:
    with sqlite3.connect(path) as database:
        return [owner for (owner,) in database.execute("SELECT id FROM record WHERE vector IS NOT NULL")]


def test_a_state_is_as_it_was_when_it_is_opened_again(path: Path) -> None:
    store = Store(path)
    store.take(BIRTH, EMBEDDED, Change(WORD, at(5), born=True), Change(RECEIPT, at(6), set={"merchant_name": "MART"}))
    lines, shown = list(store.state.lines()), list(store.state.shown())
    store.state.close()
    with State.open(path) as state:
        assert (list(state.lines()), list(state.shown()), state.visible()) == (lines, shown, 1)
        state.verify()
    assert [it.name for it in path.parent.iterdir()] == [path.name]


def test_receipts_come_with_their_records_in_the_order_of_ids_that_go_on_with_a_slash(path: Path) -> None:
    store = Store(path)
    ids = ["R1", "R1-2", "R1.x", "R10", "R"]
    store.take(*(Change(f"{it}/{line:05}", at(1), born=True) for it in ids for line in (1, 2)))
    store.take(
        Change("R1", at(2), set={"x": 1}), Change("R1-2", at(2), set={"x": 1}), Change("alone", at(2), died=True)
    )
    found = dict(store.state.by_receipt())
    assert list(found) == sorted([*ids, "alone"], key=lambda it: f"{it}/")
    assert found["R1"] == store.state.of_receipts(["R1"])
    assert found["R1"].keys() == {"R1", "R1/00001", "R1/00002"}
    assert found["R"].keys() == {"R/00001", "R/00002"}
    assert found["alone"]["alone"].died == at(2)
    assert store.state.of_receipts(["R1.x", "unknown"]) == found["R1.x"]


def test_a_state_of_another_version_is_refused_by_name(path: Path) -> None:
    State.create(path).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(
        StateInvalid, match=f"state.sqlite has version {VERSION + 1}; this code reads version {VERSION}"
    ):
        State.open(path)


def test_what_is_no_state_is_refused(path: Path) -> None:
    with pytest.raises(StateInvalid, match="is missing"):
        State.open(path)
    assert not path.exists()
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StateInvalid, match="not a database"):
        State.open(path)
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE record (id)")
    with pytest.raises(SnapshotInvalid, match="is no merged state"):
        State.open(path)
    with pytest.raises(StateInvalid, match="is there already"):
        State.create(path)


def test_a_file_that_is_cut_off_is_found(path: Path) -> None:
    store = Store(path)
    store.take(*(Change(f"R1/{number:05}", at(1), born=True, set={"text": "x" * 200}) for number in range(200)))
    store.state.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StateInvalid), State.open(path) as state:
        state.verify()


@pytest.mark.parametrize(
    ("tampering", "finding"),
    [
        ("UPDATE visible SET records = 7", "counts 7 visible records and has 1"),
        ("UPDATE record SET vector = x'00'", "vector is where it should not be"),
    ],
)
def test_a_row_that_contradicts_the_law_is_found(path: Path, tampering: str, finding: str) -> None:
    store = Store(path)
    store.take(BIRTH, EMBEDDED)
    store.state.verify()
    with sqlite3.connect(path) as database:
        database.execute(tampering)
    with pytest.raises(StateInvalid, match=finding):
        store.state.verify()


def test_a_vector_lies_in_the_file_only_while_its_record_is_not_visible(path: Path) -> None:
    store = Store(path)
    for delta, there in (((EMBEDDED,), [RECORD]), ((BIRTH,), []), ((LATE_DEATH,), [RECORD])):
        store.take(*delta)
        assert stored_vectors(path) == there
    store.take(Change(RECORD, at(9), born=True))
    assert stored_vectors(path) == []
    assert store.chroma.rows[RECORD].vector == DATA


def test_a_vector_that_no_death_has_ended_is_taken_back_before_its_record_hides(path: Path) -> None:
    asked: list[Sequence[str]] = []
    store = Store(path)
    store.take(BIRTH, EMBEDDED, Change(WORD, at(5), born=True), EMBEDDED._replace(id=WORD))

    def take_back(ids: Sequence[str]) -> Mapping[str, bytes]:
        asked.append(list(ids))
        return store.chroma.vectors(ids)

    deaths = [LATE_DEATH, Change(WORD, at(9), died=True)]
    store.chroma.apply(store.state.merge(deaths, [], now=NOW, take_back=take_back).differences)
    assert asked == [[RECORD]]
    assert store.chroma.rows == {}


@pytest.mark.parametrize(
    ("given_back", "finding"),
    [({}, "Chroma does not have it"), ({RECORD: vector(9, 9)}, "another vector in Chroma than the merged state")],
)
def test_a_merge_that_cannot_take_a_vector_back_changes_nothing(
    path: Path, given_back: Mapping[str, bytes], finding: str
) -> None:
    store = Store(path)
    store.take(BIRTH, EMBEDDED)
    before = store.contents()
    with pytest.raises(StateInvalid, match=finding):
        store.state.merge([LATE_DEATH], [], now=NOW, take_back=lambda _: given_back)
    assert store.contents() == before
    store.take(LATE_DEATH)
    assert store.chroma.rows == {}


def test_a_merge_that_fails_half_way_changes_nothing(path: Path) -> None:
    store = Store(path)
    store.take(BIRTH, EMBEDDED)
    before = store.contents()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON dead_since BEGIN SELECT raise(ABORT, 'disk full'); END")
    with pytest.raises(StateInvalid, match="cannot be read or written: disk full"):
        store.take(Change(RECORD, at(9), died=True))
    assert store.contents() == before


def test_a_delta_that_comes_again_tells_chroma_nothing_and_changes_no_byte(path: Path) -> None:
    store = Store(path)
    delta = (BIRTH, EMBEDDED, Change(RECEIPT, at(6), set={"x": None}), Change("R2/00001", at(6), died=True))
    store.take(*delta)
    before = path.read_bytes()
    again = store.take(*delta, now=NOW + timedelta(days=1))
    assert again.differences == []
    assert (again.read, again.applied, again.overtaken) == (4, 4, 0)
    assert path.read_bytes() == before


def test_a_merge_says_what_was_overtaken_what_waits_and_what_was_not_there(path: Path) -> None:
    store = Store(path)
    store.take(BIRTH, EMBEDDED, Change(WORD, at(7), died=True))
    merged = store.take(
        Change(RECORD, at(4), set={"text": "OLD", "x": 1}),
        Change(RECORD, at(4), born=True, set={"text": "OLD"}),
        Change(WORD, at(8), set={"label:TOTAL": "VALID"}),
        Change(WORD, at(6), born=True, set={"text": "OLD"}),
        Change(WORD, at(9), died=True),
        VectorRow(RECORD, at(4), "OLD", DATA),
        VectorRow(WORD, at(9), "OLD", DATA),
        VectorRow("R9/00001", at(9), "NEW", DATA),
    )
    assert [tuple(note) for note in merged.notes] == [
        (RECORD, at(4), OVERTAKEN),
        (WORD, at(8), OVERTAKEN),
        (WORD, at(6), OVERTAKEN),
        (WORD, at(9), NOT_THERE),
        (RECORD, at(4), OVERTAKEN),
        (WORD, at(9), OVERTAKEN),
        ("R9/00001", at(9), NOT_BORN),
    ]
    assert (merged.read, merged.applied, merged.overtaken) == (8, 3, 5)


def test_a_birth_and_a_death_in_one_delta_are_no_death_of_nothing(path: Path) -> None:
    store = Store(path)
    store.take(Change(WORD, at(1), born=True), Change(WORD, at(2), died=True))
    assert store.take(Change(WORD, at(3), born=True), Change(WORD, at(4), died=True)).notes[1:] == []


def test_a_label_of_a_word_that_was_never_seen_waits_and_is_said(path: Path) -> None:
    store = Store(path)
    (note,) = store.take(Change(WORD, at(3), set={"label:TOTAL": "VALID"})).notes
    assert note == (WORD, at(3), NOT_BORN)
    store.take(Change(WORD, at(4), born=True), EMBEDDED._replace(id=WORD))
    assert store.chroma.rows[WORD].metadata["label:TOTAL"] == "VALID"


def test_deaths_and_nulls_are_forgotten_thirty_days_after_they_were_merged(path: Path) -> None:
    store = Store(path)
    store.take(
        BIRTH,
        EMBEDDED,
        Change(RECORD, at(4), died=True),
        Change(RECORD, at(6), set={"label:TOTAL": None}),
        Change(WORD, at(6), died=True),
        Change(WORD, at(7), set={"label:TOTAL": None}),
        Change("R2", at(6), died=True),
        Change("R3", at(6), set={"merchant_name": None}),
    )
    shown = list(store.state.shown())
    assert store.state.forget(NOW + FORGET_AFTER - timedelta(seconds=1)) == 0
    assert store.state.known({RECORD, WORD, "R2", "R3"}).keys() == {RECORD, WORD, "R2", "R3"}
    assert store.state.forget(NOW + FORGET_AFTER) == 4
    known = store.state.known({RECORD, WORD, "R2", "R3"})
    assert known.keys() == {RECORD}
    assert (known[RECORD].died, known[RECORD].fields.keys()) == ("", {"text"})
    assert list(store.state.shown()) == shown
    assert store.state.forget(NOW + 2 * FORGET_AFTER) == 0
    store.state.verify()


def test_what_has_taken_a_deaths_or_a_nulls_place_is_not_forgotten(path: Path) -> None:
    store = Store(path)
    store.take(Change(RECORD, at(1), set={"x": None, "y": None}), Change(WORD, at(1), died=True))
    later = NOW + timedelta(days=20)
    store.take(Change(RECORD, at(2), set={"x": 1, "y": None}), Change(WORD, at(2), died=True), now=later)
    assert store.state.forget(NOW + FORGET_AFTER) == 0
    assert store.state.known([RECORD])[RECORD].fields == {"x": (at(2), 1), "y": (at(2), None)}
    assert store.state.forget(later + FORGET_AFTER) == 2
    assert store.state.known([RECORD, WORD]).keys() == {RECORD}


def test_a_death_that_comes_again_does_not_delay_its_forgetting(path: Path) -> None:
    store = Store(path)
    for days in (0, 10, 20):
        store.take(Change(RECORD, at(1), died=True), now=NOW + timedelta(days=days))
    assert store.state.forget(NOW + FORGET_AFTER) == 1


def test_what_came_after_a_forgotten_death_is_kept(path: Path) -> None:
    store = Store(path)
    store.take(Change(RECORD, at(1), died=True), Change(RECORD, at(2), set={"x": 1}), EMBEDDED)
    store.state.forget(NOW + FORGET_AFTER)
    store.take(Change(RECORD, at(9), born=True))
    assert store.chroma.rows[RECORD].metadata["x"] == 1


def test_when_a_death_was_merged_is_no_part_of_the_contents() -> None:
    one, other = Store(), Store()
    one.take(LATE_DEATH)
    other.take(LATE_DEATH, now=datetime(2030, 1, 1, tzinfo=UTC))
    assert one.contents() == other.contents()


def test_the_death_of_a_large_receipt_removes_its_records_and_leaves_one_row(path: Path) -> None:
    store = Store(path)
    ids = [f"R1/{number:05}" for number in range(500)]
    store.take(*(Change(it, at(1), born=True) for it in ids), *(VectorRow(it, at(1), "", DATA) for it in ids))
    assert len(store.take(Change(RECEIPT, at(2), died=True)).differences) == 500
    assert len(list(store.state.lines())) == 1


def test_texts_of_the_dead_are_not_left_in_the_file(path: Path) -> None:
    store = Store(path)
    store.take(BIRTH._replace(set={"text": "SECRET MILK"}))
    assert b"SECRET MILK" in path.read_bytes()
    store.take(Change(RECORD, at(9), died=True))
    assert b"SECRET MILK" not in path.read_bytes()


def test_an_empty_delta_is_nothing() -> None:
    store = Store()
    assert store.take() == ([], [], 0, 0, 0)
    assert store.chroma.rows == FakeChroma().rows
