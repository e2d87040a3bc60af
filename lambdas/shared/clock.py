"""Time, as the functions see it, so that tests can bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Protocol

RESERVE_SECONDS = 30.0
"""Enough for a request that is under way to end (a sink's time limit is 20 s) and for what it brought to be
written."""

RESERVE_SHARE = 0.25


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
    remaining = seconds_left(context)
    return clock.monotonic() + remaining - min(RESERVE_SECONDS, remaining * RESERVE_SHARE)


def seconds_left(context: Any) -> float:
    """Until Lambda ends the invocation."""
    remaining: int = context.get_remaining_time_in_millis()
    return remaining / 1000


def utc_now(clock: Clock) -> datetime:
    """The moment by `clock.wall`."""
    return datetime.fromtimestamp(clock.wall(), UTC)


def stamp(moment: datetime) -> str:
    """A moment as the tables have it: ISO 8601 in UTC with milliseconds, so that texts compare as moments do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
