"""What put_worker and del_worker have in common: one delivery of messages, each worked to its end or reported as
unfinished.

All messages of a delivery are sent together, as fast as the pace allows. What fails together is then tried alone, so a
message that raises spoils none but itself. A delivery with a message that was received before may hold one that kills
the process: its messages are tried alone from the start, each to its end before the next begins, and those that a
process died on before come last. Unfinished messages of a group come back together, in their order."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from kendra_ingestion import aws
from kendra_ingestion.account import Account, ids
from kendra_ingestion.assembly import account_of, ledger_of
from kendra_ingestion.brake import Brake
from kendra_ingestion.calling import CALLS_UNDER_WAY, Means, Piece, means, patiently
from kendra_ingestion.documents import Action, Document, JobKey
from kendra_ingestion.errors import SinkMisconfigured, SinkThrottled, SinkUnavailable
from kendra_ingestion.inbox import Delivery, Inbox, Letter, answer, pause
from kendra_ingestion.messages import Message
from kendra_ingestion.outcomes import Outcome
from kendra_ingestion.sending import Mark, Sending, misconfigured, unfit
from kendra_ingestion.settings import read_queue_settings, read_settings
from kendra_ingestion.sink import Sink
from kendra_ingestion.sinks import sink_of
from kendra_ingestion.telemetry import logger
from shared.clock import stop_at

HOLD_MARGIN_SECONDS = 10
"""A queue hides messages for six times the function's time, because Lambda may make them wait for a place. Once they
are worked, the time that is left and this are enough: a group does not wait for long after a death."""

Found = Document | Outcome
"""A document that can be sent, or the outcome of one that cannot."""

Prepare = Callable[[Message], Iterable[Found]]
"""Finds a message's documents. It begins at once and is waited for while it is iterated, so many can be under way."""


class Job(NamedTuple):
    """What the messages of one attempt are worked with."""

    account: Account
    sink: Sink
    mark: Mark
    prepare: Prepare


@dataclass
class Work:
    """One message, every delivery of it, and what is known of its documents so far."""

    number: int
    message: Message
    deliveries: list[Delivery]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    suspect: bool = False
    """A process died while it worked this message."""
    done: bool = False
    failed: bool = False

    def unknown(self) -> list[Document]:
        """The documents without an outcome."""
        return [{"documentId": name} for name in self.message.document_ids if name not in self.outcomes]

    @property
    def open(self) -> bool:
        return not (self.done or self.failed)


class Shift:
    """Works the messages that one delivery brought of one attempt. `works` shows how far it came."""

    def __init__(self, letters: Sequence[Letter], job: Job, means: Means, stop_at: float) -> None:
        self.works = _works(letters)
        self._action = letters[0].message.action
        self._account = job.account
        self._progress = job.account.progress
        self._sink = job.sink
        self._mark = job.mark
        self._prepare = job.prepare
        self._means = means
        self._stop_at = stop_at
        self._brake = Brake(job.account.workspace.stopped, means.clock)

    def begin(self, *, again: bool) -> None:
        """Leave out what is accounted for already. Whoever counted it may have died before it answered the token, so
        that is looked at again. `again` says that a process may have died on one of the messages."""
        if self._brake.pulled():
            self.end()
            return
        settled = list(self._means.pool.map(lambda work: self._account.is_settled(work.message), self.works))
        if any(settled):
            self._account.close()
        for work, was_settled in zip(self.works, settled, strict=True):
            work.done = was_settled
            if again and not was_settled:
                work.suspect = self._progress.was_tried(work.message.chunk, work.message.request)

    def open(self) -> list[Work]:
        """What is left to do, in the order of delivery."""
        return [work for work in self.works if work.open]

    def together(self, works: Sequence[Work]) -> None:
        """Work these messages, several at once. Raises SinkThrottled or SinkUnavailable when the sink takes nothing
        for longer than is worth waiting here."""
        sending = Sending(self._action, self._sink, self._means, self._mark)
        try:
            for number, outcomes in sending.send(self._pieces(works), stop_at=self._stop_at):
                self._take(self.works[number], outcomes)
        except (SinkThrottled, SinkUnavailable):
            raise
        except SinkMisconfigured as error:
            logger.error("the sink is misconfigured", reason=str(error))
            for work in works:
                if work.open:
                    self._take(work, misconfigured(work.unknown(), error))
        except Exception:
            if len(works) == 1:
                _fail(works[0])
                return
            logger.exception("messages failed together; each is tried alone")
            for work in works:
                if work.open:
                    self.together([work])

    def alone(self, work: Work) -> None:
        """Work one message to its end, and leave a mark if it takes the process with it. Raises as `together` does."""
        try:
            self._progress.begin_try(work.message.chunk, work.message.request)
        except Exception:
            _fail(work)
            return
        try:
            self.together([work])
        except (SinkThrottled, SinkUnavailable):
            self._clear(work)
            raise
        if not work.done:
            self._clear(work)

    def end(self) -> None:
        """Give up what a stopped job has left: it is acknowledged and not counted, so that a later attempt sends it."""
        left = self.open()
        if not left or not self._brake.pulled():
            return
        self._account.close_early()
        for work in left:
            logger.info("left out, because the job was stopped", extra=ids(work.message))
            work.done = True

    def _clear(self, work: Work) -> None:
        """Take the mark away. One that stays only makes the message one of the last."""
        try:
            self._progress.end_try(work.message.chunk, work.message.request)
        except Exception:
            logger.exception("could not clear the mark of a try", extra=ids(work.message))

    def _pieces(self, works: Sequence[Work]) -> Iterator[Piece[Document]]:
        if self._brake.pulled():
            return
        types = patiently(self._sink.attribute_types, self._means) if self._action == "put" else None
        begun = [(work, self._prepare(work.message)) for work in works]
        for work, finding in begun:
            if self._brake.pulled():
                return
            documents: list[Document] = []
            try:
                for found in finding:
                    if isinstance(found, Outcome):
                        work.outcomes[found.document_id] = found
                    else:
                        documents.append(found)
            except Exception:
                _fail(work)
                continue
            work.outcomes.update((outcome.document_id, outcome) for outcome in unfit(documents, types))
            fit = tuple(item for item in documents if item["documentId"] not in work.outcomes)
            if fit:
                yield Piece(work.number, fit)
            else:
                self._take(work, [])

    def _take(self, work: Work, outcomes: Iterable[Outcome]) -> None:
        """Note outcomes, and account for the message when they were the last."""
        work.outcomes.update((outcome.document_id, outcome) for outcome in outcomes)
        if work.unknown():
            return
        try:
            self._account.settle(work.message, [work.outcomes[name] for name in work.message.document_ids])
        except Exception:
            _fail(work)
        else:
            work.done = True


