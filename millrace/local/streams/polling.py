"""Takes batches of streams to the functions that are mapped to them, one batch of a mapping at a time.

One thread decides what is handed out; it sleeps until a record is written, a window closes or a batch is done. Each
batch has a thread of its own until all of it is done or given up. How far a mapping has come is remembered after each
piece, so that what was in flight when it was stopped is delivered again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from millrace.local.acting import Acting, Forbidden, Refused
from millrace.local.event_source_mappings import THROTTLED_SECONDS, Record
from millrace.local.looking import Looking
from millrace.local.streams import destination
from millrace.local.streams.batches import (
    Batch,
    after_failure,
    arrival_of,
    failed_at,
    fitting,
    number_of,
    pause,
    too_old,
)
from millrace.local.streams.event_sources import StreamSource
from millrace.local.targets import NotDelivered, Targets

MOST_THREADS = 1000
REFUSED_SECONDS = 1.0
"""Pause of a mapping whose stream could not be read."""
LONGEST = 5
"""The longest pause between two tries, in first pauses. AWS publishes no figure; tests should not wait long."""
LOOK_SECONDS = 0.05
"""How long at most a pause goes on after its mapping was stopped."""
TELLINGS = 3
"""How often a failure destination is tried."""
log = logging.getLogger(__name__)


class Poller(Looking):
    """Serves the streams of all sources."""

    def __init__(
        self,
        acting: Acting,
        targets: Targets,
        sources: Callable[[], Iterable[StreamSource]],
        *,
        retry_seconds: float,
    ) -> None:
        super().__init__("streams")
        self._acting = acting
        self._targets = targets
        self._sources = sources
        self._retry_seconds = retry_seconds
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="stream")
        self._lock = threading.Lock()
        self._at_work: set[str] = set()
        self._opened: dict[str, float] = {}
        self._paused: dict[str, float] = {}

    def all(self) -> list[dict[str, Any]]:
        """`[{"mapping", "stream", "function", "waiting", "outcome"}]`: `waiting` records, those at work among them, are
        neither done nor given up."""
        told = []
        for source in self._sources():
            stream, position = source.find(), source.position()
            left = [] if stream is None or position is None else stream.after(position, len(stream.records))
            told.append(
                {
                    "mapping": source.id,
                    "stream": source.mapped.source,
                    "function": source.mapped.actor.source,
                    "waiting": len(left),
                    "outcome": source.mapped.mapping["LastProcessingResult"],
                }
            )
        return told

    def look(self) -> float | None:
        looks = [self._serve(source) for source in self._sources()]
        return min((moment for moment in looks if moment is not None), default=None)

    def _serve(self, source: StreamSource) -> float | None:
        """Hand out what can be handed out now; when to look again if nothing happens before."""
        try:
            return self._hand_out(source)
        except Exception:
            log.exception("%s cannot read its stream", source.id)
            return time.time() + REFUSED_SECONDS

    def _hand_out(self, source: StreamSource) -> float | None:
        with self._lock:
            if source.id in self._at_work:
                return None
        now = time.time()
        if self._paused.get(source.id, 0.0) > now:
            return self._paused[source.id]
        settings, found = source.settings, self._waiting(source)
        if not found:
            self._opened.pop(source.id, None)
            return None
        closes = self._opened.setdefault(source.id, now) + settings.window
        fit = fitting([record for _, record in found])
        if now < closes and fit == len(found) < settings.size:
            return closes
        del self._opened[source.id]
        if not self._read(source):
            return self._paused[source.id]
        with self._lock:
            self._at_work.add(source.id)
        self._threads.submit(self._work, source, found[:fit])
        return None

    def _waiting(self, source: StreamSource) -> list[tuple[int, Record]]:
        """The next records that make a batch, with their positions."""
        stream, position = source.find(), source.position()
        if stream is None:
            source.mapped.tell("PROBLEM: Stream not found")
            return []
        if position is None:
            source.keep(stream.end)
            return []
        return stream.after(position, source.settings.size)

    def _read(self, source: StreamSource) -> bool:
        try:
            self._acting.perform(source.mapped.actor, "dynamodb:GetRecords", source.mapped.source, lambda: None)
        except (Forbidden, Refused) as error:
            source.mapped.tell(f"PROBLEM: {error}")
            self._paused[source.id] = time.time() + REFUSED_SECONDS
            return False
        return True

    def _work(self, source: StreamSource, found: list[tuple[int, Record]]) -> None:
        try:
            Work(source, found, self._tell_destination, self._retry_seconds).run()
        except Exception:
            log.exception("a batch of %s was not worked on", source.id)
        finally:
            with self._lock:
                self._at_work.discard(source.id)
            self.wake()

    def _tell_destination(self, source: StreamSource, queue: str, message: dict[str, Any]) -> None:
        """Tell the queue of a batch that was given up; where that cannot be done it is lost, as on AWS."""
        body = {"MessageBody": json.dumps(message)}
        for telling in range(1, TELLINGS + 1):
            try:
                self._acting.perform(
                    source.mapped.actor, "sqs:SendMessage", queue, lambda: self._targets.send_message(queue, body)
                )
            except (Forbidden, Refused, NotDelivered) as error:
                source.mapped.tell(f"PROBLEM: {error}")
                log.warning("%s was not told of a batch that was given up (try %d): %s", queue, telling, error)
                time.sleep(self._retry_seconds)
            else:
                return


class Work:
    """One batch, until all of it is done or given up, or the mapping is stopped."""

    def __init__(
        self,
        source: StreamSource,
        found: list[tuple[int, Record]],
        tell_destination: Callable[[StreamSource, str, dict[str, Any]], None],
        retry_seconds: float,
    ) -> None:
        self._source = source
        self._tell_destination = tell_destination
        self._retry_seconds = retry_seconds
        self._end = found[-1][0] + 1
        self._positions = {number_of(record): position for position, record in found}
        kept = source.mapped.filtered([record for _, record in found])
        self._left = deque([Batch(tuple(kept))] if kept else [])
        self._error: str | None = None

    def run(self) -> None:
        self._keep()
        while self._left:
            batch = self._left[0]
            self._wait(pause(batch, self._retry_seconds, LONGEST * self._retry_seconds))
            if not self._source.wanted:
                return
            settings = self._source.settings
            if old := too_old(batch, time.time(), settings):
                self._give_up(batch.records[:old], destination.TOO_OLD, batch.tries)
                self._go_on([Batch(batch.records[old:], batch.tries)])
                continue
            self._source.measure(max(0.0, time.time() - arrival_of(batch.records[-1])))
            outcome = self._source.mapped.invoke(list(batch.records))
            if outcome.get("throttle"):
                self._wait(THROTTLED_SECONDS)
                continue
            failed = failed_at(outcome, batch.records, settings)
            self._source.mapped.tell("OK" if failed is None else "PROBLEM: Function call failed")
            if failed is None:
                self._go_on([])
                continue
            self._error = str(outcome.get("function_error") or "Unhandled") if outcome.get("error") else None
            following = after_failure(batch, failed, settings)
            if not following:
                self._give_up(batch.records, destination.RETRIES_EXHAUSTED, batch.tries + 1)
            self._go_on(following)

    def _go_on(self, following: list[Batch]) -> None:
        """Replace the first batch by what follows from it."""
        self._left.popleft()
        self._left.extendleft(batch for batch in reversed(following) if batch.records)
        self._keep()

    def _keep(self) -> None:
        """Remember how far all is done or given up."""
        first = self._left[0].records[0] if self._left else None
        self._source.keep(self._end if first is None else self._positions[number_of(first)])

    def _give_up(self, records: tuple[Record, ...], condition: str, invocations: int) -> None:
        queue, mapped = self._source.settings.destination, self._source.mapped
        log.info("%s gives up %d records: %s", mapped.id, len(records), condition)
        if queue is not None:
            message = destination.told(
                records,
                stream=mapped.source,
                function=mapped.actor.source,
                condition=condition,
                invocations=invocations,
                error=self._error,
                now=time.time(),
            )
            self._tell_destination(self._source, queue, message)

    def _wait(self, seconds: float) -> None:
        until = time.time() + seconds
        while self._source.wanted and (left := until - time.time()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
