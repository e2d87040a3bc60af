"""A clock that moves only when somebody sleeps."""

from __future__ import annotations


class FakeClock:
    """`wall` runs with `monotonic`, from a date in 2025."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_760_000_000.0 + self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds
        self.slept += seconds
