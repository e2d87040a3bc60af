"""Confirm: marks as searchable what a complete ingestion job has covered, charges the documents that failed in it, and
lets the items go of those that have left.

One call is one page of what waits for ingestion, or as much of it as its time allows. It needs no lease: a mark holds
the item that was read against the item that is there."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from incident_sync import assembly
from incident_sync.charging import charge
from incident_sync.coverage import Verdict, is_covered, looked_at_before, reason_of, verdict
from incident_sync.crew import THREADS, work_each
from incident_sync.events import Asked, cursor_of, page_of
from incident_sync.items import INGESTION, REMOVED, Entry
from incident_sync.knowledge_base import KnowledgeBase, Status
from incident_sync.marks import Marks
from incident_sync.memory import Memory
from incident_sync.outcomes import OF_CONFIRMATION, Outcome, by_its_item, counted
from incident_sync.queue import Place, Queue
from incident_sync.tables import Tables
from incident_sync.telemetry import logger, tracer
from shared.clock import Clock, SystemClock, stamp, stop_at, utc_now
from shared.dynamodb_errors import CONDITION_FAILED
from shared.settings import setting
from shared.store_errors import Overtaken, Refused

PAGE_MAX = 500
"""Some 300 KB of the 1 MB that a Query gives, and half a minute's work."""


class Plan(NamedTuple):
    """A page: where it begins, its incidents, and where the next one begins."""

    cursor: Place | None
    incidents: list[Place]
    after: Place | None


@dataclass(frozen=True)
class Means:
    """What a page is confirmed with."""

    queue: Queue
    tables: Tables
    marks: Marks
    memory: Memory
    knowledge_base: KnowledgeBase
    clock: Clock
    pool: Executor


