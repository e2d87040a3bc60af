"""How fast one worker sends: a rate that begins at its share and follows what the sink can take.

Pure: time comes in as an argument, in seconds of a clock that never goes back. Nobody knows the sink's real quota
(those of the batch calls are not published), and the other workers change what is left of it, so it is learnt:

- searching, until the first throttled answer: the rate grows by e in ten seconds;
- a throttled answer marks the ceiling that was just hit and cuts the rate by a quarter. The first cut of a search,
  or one that comes when hardly a call went through since the last, halves it; but never twice in a row, or a
  worker that was unlucky among its neighbours would crawl;
- from then on the rate follows a cubic curve: fast back towards the ceiling, slowly past it, then faster again. It
  passes the ceiling after sixty calls or fifteen seconds, so that about one call in forty is throttled: the price of
  knowing. Past it, every worker gains at least the same absolute rate, which is what lets them become equal.
"""

from __future__ import annotations

SEARCH_SECONDS = 10.0
GENTLE_CUT = 0.75
SHARP_CUT = 0.5
SHARP_PAUSE_SECONDS = 0.3
HARDLY_CALLS = 3
CALLS_TO_CEILING = 60
SECONDS_TO_CEILING = 15.0
LEAST_GAIN_OF_SHARE = 0.1

MOST_OF_SHARE = 4.0
"""A worker never goes above four times its share of the configured rate, however well it goes."""

LEAST_OF_SHARE = 0.02


class Pacer:
    """Says when the next call may go. Tell it of each call when it goes out and when it is answered."""

    def __init__(self, share: float) -> None:
        """`share` is the rate, in calls per second, that this worker begins with."""
        self.rate = share
        self._share = share
        self._ceiling: float | None = None
        self._floor = share
        self._calls = 0
        self._cut_sharply = False
        self._next_at = float("-inf")
        self._cut_at = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until the next call may go; 0 when it may go now."""
        return max(0.0, self._next_at - now)

    def sent(self, now: float) -> None:
        """A call goes out now. One that went a little late, up to one interval, does not delay the next: a
        clumsy timer does not lower the rate. A longer pause is not made up for."""
        interval = 1 / self.rate
        due = self._next_at if now - self._next_at <= interval else now
        self._next_at = due + interval

    def succeeded(self, now: float) -> None:
        """A call was taken."""
        self._calls += 1
        if self._ceiling is None:
            self._set(self.rate + 1 / SEARCH_SECONDS)
            return
        progress = max(self._calls / CALLS_TO_CEILING, (now - self._cut_at) / SECONDS_TO_CEILING)
        gap = self._ceiling - self._floor
        if progress > 1:
            gap = max(gap, LEAST_GAIN_OF_SHARE * self._share)
        self._set(self._ceiling + gap * (progress - 1) ** 3)

    def throttled(self, sent_at: float, now: float) -> None:
        """A call that went out at `sent_at` was refused for its rate. One that was already under way at the last
        cut says nothing new."""
        if sent_at < self._cut_at:
            return
        unlooked_for = self._ceiling is None or self._calls < HARDLY_CALLS
        self._cut_sharply = unlooked_for and not self._cut_sharply
        self._ceiling = self.rate
        self._set(self.rate * (SHARP_CUT if self._cut_sharply else GENTLE_CUT))
        self._floor = self.rate
        self._calls = 0
        self._cut_at = now
        if self._cut_sharply:
            self._next_at = max(self._next_at, now + SHARP_PAUSE_SECONDS)

    def _set(self, rate: float) -> None:
        self.rate = min(max(rate, self._share * LEAST_OF_SHARE), self._share * MOST_OF_SHARE)
