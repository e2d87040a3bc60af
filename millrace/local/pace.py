"""How fast an emulated service lets calls through, and how long its work takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.local.emulated import ApiError


@dataclass
class Pace:
    """Requests a second are for each operation that has a quota; `creating_seconds` is for what holds documents."""

    requests_per_second: float
    indexing_seconds: float
    creating_seconds: float

    def requests_per_second_of(self, operation: str) -> float:
        """The operation's own quota; a service where they differ says so."""
        return self.requests_per_second


class TokenBucket:
    """Lets `rate` calls a second through, and up to one second's worth at once after a pause."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = rate
        self._tokens = self._capacity
        self._filled_at = clock()
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)
        self.calls = 0
        self.throttled = 0

    @property
    def _capacity(self) -> float:
        return max(1.0, self._rate)

    def set_rate(self, rate: float) -> None:
        """Let this rate through from now on; a new one begins with a full bucket."""
        with self._lock:
            if rate == self._rate:
                return
            self._rate = rate
            self._tokens = self._capacity

    def take(self) -> bool:
        """Whether this call may go on; it is counted either way."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            self.calls += 1
            if self._tokens < 1:
                self.throttled += 1
                return False
            self._tokens -= 1
            self._last = (now, self._tokens)
            self._first = self._first or self._last
            return True

    @property
    def sustained(self) -> float:
        """Calls a second let through from the first to the last, without those that a pause had saved up.

        So it never passes the rate, and each second in which the bucket was full is missing from it.
        """
        with self._lock:
            began, saved = self._first or self._last
            ended, left = self._last
            let_through = self.calls - self.throttled - 1 - (saved - left)
            return let_through / (ended - began) if ended > began else 0.0


class Gate:
    """Holds the calls of each operation to the pace, apart for each scope that has a quota of its own."""

    def __init__(self, service: str, pace: Pace, ticks: Callable[[], float]) -> None:
        self._service = service
        self._pace = pace
        self._ticks = ticks
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def enter(self, scope: str, operation: str) -> None:
        """Count a call. Raises ApiError (ThrottlingException) when it comes too soon."""
        with self._lock:
            bucket = self._buckets.get((scope, operation))
            if bucket is None:
                bucket = TokenBucket(self._pace.requests_per_second_of(operation), self._ticks)
                self._buckets[scope, operation] = bucket
        if not bucket.take():
            raise ApiError("ThrottlingException", "The request was denied due to request throttling. Rate exceeded")

    def counts(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By scope and operation, since the start: calls, throttled answers, and the sustained rate of the others
        a second (`TokenBucket.sustained`)."""
        with self._lock:
            buckets = dict(self._buckets)
        counts: dict[str, dict[str, dict[str, Any]]] = {}
        for (scope, operation), bucket in buckets.items():
            count = {"calls": bucket.calls, "throttled": bucket.throttled, "perSecond": bucket.sustained}
            counts.setdefault(scope, {})[operation] = count
        return counts

    def set_pace(self, changes: Mapping[str, float]) -> None:
        """Change the pace from now on. Raises ValueError for a setting that it does not have."""
        unknown = changes.keys() - vars(self._pace).keys()
        if unknown:
            settings = ", ".join(vars(self._pace))
            raise ValueError(f"{self._service} has no settings {', '.join(sorted(unknown))}; it has {settings}")
        for name, value in changes.items():
            setattr(self._pace, name, float(value))
        with self._lock:
            for (_, operation), bucket in self._buckets.items():
                bucket.set_rate(self._pace.requests_per_second_of(operation))
