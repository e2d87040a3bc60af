"""AggregateFailures: one outcome for each planned document, the report of those that failed, and the counts.

Works chunk by chunk, reading ahead a little, so that memory does not grow with the job.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from kendra_ingestion import aws, report
from kendra_ingestion.clock import Clock, SystemClock
from kendra_ingestion.outcomes import FAILED, Outcome, Tally, final, latest
from kendra_ingestion.settings import read_settings
from kendra_ingestion.telemetry import logger, metrics, tracer
from kendra_ingestion.workspace import Workspace

READ_AHEAD_CHUNKS = 4
ROWS_AT_ONCE = 1_000

A = TypeVar("A")
B = TypeVar("B")


def aggregate(
    job_id: str, run: str, started_at: str, *, workspace: Workspace, pool: Executor, clock: Clock
) -> dict[str, Any]:
    """Write failures.csv and summary.json, and return the counts. Raises LawBroken where they do not add up,
    before either is visible."""
    plan = workspace.plan()
    tally = Tally()
    with workspace.failures_writer() as csv:
        csv.write(report.header())
        rows: list[Outcome] = []
        for outcome in _outcomes(plan, workspace, pool):
            tally.add(outcome)
            if outcome.outcome == FAILED:
                rows.append(outcome)
            if len(rows) == ROWS_AT_ONCE:
                csv.write(report.rows(job_id, rows))
                rows.clear()
        csv.write(report.rows(job_id, rows))
        counts = tally.counts(plan["planned"])
    finished_at = datetime.fromtimestamp(clock.wall(), UTC).isoformat(timespec="milliseconds")
    workspace.save_summary(
        report.summary(
            job_id=job_id,
            run=run,
            started_at=started_at,
            finished_at=finished_at.replace("+00:00", "Z"),
            counts=counts,
            codes=tally.codes,
            report=workspace.failures_uri,
        )
    )
    logger.info("reported", counts=counts)
    return {
        "counts": counts,
        "report": workspace.failures_uri,
        "summary": workspace.summary_uri,
        "subject": report.subject(job_id, counts),
        "message": report.message(
            job_id, counts, tally.codes, report=workspace.failures_uri, summary=workspace.summary_uri
        ),
    }


def _outcomes(plan: dict[str, Any], workspace: Workspace, pool: Executor) -> Iterator[Outcome]:
    for planning_pass in range(plan["passes"]):
        yield from workspace.planned_failures(planning_pass)
    for known in _ahead(lambda chunk: _known(chunk, workspace), range(len(plan["chunks"])), pool):
        yield from final(known)


def _known(number: int, workspace: Workspace) -> dict[str, Outcome | None]:
    planned = [item["documentId"] for request in workspace.chunk(number)["requests"] for item in request]
    sends, verdicts = workspace.outcomes(number)
    return latest(planned, sends, (outcome for turn in sorted(verdicts) for outcome in verdicts[turn]))


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
    logger.append_keys(jobId=event["jobId"], run=event["run"])
    with ThreadPoolExecutor(READ_AHEAD_CHUNKS + 1) as pool:
        return aggregate(
            event["jobId"],
            event["run"],
            event["startedAt"],
            workspace=Workspace(aws.s3(), settings.reports_bucket, job_id=event["jobId"], run=event["run"]),
            pool=pool,
            clock=SystemClock(),
        )
