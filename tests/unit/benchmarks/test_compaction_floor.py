from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.compaction_floor import Measured, Write, figures_of, measure, rewrite_all, seconds, write_value
from benchmarks.figure import BenchmarkFailed
from benchmarks.receipt_words import relabelled
from benchmarks.word_store import WordStore
from vector_store.chroma_store import DATABASE
from vector_store.store import CHROMA


def test_a_run_of_ten_times_the_rewrite_holds_and_of_more_does_not() -> None:
    assert all(figure.holds for figure in figures_of(Measured(ours=10.0, rewrite=1.0, one_value=0.1)))
    assert sum(not figure.holds for figure in figures_of(Measured(ours=10.1, rewrite=1.0, one_value=0.1))) == 1


@pytest.fixture
def database(small_store: WordStore, tmp_path: Path) -> Path:
    folder = small_store.fetch(tmp_path.name)
    return Path(shutil.copyfile(folder / CHROMA / DATABASE, tmp_path / "chroma.sqlite3"))


@pytest.mark.parametrize("write", [rewrite_all, write_value])
def test_sqlite_writes_every_new_status(small_store: WordStore, database: Path, write: Write) -> None:
    assert seconds(database, relabelled(small_store.words, 50, status="NEW", turn=1), write) > 0


def test_what_does_not_write_all_has_no_seconds(small_store: WordStore, database: Path) -> None:
    with pytest.raises(BenchmarkFailed, match="0 of 50"):
        seconds(database, relabelled(small_store.words, 50, status="NEWER", turn=2), lambda *_: None)


def test_each_is_measured_on_a_small_store(small_store: WordStore) -> None:
    measured = measure(small_store, updates=20, turn=3)
    assert min(measured) > 0
    assert small_store.deltas.pending() == []
