"""Calls to the sink: paced, several under way at once, and tried again when the sink could not take them.

One thread decides everything (what goes next, when, what is tried again); the pool's threads only wait for
answers."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import cache
from itertools import count
from typing import Generic, NamedTuple, TypeVar

from kendra_ingestion import telemetry
from kendra_ingestion.errors import SinkError, SinkRefused, SinkThrottled, SinkUnavailable
from kendra_ingestion.pacing import Pacer
from shared.backoff import Backoff, Patience
from shared.clock import Clock, SystemClock

Item = TypeVar("Item")
Answer = TypeVar("Answer")

CALLS_UNDER_WAY = 16
"""Enough for 50 calls a second that take 0.3 s each; the pacer, not this, sets the rate."""

TICK_SECONDS = 0.001
"""Waits shorter than a timer can keep are no waits."""


class Piece(NamedTuple, Generic[Item]):
    """Items that go out in one call: a request, or what is left of it. `origin` is the caller's own mark."""

    origin: int
    items: tuple[Item, ...]
    failures: int = 0
    first_failure_at: float = 0.0


class Reply(NamedTuple, Generic[Item, Answer]):
    """What came of a piece: an answer, or the refusal of a piece that has one item."""

    piece: Piece[Item]
    answer: Answer | None
    refusal: SinkRefused | None
    seconds: float
    """How long the call took."""


class Means(NamedTuple):
    """What calls are made with. `random` gives numbers from 0 to 1."""

    pacer: Pacer
    clock: Clock
    pool: Executor
    random: Callable[[], float]
    backoff: Backoff = Backoff()


def means(operation: str, share: float, pool: Executor) -> Means:
    """What an invocation calls the sink with: this container's pacer of the operation, and the machine's own clock."""
    return Means(_pacer(operation, share), SystemClock(), pool, random.random)


@cache
def _pacer(_operation: str, share: float) -> Pacer:
    """It outlives the invocation: the next one begins at the rate that this one learnt."""
    return Pacer(share)


def patiently(call: Callable[[], Answer], means: Means) -> Answer:
    """Make one call outside the pace, trying again inside the backoff's budget."""
    patience = Patience(means.backoff, means.clock, means.random)
    while True:
        try:
            return call()
        except (SinkThrottled, SinkUnavailable):
            if not patience.wait():
                raise


class Calls(Generic[Item, Answer]):
    """Makes one kind of call."""

    def __init__(self, call: Callable[[Sequence[Item]], Answer], means: Means) -> None:
        self._call = call
        self._pacer, self._clock, self._pool, self._random, self._backoff = means
        self._next: Piece[Item] | None = None
        self._later: list[tuple[float, int, Piece[Item]]] = []
        self._order = count()

    def run(self, pieces: Iterable[Piece[Item]], *, stop_at: float) -> Iterator[Reply[Item, Answer]]:
        """Send the pieces and yield replies as they come. From `stop_at` on nothing new goes out.

        A piece that was throttled, or that the sink failed on, is tried again inside the backoff's budget;
        one that the sink refused as a whole is cut in halves until the item at fault stands alone. Raises
        SinkThrottled or SinkUnavailable when a budget is spent, and SinkMisconfigured at once; but first it
        yields the replies to all calls that are under way."""
        fresh = iter(pieces)
        under_way: dict[Future[Answer], tuple[Piece[Item], float]] = {}
        fatal: SinkError | None = None
        while True:
            pause = None if fatal else self._send_what_may_go(fresh, under_way, stop_at)
            if not under_way:
                if pause is None:
                    break
                self._clock.sleep(pause)
                continue
            answered, _ = wait(under_way, timeout=pause, return_when=FIRST_COMPLETED)
            for future in answered:
                try:
                    reply = self._settle(*under_way.pop(future), future)
                except SinkError as error:
                    fatal = fatal or error
                else:
                    if reply is not None:
                        yield reply
        if fatal is not None:
            raise fatal

    def again(self, piece: Piece[Item]) -> bool:
        """Try a piece again after a pause; False when its budget is spent. For use between two replies."""
        now = self._clock.monotonic()
        first = piece.first_failure_at if piece.failures else now
        pause = self._backoff.wait(piece.failures + 1, now - first, self._random)
        if pause is None:
            return False
        self._put_off(piece._replace(failures=piece.failures + 1, first_failure_at=first), now + pause)
        return True

    def _send_what_may_go(
        self,
        fresh: Iterator[Piece[Item]],
        under_way: dict[Future[Answer], tuple[Piece[Item], float]],
        stop_at: float,
    ) -> float | None:
        """Send until the pace, the pool or the work ends it. Returns the seconds until there is more to send,
        or None when only an answer can change that."""
        while len(under_way) < CALLS_UNDER_WAY:
            now = self._clock.monotonic()
            if now >= stop_at:
                return None
            self._next = self._next or self._due(now) or next(fresh, None)
            if self._next is None:
                return min(self._later[0][0], stop_at) - now if self._later else None
            pause = self._pacer.wait(now)
            if pause > TICK_SECONDS:
                return min(pause, stop_at - now)
            self._pacer.sent(now)
            under_way[self._pool.submit(self._call, self._next.items)] = (self._next, now)
            self._next = None
        return None

    def _settle(self, piece: Piece[Item], sent_at: float, future: Future[Answer]) -> Reply[Item, Answer] | None:
        now = self._clock.monotonic()
        try:
            answer = future.result()
        except SinkThrottled:
            telemetry.count("RequestsThrottled", 1)
            self._pacer.throttled(sent_at, now)
            if not self.again(piece):
                raise
            return None
        except SinkUnavailable:
            if not self.again(piece):
                raise
            return None
        except SinkRefused as refusal:
            self._pacer.succeeded(now)
            if len(piece.items) == 1:
                return Reply(piece, None, refusal, now - sent_at)
            middle = len(piece.items) // 2
            for half in (piece.items[:middle], piece.items[middle:]):
                self._put_off(Piece(piece.origin, half), now)
            return None
        self._pacer.succeeded(now)
        return Reply(piece, answer, None, now - sent_at)

    def _put_off(self, piece: Piece[Item], until: float) -> None:
        heapq.heappush(self._later, (until, next(self._order), piece))

    def _due(self, now: float) -> Piece[Item] | None:
        if self._later and self._later[0][0] <= now + TICK_SECONDS:
            return heapq.heappop(self._later)[2]
        return None
