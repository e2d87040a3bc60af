"""Whether somebody has stopped the job, looked up now and then."""

from __future__ import annotations

from collections.abc import Callable

from shared.clock import Clock

SECONDS_BETWEEN_LOOKS = 2.0
"""How long a job goes on at most after it was stopped, besides the calls that are under way."""


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
