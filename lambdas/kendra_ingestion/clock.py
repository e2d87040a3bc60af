"""Time, as the functions see it, so that tests can bring their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

RESERVE_SECONDS = 30.0
"""Enough for a request that is under way to end (SINK_TIMEOUT_SECONDS) and for what it brought to be
written."""

RESERVE_SHARE = 0.25

SECONDS_BETWEEN_LOOKS = 2.0
"""How long a job goes on at most after it was stopped, besides the calls that are under way."""


class Clock(Protocol):
    """Seconds: `monotonic` never goes back, `wall` is since 1970 and means the same in the next
    invocation."""

    def monotonic(self) -> float: ...

    def wall(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def stop_at(context: Any, clock: Clock) -> float:
    """When (by `clock.monotonic`) a Lambda invocation must begin nothing new: 30 s before its end, or with a
    quarter of its time left where that is less."""
    remaining = context.get_remaining_time_in_millis() / 1000
    return clock.monotonic() + remaining - min(RESERVE_SECONDS, remaining * RESERVE_SHARE)


class Brake:
    """Looks now and then whether somebody has stopped the job. Once pulled it stays so."""

    def __init__(self, look: Callable[[], bool], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._looked_at = float("-inf")
        self._pulled = False

    def pulled(self) -> bool:
        now = self._clock.monotonic()
        if not self._pulled and now - self._looked_at >= SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            self._pulled = self._look()
        return self._pulled
