"""ListBatches: list the folder, pair and check what is in it, and write the run's plan as chunks.

One invocation is one pass. A pass that sees its time running low stops after a page of the listing and
returns a cursor, the number of the next pass; what that pass needs lies in the work area."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, NamedTuple

from kendra_ingestion import aws
from kendra_ingestion.clock import Clock, SystemClock, stop_at
from kendra_ingestion.documents import Chunk, Document
from kendra_ingestion.errors import DocumentInvalid, ObjectUnreadable
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.folder import Folder
from kendra_ingestion.metadata import METADATA_MAX_BYTES
from kendra_ingestion.metadata import read as read_metadata
from kendra_ingestion.pairing import METADATA_SUFFIX, Found, Pairing
from kendra_ingestion.planning import Plan, unpaired
from kendra_ingestion.settings import read_settings
from kendra_ingestion.telemetry import count, logger, metrics, tracer
from kendra_ingestion.workspace import Workspace


class Job(NamedTuple):
    """What one pass works on."""

    bucket: str
    prefix: str
    planning_pass: int


def plan(
    job: Job, *, folder: Folder, workspace: Workspace, pool: Executor, clock: Clock, stop_at: float
) -> dict[str, Any]:
    """Plan until the folder ends or the time does; at least one page of the listing."""
    plan, pairing, after = _resume(job, workspace)
    done = False
    with workspace.planned_failures_writer(job.planning_pass) as failures:
        for number, page in enumerate(folder.pages(job.prefix, after)):
            if number and clock.monotonic() >= stop_at:
                break
            for chunk in _put(plan, pairing.feed(page), folder, pool):
                workspace.save_chunk(chunk)
            failures.write(plan.take_failures())
            after = page[-1][0] if page else after
        else:
            done = True
            for chunk in (*_put(plan, pairing.finish(), folder, pool), *plan.end_of_folder()):
                workspace.save_chunk(chunk)
            failures.write(plan.take_failures())
    if done:
        return _finished(job, plan, workspace)
    state = plan.state() | {"after": after, "waiting": pairing.waiting}
    workspace.save_plan(job.planning_pass, state, plan.seen.packed())
    logger.info("planning goes on", planned=plan.planned, failed=plan.failed, chunks=len(plan.chunks))
    return _answer(plan, cursor=job.planning_pass + 1, chunks=[])


def _resume(job: Job, workspace: Workspace) -> tuple[Plan, Pairing, str | None]:
    deletes = workspace.deletes()
    if job.planning_pass == 0:
        return Plan(job.bucket, deletes), Pairing(), None
    state, ids = workspace.plan_state(job.planning_pass - 1)
    return Plan.resume(job.bucket, deletes, state, ids), Pairing(state["waiting"]), state["after"]


def _finished(job: Job, plan: Plan, workspace: Workspace) -> dict[str, Any]:
    summary = {
        "passes": job.planning_pass + 1,
        "planned": plan.planned,
        "failed": plan.failed,
        "chunks": plan.chunks,
    }
    workspace.save_plan(job.planning_pass, summary)
    count("DocumentsPlanned", plan.planned)
    count("DocumentsFailed", plan.failed)
    logger.info("planned", planned=plan.planned, failed=plan.failed, chunks=len(plan.chunks))
    return _answer(plan, cursor=None, chunks=list(range(len(plan.chunks))))


def _answer(plan: Plan, *, cursor: int | None, chunks: list[int]) -> dict[str, Any]:
    return {
        "cursor": cursor,
        "done": cursor is None,
        "chunks": chunks,
        "planned": plan.planned,
        "failed": plan.failed,
    }


def _put(plan: Plan, found: Iterable[Found], folder: Folder, pool: Executor) -> Iterator[Chunk]:
    """Plan what was found, in its order; the metadata files are read many at once."""
    items = list(found)
    for item, document in zip(items, pool.map(lambda item: _document(item, folder), items), strict=True):
        if isinstance(document, DocumentInvalid):
            plan.refuse(item.key, document)
        else:
            yield from plan.put(document)


def _document(found: Found, folder: Folder) -> Document | DocumentInvalid:
    if found.problem is not None:
        return unpaired(found)
    if found.metadata_size > METADATA_MAX_BYTES:
        return _too_large(found.metadata_size)
    try:
        body = folder.read(found.key + METADATA_SUFFIX, METADATA_MAX_BYTES)
        if len(body) > METADATA_MAX_BYTES:
            return _too_large(len(body))
        return read_metadata(body, bucket=folder.bucket, key=found.key, size=found.size)
    except ObjectUnreadable as error:
        return DocumentInvalid(FailureCode.UNREADABLE, str(error))
    except DocumentInvalid as error:
        return error


def _too_large(size: int) -> DocumentInvalid:
    return DocumentInvalid(
        FailureCode.METADATA_INVALID,
        f"the metadata has {size:,} bytes or more; at most {METADATA_MAX_BYTES:,}",
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    settings, clock = read_settings(os.environ), SystemClock()
    logger.append_keys(jobId=event["jobId"], run=event["run"])
    with ThreadPoolExecutor(aws.S3_CONNECTIONS) as pool:
        return plan(
            Job(event["bucket"], event["prefix"], event["cursor"] or 0),
            folder=Folder(aws.s3(), event["bucket"]),
            workspace=Workspace(aws.s3(), settings.reports_bucket, job_id=event["jobId"], run=event["run"]),
            pool=pool,
            clock=clock,
            stop_at=stop_at(context, clock),
        )
