from __future__ import annotations

import pytest

from vector_store.deltas import Delta
from vector_store.portions import ROWS_MAX, SECONDS_A_ROW, Pace, portion


def deltas(*rows: int) -> list[Delta]:
    return [Delta(f"d{number}", "changes", "key", count) for number, count in enumerate(rows)]


def taken(rows: list[int], pace: Pace, seconds_left: float) -> int:
    return len(portion(deltas(*rows), pace, seconds_left=seconds_left))


def test_before_anything_is_measured_a_third_of_the_time_is_given_away() -> None:
    seconds = 3 * 1_000.5 * SECONDS_A_ROW
    assert taken([500, 500, 1], Pace(), seconds) == 2
    assert taken([500, 501], Pace(), seconds) == 1


@pytest.mark.parametrize("seconds_left", [-1.0, 0.0, 1.0])
def test_a_call_takes_one_delta_at_least(seconds_left: float) -> None:
    assert taken([5 * ROWS_MAX, 1], Pace(), seconds_left) == 1


def test_a_portion_has_as_many_rows_as_memory_is_meant_for() -> None:
    assert taken([ROWS_MAX // 2] * 3, Pace(), 1e9) == 2


def test_later_portions_follow_the_measured_pace_and_leave_the_time_to_publish() -> None:
    pace = Pace(fetched_seconds=20.0, rows=1_000, seconds=1.0)
    assert pace.seconds_a_row == pytest.approx(0.002)
    assert taken([100] * 20, pace, pace.publishing_seconds + 1.01) == 5
    assert taken([100], pace, pace.publishing_seconds) == 0
    assert taken([100], pace, 0.0) == 0


def test_a_slower_download_leaves_more_time_to_publish() -> None:
    assert Pace(fetched_seconds=60).publishing_seconds > Pace(fetched_seconds=6).publishing_seconds > 0


def test_nothing_waits_and_nothing_is_taken() -> None:
    assert taken([], Pace(), 100.0) == 0
