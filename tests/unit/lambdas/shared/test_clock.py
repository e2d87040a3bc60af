from __future__ import annotations

import pytest

from shared.clock import SystemClock, seconds_left, stop_at
from tests.fakes.clock import FakeClock
from tests.fakes.lambda_context import FakeLambdaContext


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
