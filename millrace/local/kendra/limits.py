"""Kendra's limits, and the pace of calls. Sources: the developer guide's quotas page and the API reference.

How many items a request holds, and how long an id is, stands in the service model and is checked there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

FILE_BYTES = 50 * 1024 * 1024
TEXT_BYTES = 5 * 1024 * 1024
CUSTOM_ATTRIBUTES = 500
STRING_LIST_ITEMS = 10
QUERY_CHARACTERS = 1000
RESULTS = 100
PAGE_SIZE = 100


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
        with self._lock:
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
