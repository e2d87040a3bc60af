from __future__ import annotations

import pytest

from benchmarks.changed import figures_of
from benchmarks.figure import BenchmarkFailed
from benchmarks.pipeline import Run
from millrace.executions.view import RunView


def ran(seconds: float, **counts: int) -> Run:
    return Run(seconds, RunView(), {"planned": 10, "indexed": 0, "unchanged": 0} | counts)


def test_a_second_run_that_is_quick_and_silent_holds_both_bars() -> None:
    assert all(figure.holds for figure in figures_of(ran(100, indexed=10), ran(15, unchanged=10), 0))


def test_one_call_to_the_index_misses_its_bar() -> None:
    calls, *_ = figures_of(ran(100, indexed=10), ran(1, unchanged=10), 1)
    assert not calls.holds


def test_a_slow_second_run_misses_its_bar() -> None:
    *_, times = figures_of(ran(100, indexed=10), ran(16, unchanged=10), 0)
    assert times.value == pytest.approx(0.16)
    assert not times.holds


def test_a_second_run_that_sent_something_is_no_second_run() -> None:
    with pytest.raises(BenchmarkFailed, match="second"):
        figures_of(ran(100, indexed=10), ran(1, unchanged=9, indexed=1), 0)


def test_a_first_run_that_did_not_send_everything_is_no_first_run() -> None:
    with pytest.raises(BenchmarkFailed, match="first"):
        figures_of(ran(100, indexed=9), ran(1, unchanged=10), 0)
