"""What may end the work on a message before its end: the time that is left, an order to stop, a lease that is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from shared.clock import Clock


class Interrupted(Exception):
    """There is no more time. Every part that was written is whole; the next try goes on behind them."""


class Stop:
    """When work has to end, in seconds of `clock.monotonic`: from `begin_nothing_at` on no part is begun, and from
    `leave_at` on the one that is under way is left."""

    def __init__(self, clock: Clock, *, begin_nothing_at: float = inf, leave_at: float = inf) -> None:
        self._clock = clock
        self._begin_nothing_at = begin_nothing_at
        self._leave_at = leave_at

    def ask(self, grace_seconds: float) -> None:
        """Stop now, and leave what is under way in so many seconds. Safe in a signal's handler: it takes no lock. Asked
        again, it changes nothing."""
        if self._leave_at == inf:
            now = self._clock.monotonic()
            self._begin_nothing_at, self._leave_at = now, now + grace_seconds

    @property
    def asked(self) -> bool:
        return self._clock.monotonic() >= self._begin_nothing_at

    @property
    def over(self) -> bool:
        return self._clock.monotonic() >= self._leave_at


class Watch:
    """Asked before every part and before every call to Bedrock. `keeps` are what has to be renewed in time: a lease,
    the message's visibility. Safe to use from several threads if they are."""

    def __init__(self, stop: Stop, keeps: Iterable[Callable[[], None]]) -> None:
        self._stop = stop
        self._keeps = tuple(keeps)

    def begin(self) -> None:
        """A part is begun. Raises Interrupted, and what `beat` raises."""
        if self._stop.asked:
            raise Interrupted("asked to stop; no part is begun")
        self.beat()

    def beat(self) -> None:
        """Work goes on. Raises Interrupted, and LeaseLost where a lease is kept."""
        if self._stop.over:
            raise Interrupted("out of time; the part that is under way is left")
        for keep in self._keeps:
            keep()
