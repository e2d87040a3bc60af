from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import compaction
from benchmarks.compaction import Measured, Side, figures_of, measure, used_by_note, used_by_ours
from benchmarks.figure import Figure
from benchmarks.note_designs import NoteStore, with_collection
from benchmarks.receipt_words import LABEL, relabelled
from benchmarks.usage import Resource, costs
from benchmarks.word_store import COLLECTION, WordStore
from vector_store.store import CHROMA

FIFO, STANDARD = Side([0.8, 1.0], 1_000), Side([9.0, 11.0], 20)


def figures(ours: float) -> dict[str, Figure]:
    found = figures_of(Measured(FIFO, STANDARD, Side([ours], 1), {"merge": 1.0}, commit=0.001))
    return {figure.name.partition(": ")[2]: figure for figure in found}


def test_the_mean_of_the_measured_invocations_stands_for_all() -> None:
    assert Side([0.8, 1.0], 1_000).seconds == pytest.approx(900)


def test_the_ratios_are_held_to_their_bars() -> None:
    assert all(figure.holds for figure in figures(ours=5.0).values())
    missed = {name for name, figure in figures(ours=5.001).items() if not figure.holds}
    assert missed == {"the FIFO design over ours", "the standard design over ours"}


def test_what_was_scaled_says_of_how_many_it_was_measured() -> None:
    assert figures(5.0)["note 001's FIFO design, 2 of 1,000 invocations, scaled"].value == pytest.approx(900)
    assert figures(5.0)["note 001's standard design, 2 of 20 invocations, scaled"].value == pytest.approx(200)


def test_a_design_of_the_note_pays_for_its_invocations_and_for_moving_the_snapshot() -> None:
    used = used_by_note(FIFO)
    assert used[Resource.INVOCATIONS] == 1_000
    assert used[Resource.GIGABYTE_SECONDS] == pytest.approx(9_000)
    assert used[Resource.STORE_READS] == used[Resource.STORE_WRITES] == 6_000


def test_ours_pays_for_every_delta_once_and_for_one_run() -> None:
    few, many = used_by_ours(Side([5.0], 1), 10), used_by_ours(Side([5.0], 1), 20)
    assert (few[Resource.INVOCATIONS], many[Resource.INVOCATIONS]) == (11, 21)
    assert many[Resource.GIGABYTE_SECONDS] - few[Resource.GIGABYTE_SECONDS] == pytest.approx(5)
    assert sum(costs(many).values()) < sum(costs(used_by_note(FIFO)).values())


def test_a_small_store_is_compacted_by_all_three(
    small_store: WordStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "FIFO_BATCH", 1)
    monkeypatch.setattr(compaction, "STANDARD_BATCH", 5)
    monkeypatch.setattr(compaction, "FIFO_A_ROUND", 2)
    version = small_store.pointer().version
    measured = measure(small_store, tmp_path, updates=10, rounds=1)
    assert [(len(side.measured), side.needed) for side in measured[:3]] == [(2, 10), (1, 2), (1, 1)]
    assert {"read", "fetch", "merge", "check", "upload", "publish", "deltas"} <= measured.steps.keys()
    assert measured.commit > 0
    assert small_store.pointer().version == version + 1
    assert small_store.deltas.pending() == []


def test_an_invocation_of_the_note_publishes_what_it_has_updated(small_store: WordStore, tmp_path: Path) -> None:
    note = NoteStore(small_store.s3, COLLECTION, tmp_path / "note")
    note.publish(small_store.fetch(tmp_path.name) / CHROMA)
    batch = relabelled(small_store.words, 2, status="INVALID", turn=7)
    assert note.invoke(batch) > 0
    found: list[str] = []
    with_collection(
        note.fetch(),
        COLLECTION,
        lambda chroma: found.extend(chroma.get(where={LABEL: "INVALID"})["ids"]),
    )
    assert sorted(found) == sorted(change.owner for change in batch)
