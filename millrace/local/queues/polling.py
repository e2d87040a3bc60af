"""Takes messages from queues to what reads them: functions that are mapped to a queue, pipes.

One thread decides what is handed out; it sleeps until a message comes or becomes visible, or a batch is done. Each
batch has a thread of its own while it is worked on.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from millrace.local.acting import Acting, Actor, Forbidden, Refused
from millrace.local.event_source_mappings import BATCH_BYTES, Record
from millrace.local.looking import Looking
from millrace.local.queues.messages import HandleExpired, NotInFlight
from millrace.local.queues.service import Queue, Queues

MOST_THREADS = 1000
REFUSED_SECONDS = 1.0
"""Pause of a source whose queue could not be read."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batching:
    """How many messages make a batch, how many seconds it waits for them, and how many batches are out at once."""

    size: int
    window: float
    at_once: int


class Source(Protocol):
    """Somebody who reads a queue."""

    @property
    def id(self) -> str:
        """The same for the same reader, whenever it is asked for."""

    @property
    def queue(self) -> Queue: ...

    @property
    def actor(self) -> Actor: ...

    @property
    def batching(self) -> Batching: ...

    def work(self, records: list[Record]) -> Collection[str]:
        """The ids of the messages that are done with. The others stay invisible until their time is over.

        Raises Forbidden, Refused.
        """

    def tell(self, outcome: str) -> None:
        """What became of the last batch, or why the queue could not be read."""


Sources = Callable[[], Iterable[Source]]
"""Those that are to be served now."""


class Poller(Looking):
    """Serves the queues of all sources that it was told of."""

    def __init__(self, acting: Acting) -> None:
        super().__init__("queues")
        self.queues = Queues(self.wake)
        self._acting = acting
        self._sources: list[Sources] = []
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="queue")
        self._counting = threading.Lock()
        self._at_work: Counter[str] = Counter()
        self._opened: dict[str, float] = {}
        self._paused: dict[str, float] = {}

    def serve(self, sources: Sources) -> None:
        """Serve these too, from now on."""
        self._sources.append(sources)
        self.wake()

    def redeliver(self, event: str, seconds: float) -> None:
        """Let the messages of an invocation's event come back so many seconds from now."""
        now = time.time()
        records = json.loads(event).get("Records", [])
        handles = {record["receiptHandle"] for record in records if "receiptHandle" in record}
        for source in self._all():
            messages = self.queues.messages(source.queue)
            for handle in handles:
                with contextlib.suppress(NotInFlight):
                    messages.change_visibility(handle, now, seconds)

    def _all(self) -> list[Source]:
        return [source for sources in list(self._sources) for source in sources()]

    def look(self) -> float | None:
        sources = self._all()
        self._forget_windows({source.id for source in sources})
        looks = [self._serve(source) for source in sources]
        return min((moment for moment in looks if moment is not None), default=None)

    def _forget_windows(self, present: Set[str]) -> None:
        """Who stops reading and begins again later opens a new window."""
        for gone in self._opened.keys() - present:
            del self._opened[gone]

    def _serve(self, source: Source) -> float | None:
        """Hand out what can be handed out now; when to look again if nothing happens before."""
        try:
            return self._hand_out(source)
        except Exception:
            log.exception("%s cannot read its queue", source.id)
            return time.time() + REFUSED_SECONDS

    def _hand_out(self, source: Source) -> float | None:
        messages, batching = self.queues.messages(source.queue), source.batching
        while self._at_work[source.id] < batching.at_once:
            now = time.time()
            if self._paused.get(source.id, 0.0) > now:
                return self._paused[source.id]
            if not messages.ready(now):
                self._opened.pop(source.id, None)
                return messages.next_change(now)
            closes = self._opened.setdefault(source.id, now) + batching.window
            if now < closes and not messages.fills(batching.size, BATCH_BYTES, now):
                return min(closes, messages.next_change(now) or closes)
            del self._opened[source.id]
            records = self._receive(source)
            if records:
                with self._counting:
                    self._at_work[source.id] += 1
                self._threads.submit(self._work, source, records)
        return None

    def _receive(self, source: Source) -> list[Record]:
        def receive() -> list[Record]:
            taken = self.queues.receive(source.queue, source.batching.size, most_bytes=BATCH_BYTES)
            return [self.queues.record(source.queue, message) for message in taken]

        try:
            return self._acting.perform(source.actor, "sqs:ReceiveMessage", _arn(source), receive)
        except (Forbidden, Refused) as error:
            source.tell(f"PROBLEM: {error}")
            self._paused[source.id] = time.time() + REFUSED_SECONDS
            return []

    def _work(self, source: Source, records: list[Record]) -> None:
        try:
            done = set(source.work(records))
            worked = [record for record in records if record["messageId"] in done]
            if worked:
                self._acting.perform(
                    source.actor, "sqs:DeleteMessage", _arn(source), lambda: self._delete(source, worked)
                )
        except (Forbidden, Refused) as error:
            source.tell(f"PROBLEM: {error}")
        except Exception:
            log.exception("a batch of %s was not worked on", source.id)
        finally:
            with self._counting:
                self._at_work[source.id] -= 1
            self.wake()

    def _delete(self, source: Source, records: list[Record]) -> None:
        messages, now = self.queues.messages(source.queue), time.time()
        for record in records:
            try:
                messages.delete(record["receiptHandle"], now)
            except HandleExpired:
                log.warning("message %s outlived its visibility timeout", record["messageId"])


def _arn(source: Source) -> str:
    return str(source.queue["attributes"]["QueueArn"])