def work_off(
    event: dict[str, Any],
    *,
    inbox: Inbox,
    queue_url: str,
    job_of: Callable[[Message], Job],
    means: Means,
    stop_at: float,
    hold_seconds: int,
) -> dict[str, Any]:
    """Work an event of SQS, and answer which of its messages have to come back. What could not be tried in time comes
    back at once; what failed, or what the sink did not take, after a pause that grows with every receive; and all of
    them after `hold_seconds`, if this process dies."""
    letters, stuck = inbox.open(event)
    inbox.put_off(queue_url, [(letter.delivery, hold_seconds) for letter in letters])
    shifts = [Shift(group, job_of(group[0].message), means, stop_at) for group in _by_job(letters)]
    again = any(letter.delivery.receives > 1 for letter in letters)
    for shift in shifts:
        _guarded(shift, partial(shift.begin, again=again))
    sink_is_down = False
    try:
        _one_by_one(shifts, means, stop_at) if again else _together(shifts)
    except (SinkThrottled, SinkUnavailable) as error:
        logger.warning("the sink takes nothing; the messages come back later", reason=str(error))
        sink_is_down = True
    for shift in shifts:
        _guarded(shift, shift.end)
    unfinished = [item for shift in shifts for item in shift.works if not item.done]
    seconds = pause(max((it.receives for item in unfinished for it in item.deliveries), default=1), means.random)
    waits = [
        (delivery, seconds if sink_is_down or item.failed else 0) for item in unfinished for delivery in item.deliveries
    ]
    inbox.put_off(queue_url, waits)
    return answer([delivery for delivery, _ in waits] + stuck)


def handle(
    event: dict[str, Any],
    context: Any,
    action: Action,
    preparation: Callable[[Executor, Any], Prepare],
) -> dict[str, Any]:
    """A worker's whole invocation. `preparation` is given S3 and a pool of its own to read in, so that reading does not
    delay sending."""
    settings, queues = read_settings(os.environ), read_queue_settings(os.environ)
    with ThreadPoolExecutor(CALLS_UNDER_WAY) as sending, ThreadPoolExecutor(aws.CONNECTIONS) as reading:
        tools = means("send", settings.share, sending)

        def job_of(message: Message) -> Job:
            bucket = message.references[0].bucket if message.references else settings.ingestion_bucket
            return Job(
                account_of(settings, queues, message.job, tools.clock),
                sink_of(settings, bucket),
                ledger_of(settings, message.job).mark,
                preparation(reading, aws.s3()),
            )

        return work_off(
            event,
            inbox=Inbox(aws.sqs(), actions=(action,), dead_letter_queue_url=queues.dead_letter_queue_url),
            queue_url=queues.put_queue_url if action == "put" else queues.delete_queue_url,
            job_of=job_of,
            means=tools,
            stop_at=stop_at(context, tools.clock),
            hold_seconds=math.ceil(context.get_remaining_time_in_millis() / 1000) + HOLD_MARGIN_SECONDS,
        )


def _together(shifts: Sequence[Shift]) -> None:
    for shift in shifts:
        shift.together(shift.open())


def _one_by_one(shifts: Sequence[Shift], means: Means, stop_at: float) -> None:
    singles = [(shift, item) for shift in shifts for item in shift.open()]
    for shift, item in sorted(singles, key=lambda single: single[1].suspect):
        if means.clock.monotonic() >= stop_at:
            return
        shift.alone(item)


def _guarded(shift: Shift, step: Callable[[], None]) -> None:
    """A step that fails fails what is left of its attempt's messages, and no other's."""
    try:
        step()
    except Exception:
        for item in shift.open():
            _fail(item)


def _fail(item: Work) -> None:
    """Note that a message failed, with the exception that is being handled."""
    logger.exception("a message failed", extra=ids(item.message))
    item.failed = True


def _by_job(letters: Iterable[Letter]) -> list[list[Letter]]:
    groups: dict[tuple[JobKey, str], list[Letter]] = {}
    for letter in letters:
        bucket = letter.message.references[0].bucket if letter.message.references else ""
        groups.setdefault((letter.message.job, bucket), []).append(letter)
    return list(groups.values())


def _works(letters: Iterable[Letter]) -> list[Work]:
    """One work a message, however often it was delivered."""
    found: dict[tuple[int, int], Work] = {}
    for delivery, message in letters:
        place = message.chunk, message.request
        known = found.setdefault(place, Work(len(found), message, []))
        known.deliveries.append(delivery)
    return list(found.values())
