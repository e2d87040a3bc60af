from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import merge_million
from benchmarks.figure import BenchmarkFailed
from benchmarks.merge_million import CHANGES, Merged, figures_of, make, merge
from benchmarks.receipt_words import lines, relabelled

GOOD = Merged(seconds=2.0, megabytes=100.0, applied=CHANGES, differences=CHANGES)


def missed(*merges: Merged) -> set[str]:
    found = figures_of(list(merges), copy_seconds=0.5, bytes_=300 * 2**20)
    return {figure.name.partition(": ")[2] for figure in found if not figure.holds}


def test_the_best_seconds_and_the_most_memory_count() -> None:
    slow, large = GOOD._replace(seconds=60.0), GOOD._replace(megabytes=1_000.0)
    assert missed(GOOD, slow) == set()
    assert missed(slow, slow) == {"from the changes' lines to the closed file"}
    assert missed(GOOD, large) == {"peak memory"}


@pytest.mark.parametrize("lost", [{"applied": CHANGES - 1}, {"differences": 0}])
def test_a_merge_that_loses_a_change_has_no_figures(lost: dict[str, int]) -> None:
    with pytest.raises(BenchmarkFailed, match="10,000 changes"):
        figures_of([GOOD, GOOD._replace(**lost)], copy_seconds=0.5, bytes_=1)


def test_a_small_state_takes_every_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_million, "RECORDS_A_MERGE", 70)
    state, changes = tmp_path / "state.sqlite", tmp_path / "changes.ndjson"
    make(state, records=300)
    changes.write_bytes(lines(relabelled(300, 40, status="VALID")))
    merged = merge(state, changes)
    assert (merged.applied, merged.differences) == (40, 40)
    assert merged.seconds > 0
