"""How long to wait before trying again, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.clock import Clock

DOUBLINGS_MAX = 30
"""By then any wait is at its longest."""


def jittered(attempt: int, first_seconds: float, most_seconds: float, random: Callable[[], float]) -> float:
    """Seconds to wait after the attempt with this number (from 1): full jitter over a wait that doubles up to
    `most_seconds`. `random` gives numbers from 0 to 1."""
    return random() * min(most_seconds, first_seconds * 2 ** min(attempt - 1, DOUBLINGS_MAX))


@dataclass(frozen=True)
class Backoff:
    """Exponential waits with full jitter, inside a budget of attempts and of seconds.

    Twelve attempts wait 45 s on average; a sink that refuses for longer is the state machine's to wait for.
    """

    first_seconds: float = 0.1
    most_seconds: float = 20.0
    attempts: int = 12
    budget_seconds: float = 120.0

    def wait(self, attempt: int, elapsed: float, random: Callable[[], float]) -> float | None:
        """Seconds to wait after the attempt with this number (from 1) failed, `elapsed` seconds after the
        first failure; None when the budget is spent. `random` gives numbers from 0 to 1."""
        if attempt >= self.attempts or elapsed >= self.budget_seconds:
            return None
        return jittered(attempt, self.first_seconds, self.most_seconds, random)


class Patience:
    """One effort that is tried again inside a backoff's budget. Its time begins when it is made."""

    def __init__(self, backoff: Backoff, clock: Clock, random: Callable[[], float]) -> None:
        self._backoff = backoff
        self._clock = clock
        self._random = random
        self._began = clock.monotonic()
        self.attempts = 0
        """How often it has failed."""

    def wait(self) -> bool:
        """Sleep after a failure; False, at once, when the budget is spent."""
        self.attempts += 1
        pause = self._backoff.wait(self.attempts, self._clock.monotonic() - self._began, self._random)
        if pause is None:
            return False
        self._clock.sleep(pause)
        return True
