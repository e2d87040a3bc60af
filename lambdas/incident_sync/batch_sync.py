"""BatchSync: one pass. Writes or removes the objects of up to 50 incidents, those that have waited the longest, and
marks them.

Each incident is worked in this order: its objects, then one transaction that marks it. docs/incident_sync.md has the
law that this keeps."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from incident_sync import assembly
from incident_sync.bucket import Bucket
from incident_sync.charging import charge
from incident_sync.crew import THREADS, work_each
from incident_sync.documents import document, is_object_name
from incident_sync.errors import EventInvalid, IncidentInvalid, PassBusy, StoreUnavailable
from incident_sync.events import pass_of
from incident_sync.fields import Fields, read_fields
from incident_sync.incidents import Item, is_closed
from incident_sync.items import INGESTION, SYNC, Entry, Work
from incident_sync.marks import Marks
from incident_sync.memory import Lease, Memory
from incident_sync.outcomes import OF_PASS, Outcome, by_its_item, counted
from incident_sync.queue import Queue
from incident_sync.tables import Tables
from incident_sync.telemetry import logger, tracer
from shared.clock import Clock, SystemClock, seconds_left, stamp, stop_at, utc_now
from shared.store_errors import Overtaken, Refused

PASS_MAX = 50
"""Incidents of a pass: with their items they are as many keys as one BatchGetItem reads."""

GRACE_SECONDS = 10
"""How much longer than its invocation a lease lasts: the clocks of two functions differ by less."""


class Plan(NamedTuple):
    """What a pass set out to do. `more` says whether others wait behind these, `uncovered` whether an earlier pass of
    this run left something for a job."""

    incidents: list[str]
    more: bool
    uncovered: bool


@dataclass(frozen=True)
class Means:
    """What a pass is made with."""

    queue: Queue
    tables: Tables
    marks: Marks
    memory: Memory
    bucket: Bucket
    fields: Fields
    clock: Clock
    pool: Executor


class Pass:
    """One try of one pass of a run that began at `started_at`."""

    def __init__(self, work: Work, started_at: datetime, means: Means) -> None:
        self._work = work
        self._started_at = stamp(started_at)
        self._means = means
        self._name = f"pass/{work.run}"

    def go(self, *, stop_at: float, until: float) -> dict[str, Any]:
        """The answer. Raises PassBusy while another pass is at work, and StoreUnavailable where the reason is no
        incident's; then the lease is given back, unless a write may still take effect."""
        lease = Lease(self._work, until)
        try:
            self._means.memory.take(lease, self._means.clock.wall())
        except PassBusy:
            if answer := self._recalled()[0]:
                return answer
            raise
        except StoreUnavailable:
            # The lease may be ours all the same: the answer that says so was lost.
            self._give_back(lease)
            raise
        try:
            return self._answer(lease, stop_at)
        except Exception:
            self._give_back(lease)
            raise

    def _answer(self, lease: Lease, stop_at: float) -> dict[str, Any]:
        answer, plan, uncovered = self._recalled()
        if answer:
            self._means.memory.give_back(lease)
            return answer
        if plan is None:
            plan = self._plan(uncovered)
        outcomes = self._work_all(plan.incidents, stop_at)
        answer = self._told(plan, outcomes)
        says = {"pass": self._work.number, "answer": answer}
        self._means.memory.end(lease, self._name, says, self._means.clock.wall())
        logger.info("pass ended", run=self._work.run, number=self._work.number, **answer)
        return answer

    def _recalled(self) -> tuple[dict[str, Any] | None, Plan | None, bool]:
        """What is known of this pass from an earlier try: its answer, or its plan; and of the run's pass before,
        whether it left something for a job."""
        known = self._means.memory.recall(self._name)
        if known is None:
            return None, None, False
        if known["pass"] > self._work.number:
            raise EventInvalid(f"pass {self._work.number} of this run is over: pass {known['pass']} has begun")
        answer: dict[str, Any] | None = known.get("answer")
        if known["pass"] < self._work.number:
            return None, None, bool(answer and answer["uncovered"])
        return answer, None if answer else Plan(**known["plan"]), False

    def _plan(self, uncovered: bool) -> Plan:
        """Choose what to work, and write it down before any of it is touched."""
        queue, before = self._means.queue, self._started_at
        page = queue.page(SYNC, before=before, limit=PASS_MAX)
        more = page.after is not None and queue.is_waiting(SYNC, before=before, after=page.after)
        plan = Plan([entry.incident_id for entry in page.entries], more, uncovered)
        if plan.incidents:
            says = {"pass": self._work.number, "plan": plan._asdict()}
            self._means.memory.note(self._name, says, self._means.clock.wall())
        return plan

    def _work_all(self, incident_ids: list[str], stop_at: float) -> list[Outcome | None]:
        """What became of each incident, None for those that were not begun. Those that the index shows and that wait no
        more have no part in it."""
        means = self._means
        entries, incidents = means.tables.read(incident_ids, means.fields) if incident_ids else ({}, {})
        done = [by_its_item(entry, written=Outcome.SYNCED) for entry in entries.values() if entry.work == self._work]
        waiting = [
            entry
            for incident_id in incident_ids
            if (entry := entries.get(incident_id))
            and entry.work != self._work
            and entry.is_waiting(SYNC, self._started_at)
        ]
        results = work_each(
            waiting,
            lambda entry: self._work_one(entry, incidents.get(entry.incident_id)),
            pool=means.pool,
            clock=means.clock,
            stop_at=stop_at,
        )
        return [*done, *results]

    def _work_one(self, entry: Entry, incident: Item | None) -> Outcome:
        try:
            if incident is not None and is_closed(incident):
                return self._write(entry, incident)
            return self._remove(entry, incident)
        except Overtaken:
            logger.info("incident overtaken", incident_id=entry.incident_id)
            return Outcome.OVERTAKEN
        except StoreUnavailable:
            raise
        except IncidentInvalid as error:
            return self._charge(entry, str(error), for_good=True)
        except Refused as error:
            return self._charge(entry, str(error), for_good=False)
        except Exception as error:
            # Whatever it is, it is this incident that meets it, and must not keep the others waiting for ever.
            return self._charge(entry, f"{type(error).__name__} at {_place(error)}", for_good=False)

    def _write(self, entry: Entry, incident: Item) -> Outcome:
        means = self._means
        key = means.bucket.put(document(incident, means.fields))
        means.tables.write(means.marks.written(entry, incident, means.fields, work=self._work, at=self._now(), key=key))
        return Outcome.SYNCED

    def _remove(self, entry: Entry, incident: Item | None) -> Outcome:
        means = self._means
        if is_object_name(entry.incident_id):
            means.bucket.remove(entry.incident_id)
        means.tables.write(means.marks.removed(entry, incident, means.fields, work=self._work, at=self._now()))
        return Outcome.REMOVED

    def _charge(self, entry: Entry, reason: str, *, for_good: bool) -> Outcome:
        logger.warning("incident not synced", incident_id=entry.incident_id, reason=reason)
        mark = self._means.marks.failed(entry, reason, work=self._work, at=self._now(), for_good=for_good)
        return charge(self._means.tables, entry, mark, for_good=for_good)

    def _told(self, plan: Plan, outcomes: Sequence[Outcome | None]) -> dict[str, Any]:
        answer: dict[str, Any] = counted(outcomes, OF_PASS)
        answer["more"] = plan.more or None in outcomes
        answer["uncovered"] = (
            plan.uncovered or answer["synced"] + answer["removed"] > 0 or self._means.queue.is_waiting(INGESTION)
        )
        return answer

    def _now(self) -> str:
        """Never before the run began, whatever the clocks say: what this run marked, it must not find again."""
        return max(stamp(utc_now(self._means.clock)), self._started_at)

    def _give_back(self, lease: Lease) -> None:
        if self._means.bucket.in_doubt:
            logger.warning("a write was not answered; the lease is kept until it certainly has ended")
            return
        try:
            self._means.memory.give_back(lease)
        except (PassBusy, StoreUnavailable) as error:
            logger.warning("the lease could not be given back; it ends by itself", reason=str(error))


def _place(error: Exception) -> str:
    """Where an error was raised. Its message may hold the incident's text, so it is left out."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    clock = SystemClock()
    until = clock.wall() + seconds_left(context) + GRACE_SECONDS
    with ThreadPoolExecutor(THREADS) as pool:
        means = Means(
            assembly.queue(),
            assembly.tables(clock),
            assembly.marks(),
            assembly.memory(),
            assembly.bucket(),
            read_fields(os.environ),
            clock,
            pool,
        )
        return Pass(*pass_of(event), means).go(stop_at=stop_at(context, clock), until=until)
