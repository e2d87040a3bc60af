from __future__ import annotations

import pytest

from kendra_ingestion.clock import SECONDS_BETWEEN_LOOKS, Brake, SystemClock, stop_at
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


def test_a_brake_is_looked_at_now_and_then_and_stays_pulled() -> None:
    clock = FakeClock()
    looks: list[float] = []
    said = [False]

    def look() -> bool:
        looks.append(clock.now)
        return said[0]

    brake = Brake(look, clock)
    assert not any(brake.pulled() for _ in range(100))
    assert len(looks) == 1
    said[0] = True
    assert not brake.pulled()
    clock.now += SECONDS_BETWEEN_LOOKS
    assert brake.pulled()
    said[0] = False
    clock.now += SECONDS_BETWEEN_LOOKS
    assert brake.pulled()
    assert len(looks) == 2