class Confirmation:
    """One try of one page."""

    def __init__(self, asked: Asked, means: Means) -> None:
        self._asked = asked
        self._means = means
        self._name = f"confirm/{asked.run}"

    def go(self, *, stop_at: float) -> dict[str, Any]:
        """The answer. Raises StoreUnavailable."""
        plan, entries = self._recalled() or self._planned()
        done = [by_its_item(entry, written=Outcome.SEARCHABLE) for entry in entries if self._is_own(entry)]
        waiting = [entry for entry in entries if not self._is_own(entry) and self._is_covered(entry)]
        statuses = self._statuses(waiting)
        results = work_each(
            waiting,
            lambda entry: self._settle(entry, statuses.get(entry.incident_id)),
            pool=self._means.pool,
            clock=self._means.clock,
            stop_at=stop_at,
        )
        left = {entry.incident_id for entry, result in zip(waiting, results, strict=True) if result is None}
        answer: dict[str, Any] = counted([*done, *self._looked_up(waiting, results)], OF_CONFIRMATION)
        logger.info("confirmed", run=self._asked.run, job=self._asked.job.job_id, **answer)
        return answer | {"cursor": cursor_of(_stopped_before(plan, left))}

    def _recalled(self) -> tuple[Plan, list[Entry]] | None:
        """The plan of an earlier try of this page, and the items as they are now."""
        known = self._means.memory.recall(self._name)
        if known is None or known["cursor"] != self._cursor():
            return None
        plan = Plan(
            self._asked.cursor,
            [Place(*place) for place in known["incidents"]],
            Place(*known["after"]) if known["after"] else None,
        )
        entries = self._means.tables.entries(place.incident_id for place in plan.incidents)
        return plan, [entries[place.incident_id] for place in plan.incidents if place.incident_id in entries]

    def _planned(self) -> tuple[Plan, list[Entry]]:
        """A page of the index, written down before any of it is touched. What is stale in it will not be marked."""
        means = self._means
        before = looked_at_before(self._asked.requested_at)
        page = means.queue.page(INGESTION, before=before, limit=PAGE_MAX, after=self._asked.cursor)
        entries = [entry for entry in page.entries if self._is_covered(entry)]
        plan = Plan(self._asked.cursor, [Place(entry.since or "", entry.incident_id) for entry in entries], page.after)
        if entries:
            says = {"cursor": self._cursor(), "incidents": plan.incidents, "after": plan.after}
            means.memory.note(self._name, says, means.clock.wall())
        return plan, entries

    def _statuses(self, entries: Iterable[Entry]) -> dict[str, Status]:
        """What Bedrock says of each document; it need not be asked where none failed."""
        if not self._asked.job.any_failed:
            return {}
        return self._means.knowledge_base.statuses(entry.incident_id for entry in entries)

    def _settle(self, entry: Entry, status: Status | None) -> Outcome:
        found = verdict(entry, status)
        try:
            if found is Verdict.UNKNOWN:
                return Outcome.WAITING
            if found is Verdict.FAILED and status is not None:
                return self._charge(entry, reason_of(status))
            return self._release(entry) if entry.made == REMOVED else self._mark(entry)
        except Overtaken:
            return Outcome.OVERTAKEN
        except Refused as error:
            return self._charge(entry, str(error))

    def _mark(self, entry: Entry) -> Outcome:
        marks, asked = self._means.marks, self._asked
        try:
            self._means.tables.write(marks.covered(entry, job=asked.job.job_id, run=asked.run, at=self._now()))
        except Overtaken as error:
            if error.parts != [CONDITION_FAILED, "None"]:
                raise
            logger.warning("incident has lost its mark; it is written again", incident_id=entry.incident_id)
            self._means.tables.write(marks.lost(entry, at=self._now()))
            return Outcome.OVERTAKEN
        return Outcome.SEARCHABLE

    def _release(self, entry: Entry) -> Outcome:
        asked, now = self._asked, self._means.clock.wall()
        self._means.tables.write(self._means.marks.left(entry, job=asked.job.job_id, run=asked.run, now=now))
        return Outcome.REMOVED

    def _charge(self, entry: Entry, reason: str) -> Outcome:
        asked = self._asked
        logger.warning("document failed", incident_id=entry.incident_id, job=asked.job.job_id, reason=reason)
        mark = self._means.marks.failed_in_job(entry, reason, job=asked.job.job_id, run=asked.run, at=self._now())
        return charge(self._means.tables, entry, mark)

    def _looked_up(self, waiting: list[Entry], results: list[Outcome | None]) -> list[Outcome | None]:
        """The results; where somebody was faster it may have been an earlier try of this same page, which still ran."""
        overtaken = [
            entry.incident_id for entry, result in zip(waiting, results, strict=True) if result is Outcome.OVERTAKEN
        ]
        if not overtaken:
            return results
        found = self._means.tables.entries(overtaken).values()
        own = [by_its_item(entry, written=Outcome.SEARCHABLE) for entry in found if self._is_own(entry)]
        return [*(result for result in results if result is not Outcome.OVERTAKEN), *own]

    def _is_own(self, entry: Entry) -> bool:
        return entry.confirmed == self._asked.run

    def _is_covered(self, entry: Entry) -> bool:
        return entry.waits_for == INGESTION and is_covered(
            entry, run=self._asked.run, requested_at=self._asked.requested_at
        )

    def _cursor(self) -> list[str] | None:
        return list(self._asked.cursor) if self._asked.cursor else None

    def _now(self) -> str:
        return stamp(utc_now(self._means.clock))


def _stopped_before(plan: Plan, left: set[str]) -> Place | None:
    """Where the next page begins: behind the last incident before the first that was left."""
    place = plan.cursor
    for here in plan.incidents:
        if here.incident_id in left:
            return place
        place = here
    return plan.after


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    clock = SystemClock()
    knowledge_base = KnowledgeBase(
        assembly.bedrock_agent(),
        knowledge_base_id=setting("KNOWLEDGE_BASE_ID"),
        data_source_id=setting("DATA_SOURCE_ID"),
        bucket=setting("BUCKET"),
        prefix=setting("INCIDENT_PREFIX"),
        clock=clock,
    )
    with ThreadPoolExecutor(THREADS) as pool:
        means = Means(
            assembly.queue(), assembly.tables(clock), assembly.marks(), assembly.memory(), knowledge_base, clock, pool
        )
        return Confirmation(page_of(event), means).go(stop_at=stop_at(context, clock))
