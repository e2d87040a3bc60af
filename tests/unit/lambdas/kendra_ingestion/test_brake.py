from __future__ import annotations

from kendra_ingestion.brake import SECONDS_BETWEEN_LOOKS, Brake
from tests.fakes.clock import FakeClock


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
