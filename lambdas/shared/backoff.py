"""How long to wait before trying again, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.clock import Clock


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
        return random() * min(self.most_seconds, self.first_seconds * 2 ** (attempt - 1))


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
