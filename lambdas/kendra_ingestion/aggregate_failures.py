"""AggregateFailures: one outcome for each planned document, the report of those that failed, and the counts.

Works chunk by chunk, reading ahead a little, so that memory does not grow with the job. What it settles in the ledger
and what it writes follow from the outcomes alone, so doing it again changes nothing.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from kendra_ingestion import report
from kendra_ingestion.assembly import job_of, ledger_of, workspace_of
from kendra_ingestion.documents import JobKey
from kendra_ingestion.outcomes import FAILED, Outcome, Tally, final, latest
from kendra_ingestion.settings import read_settings
from kendra_ingestion.telemetry import logger, metrics, tracer
from kendra_ingestion.workspace import Workspace
from shared.clock import Clock, SystemClock, utc_now

READ_AHEAD_CHUNKS = 4
ROWS_AT_ONCE = 1_000

NOTHING_PLANNED: Mapping[str, Any] = {"passes": 0, "planned": 0, "chunks": []}
"""The plan of a job that was stopped before it had one."""

Settle = Callable[[Sequence[Outcome]], None]
"""Takes a chunk's final outcomes; called from several threads."""

A = TypeVar("A")
B = TypeVar("B")


def aggregate(
    job: JobKey, started_at: str, *, workspace: Workspace, settle: Settle, pool: Executor, clock: Clock
) -> dict[str, Any]:
    """Settle the documents in the ledger, write failures.csv and summary.json, and return the counts. Raises LawBroken
    where they do not add up, before either is visible. `started_at` is in ISO 8601."""
    stopped = workspace.stopped()
    plan = (workspace.find_plan() or NOTHING_PLANNED) if stopped else workspace.plan()
    tally = Tally()
    with workspace.failures_writer() as csv:
        csv.write(report.header())
        rows: list[Outcome] = []
        for outcome in _outcomes(plan, workspace, settle, pool, stopped=stopped):
            tally.add(outcome)
            if outcome.outcome == FAILED:
                rows.append(outcome)
            if len(rows) == ROWS_AT_ONCE:
                csv.write(report.rows(job.job_id, rows))
                rows.clear()
        csv.write(report.rows(job.job_id, rows))
        counts = tally.counts(plan["planned"])
    finished_at = utc_now(clock).isoformat(timespec="milliseconds")
    workspace.save_summary(
        report.summary(
            **job._asdict(),
            started_at=started_at,
            prefix=workspace.manifest()["prefix"],
            finished_at=finished_at.replace("+00:00", "Z"),
            counts=counts,
            codes=tally.codes,
            stopped=stopped,
            retry=plan.get("retry"),
            report=workspace.failures_uri,
        )
    )
    logger.info("reported", counts=counts, stopped=stopped)
    return {
        "counts": counts,
        "stopped": stopped,
        "report": workspace.failures_uri,
        "summary": workspace.summary_uri,
        "subject": report.subject(job.job_id, counts, stopped=stopped),
        "message": report.message(
            job.job_id,
            counts,
            tally.codes,
            stopped=stopped,
            report=workspace.failures_uri,
            summary=workspace.summary_uri,
        ),
    }


def _outcomes(
    plan: Mapping[str, Any], workspace: Workspace, settle: Settle, pool: Executor, *, stopped: bool
) -> Iterator[Outcome]:
    for planning_pass in range(plan["passes"]):
        yield from workspace.planned_outcomes(planning_pass)
    for outcomes in _ahead(
        lambda chunk: _settled(chunk, workspace, settle, stopped=stopped), range(len(plan["chunks"])), pool
    ):
        yield from outcomes


def _settled(number: int, workspace: Workspace, settle: Settle, *, stopped: bool) -> list[Outcome]:
    """A chunk's final outcomes, which the ledger knows by then."""
    planned = [item["documentId"] for request in workspace.chunk(number)["requests"] for item in request]
    known = workspace.outcomes(number)
    outcomes = list(final(latest(planned, known.sends, known.verdicts), stopped=stopped))
    settle(outcomes)
    return outcomes


def _ahead(work: Callable[[A], B], items: Iterable[A], pool: Executor) -> Iterator[B]:
    """As `map`, with a few items worked on before they are asked for."""
    under_way: deque[Future[B]] = deque()
    for item in items:
        under_way.append(pool.submit(work, item))
        if len(under_way) > READ_AHEAD_CHUNKS:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    settings = read_settings(os.environ)
    job = job_of(event)
    with ThreadPoolExecutor(READ_AHEAD_CHUNKS + 1) as pool:
        return aggregate(
            job,
            event["startedAt"],
            workspace=workspace_of(settings, job),
            settle=ledger_of(settings, job).settle,
            pool=pool,
            clock=SystemClock(),
        )
