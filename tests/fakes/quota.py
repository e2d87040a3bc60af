"""How AWS limits calls: a bucket of tokens that fills at a steady rate."""

from __future__ import annotations


class TokenBucket:
    """`rate` in calls per second, `burst` in calls."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether a call at this time is let through."""
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
