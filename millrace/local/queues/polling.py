"""Takes messages from queues to the functions that are mapped to them.

One thread decides what is handed out; it sleeps until a message comes or becomes visible, or a batch is done. Each
batch has a thread of its own while the function works on it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from millrace.local.faults import Faults, Refused
from millrace.local.iam import Authority, in_scope
from millrace.local.queues import answers
from millrace.local.queues.mappings import LAMBDA, Setting
from millrace.local.queues.messages import HandleExpired, Message, NotInFlight
from millrace.local.queues.service import Queue, Queues

T = TypeVar("T")
Record = dict[str, Any]

BATCH_BYTES = 6_291_456
"""Of one batch's event: the payload of a synchronous invocation (Lambda quotas)."""
RECORD_BYTES = 1024
"""What a record holds beside its body, at most."""
MOST_THREADS = 1000
REFUSED_SECONDS = 1.0
"""Pause of a mapping whose queue could not be read."""
THROTTLED_SECONDS = 0.5
"""Pause before a batch is offered again to a function that has no concurrency left."""
log = logging.getLogger(__name__)


class Forbidden(Exception):
    """The function's role may not do what the mapping has to do with the queue."""


@dataclass(frozen=True)
class Source:
    """A mapping with what it connects. `mapping` and `function` are MiniStack's own records of them."""

    mapping: dict[str, Any]
    queue: Queue
    function: dict[str, Any]
    account: str
    region: str

    @property
    def id(self) -> str:
        return str(self.mapping["UUID"])

    @property
    def queue_arn(self) -> str:
        return str(self.queue["attributes"]["QueueArn"])

    @property
    def role(self) -> str:
        return str(self.function["config"]["Role"])


class Sources(Protocol):
    def all(self) -> Iterable[Source]:
        """The mappings that are to be served."""

    def record(self, message: Message, source: Source) -> Record:
        """A message as the function gets it."""

    def invoke(self, source: Source, records: list[Record]) -> dict[str, Any]:
        """Run the function; MiniStack's outcome: `{"body"?, "error"?, "throttle"?}`."""


class Poller:
    """Serves the queues of all mappings, once it is started."""

    def __init__(self, authority: Authority, faults: Faults) -> None:
        self.queues = Queues(self.wake)
        self._authority = authority
        self._faults = faults
        self._sources: Sources
        self._woken = threading.Event()
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="queue")
        self._counting = threading.Lock()
        self._at_work: Counter[str] = Counter()
        self._opened: dict[str, float] = {}
        self._paused: dict[str, float] = {}

    def start(self, sources: Sources) -> None:
        self._sources = sources
        threading.Thread(target=self._run, name="queues", daemon=True).start()

    def redeliver(self, event: str, seconds: float) -> None:
        """Let the messages of an invocation's event come back so many seconds from now."""
        now = time.time()
        handles = {record["receiptHandle"] for record in json.loads(event).get("Records", [])}
        for source in self._sources.all():
            messages = self.queues.messages(source.queue)
            for handle in handles:
                with contextlib.suppress(NotInFlight):
                    messages.change_visibility(handle, now, seconds)

    def wake(self) -> None:
        """Something has changed: look again."""
        self._woken.set()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            looks = [self._serve(source) for source in self._sources.all()]
            soonest = min((moment for moment in looks if moment is not None), default=None)
            self._woken.wait(None if soonest is None else max(0.0, soonest - time.time()))

    def _serve(self, source: Source) -> float | None:
        """Hand out what can be handed out now; when to look again if nothing happens before."""
        try:
            return self._hand_out(source)
        except Exception:
            log.exception("the queue %s cannot be read", source.queue_arn)
            return time.time() + REFUSED_SECONDS

    def _hand_out(self, source: Source) -> float | None:
        messages, setting = self.queues.messages(source.queue), Setting.of(source.mapping)
        while self._at_work[source.id] < setting.at_once:
            now = time.time()
            if self._paused.get(source.id, 0.0) > now:
                return self._paused[source.id]
            if not messages.ready(now):
                self._opened.pop(source.id, None)
                return messages.next_change(now)
            closes = self._opened.setdefault(source.id, now) + setting.window
            if now < closes and messages.counts(now).visible < setting.batch:
                return min(closes, messages.next_change(now) or closes)
            del self._opened[source.id]
            records = self._receive(source, setting)
            if records:
                with self._counting:
                    self._at_work[source.id] += 1
                self._threads.submit(self._work, source, setting, records)
        return None

    def _receive(self, source: Source, setting: Setting) -> list[Record]:
        def receive() -> list[Record]:
            taken = self.queues.receive(source.queue, setting.batch, most_bytes=BATCH_BYTES, size_of=_size)
            return [self._sources.record(message, source) for message in taken]

        try:
            return self._perform(source, "ReceiveMessage", receive)
        except (Forbidden, Refused) as error:
            self._tell(source, f"PROBLEM: {error}")
            self._paused[source.id] = time.time() + REFUSED_SECONDS
            return []

    def _work(self, source: Source, setting: Setting, records: list[Record]) -> None:
        try:
            done = self._done(source, setting, records)
            if done:
                self._perform(source, "DeleteMessage", lambda: self._delete(source, done))
        except (Forbidden, Refused) as error:
            self._tell(source, f"PROBLEM: {error}")
        except Exception:
            log.exception("a batch of %s was not worked on", source.queue_arn)
        finally:
            with self._counting:
                self._at_work[source.id] -= 1
            self.wake()

    def _done(self, source: Source, setting: Setting, records: list[Record]) -> list[Record]:
        """The records that the function has done with. The others stay invisible until their time is over."""
        until = time.time() + float(source.queue["attributes"]["VisibilityTimeout"])
        outcome = self._sources.invoke(source, records)
        while outcome.get("throttle") and time.time() + THROTTLED_SECONDS < until:
            time.sleep(THROTTLED_SECONDS)
            outcome = self._sources.invoke(source, records)
        if outcome.get("error"):
            self._tell(source, "PROBLEM: Function call failed")
            return []
        ids = [record["messageId"] for record in records]
        failed = set(answers.failed(outcome.get("body"), ids)) if setting.reports_failures else set()
        self._tell(source, "OK")
        return [record for record in records if record["messageId"] not in failed]

    def _delete(self, source: Source, records: list[Record]) -> None:
        messages, now = self.queues.messages(source.queue), time.time()
        for record in records:
            try:
                messages.delete(record["receiptHandle"], now)
            except HandleExpired:
                log.warning("message %s outlived its visibility timeout", record["messageId"])

    def _perform(self, source: Source, action: str, call: Callable[[], T]) -> T:
        """What Lambda does with the queue, it does with the function's role."""
        function_arn = source.mapping["FunctionArn"]
        refusal = self._authority.refusal(source.role, LAMBDA, f"sqs:{action}", source.queue_arn, source=function_arn)
        if refusal is not None:
            raise Forbidden(refusal)

        def perform() -> T:
            return self._faults.perform(f"sqs:{action}", source.queue_arn, call)

        return in_scope(source.region, source.account, perform)

    @staticmethod
    def _tell(source: Source, result: str) -> None:
        source.mapping["LastProcessingResult"] = result


def _size(message: Message) -> int:
    return len(json.dumps(message["body"])) + RECORD_BYTES
