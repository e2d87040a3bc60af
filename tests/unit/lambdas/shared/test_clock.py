from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SystemClock, seconds_left, stamp, stop_at, utc_now
from tests.fakes.clock import FakeClock
from tests.fakes.lambda_context import FakeLambdaContext

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)  # noqa: DTZ001


@pytest.mark.parametrize(("remaining", "usable"), [(900, 870), (300, 270), (60, 45), (4, 3)])
def test_an_invocation_keeps_a_reserve_and_always_has_time_to_work(remaining: float, usable: float) -> None:
    assert stop_at(FakeLambdaContext(remaining), FakeClock(1000.0)) == 1000 + usable


def test_the_systems_clock_moves_on() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.wall() > 1_700_000_000


def test_what_lambda_tells_in_milliseconds_is_told_in_seconds() -> None:
    assert seconds_left(FakeLambdaContext(1.5)) == 1.5


def test_the_moment_by_a_clock_is_in_utc() -> None:
    clock = FakeClock()
    assert utc_now(clock) == datetime.fromtimestamp(clock.wall(), UTC)
    assert utc_now(clock).tzinfo is UTC


@given(MOMENTS, MOMENTS)
def test_stamps_compare_as_moments_do(one: datetime, other: datetime) -> None:
    assert len(stamp(one)) == len("2026-11-22T13:00:00.000Z")
    if one <= other:
        assert stamp(one) <= stamp(other)


def test_a_stamp_is_utc_with_milliseconds() -> None:
    assert stamp(datetime(2026, 11, 22, 14, 0, 0, 1999, timezone(timedelta(hours=1)))) == "2026-11-22T13:00:00.001Z"
    assert stamp(datetime(2026, 11, 22, 13, tzinfo=UTC)) == "2026-11-22T13:00:00.000Z"
