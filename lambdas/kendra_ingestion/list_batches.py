"""ListBatches: list the folder, pair and check what is in it, and write the run's plan as chunks.

One invocation is one pass. A pass that sees its time running low stops after a page of the listing and
returns a cursor, the number of the next pass; what that pass needs lies in the work area. The last one publishes the
plan. A run has one plan, so one that an earlier attempt published is taken as it is."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from itertools import compress
from typing import Any, NamedTuple

from kendra_ingestion import aws
from kendra_ingestion.assembly import job_of, ledger_of, workspace_of
from kendra_ingestion.brake import Brake
from kendra_ingestion.catalogue import Catalogue, line
from kendra_ingestion.documents import Chunk, Document
from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.folder import Folder
from kendra_ingestion.ledger import AT_ONCE, Entry
from kendra_ingestion.metadata import METADATA_MAX_BYTES
from kendra_ingestion.packing import Limits, limits_of
from kendra_ingestion.pairing import Found, Listed, Pairing
from kendra_ingestion.planning import CHANGED, FULL, Plan, unpaired
from kendra_ingestion.reading import read_document, too_large
from kendra_ingestion.retrying import Retry
from kendra_ingestion.settings import read_settings
from kendra_ingestion.telemetry import count, logger, metrics, tracer
from kendra_ingestion.workspace import Workspace
from shared.batching import cut
from shared.clock import Clock, SystemClock, stop_at
from shared.object_writer import ObjectWriter

NOTHING: Mapping[str, Any] = {"planned": 0, "failed": 0, "unchanged": 0, "chunks": []}
"""What a pass answers that was stopped: without a plan nothing is planned."""

LENGTH = struct.Struct(">Q")


class Job(NamedTuple):
    """What one pass works on. `retry_of` names the job whose failed documents alone are planned."""

    bucket: str
    prefix: str
    attempt: str
    planning_pass: int = 0
    mode: str = FULL
    retry_of: str | None = None

    @property
    def folder(self) -> str:
        """The folder's name among all folders."""
        return f"{self.bucket}/{self.prefix}"


class Means(NamedTuple):
    """What a pass works with. `known` asks the ledger for up to `ledger.AT_ONCE` ids; several threads call it."""

    folder: Folder
    workspace: Workspace
    known: Callable[[Sequence[str]], Mapping[str, Entry]]
    limits: Limits
    pool: Executor
    clock: Clock


@dataclass
class Progress:
    """How far planning is: all that one pass hands to the next. `after` is the last key of the listing so far."""

    plan: Plan
    pairing: Pairing
    retry: Retry | None
    catalogue: Catalogue
    after: str | None = None


class Books(NamedTuple):
    """Where a pass writes: the outcomes of what is in no chunk, and what it read of the folder."""

    outcomes: ObjectWriter
    catalogue: ObjectWriter


class End(Enum):
    """Why a pass ended."""

    COMPLETE = auto()
    OUT_OF_TIME = auto()
    STOPPED = auto()


def plan(job: Job, means: Means, *, stop_at: float) -> dict[str, Any]:
    """Plan until the folder ends, the time does, or somebody stops the job; at least one page of the listing."""
    workspace = means.workspace
    brake = Brake(workspace.stopped, means.clock)
    if brake.pulled():
        return _answer(NOTHING)
    first = job.planning_pass == 0
    if first and (published := workspace.find_plan()) is not None:
        logger.info("planned before", attempt=published["attempt"])
        return _answer(published)
    progress = _begin(job, means) if first else _resume(job, means)
    number = job.planning_pass
    with workspace.planned_outcomes_writer(number) as outcomes, workspace.catalogue_writer(number) as catalogue:
        end = _plan_pages(job, progress, means, Books(outcomes, catalogue), brake, stop_at)
    if end is End.STOPPED:
        return _answer(NOTHING)
    return _publish(job, progress, workspace) if end is End.COMPLETE else _pause(job, progress, workspace)


def _begin(job: Job, means: Means) -> Progress:
    retry = None
    if job.retry_of is not None:
        report, summary = means.workspace.report_lines(job.retry_of), means.workspace.report_summary(job.retry_of)
        retry = Retry.of(job.retry_of, report, summary["startedAt"])
    plan = Plan(job.bucket, means.workspace.deletes(), means.limits)
    return Progress(plan, Pairing(), retry, _catalogue(job, means.workspace))


def _resume(job: Job, means: Means) -> Progress:
    state, ids = means.workspace.plan_state(job.planning_pass - 1)
    (length,) = LENGTH.unpack_from(ids)
    seen, failed = ids[LENGTH.size : LENGTH.size + length], ids[LENGTH.size + length :]
    return Progress(
        Plan.resume(job.bucket, means.workspace.deletes(), means.limits, state, seen),
        Pairing(state["waiting"]),
        Retry.resume(state["retry"], failed) if state["retry"] else None,
        _catalogue(job, means.workspace),
        state["after"],
    )


def _catalogue(job: Job, workspace: Workspace) -> Catalogue:
    """What need not be read again. Only a job that skips what is unchanged can do without the metadata's other fields;
    one that retries must know what is wrong with a file now."""
    skips = job.mode == CHANGED and job.retry_of is None
    return Catalogue(workspace.catalogue(job.folder) if skips else ())


def _pause(job: Job, progress: Progress, workspace: Workspace) -> dict[str, Any]:
    plan, retry = progress.plan, progress.retry
    state = plan.state() | {
        "after": progress.after,
        "waiting": progress.pairing.waiting,
        "retry": retry.state() if retry else None,
    }
    seen = plan.seen.packed()
    ids = b"".join([LENGTH.pack(len(seen)), seen, retry.packed() if retry else b""])
    workspace.save_plan_state(job.planning_pass, state, ids)
    logger.info("planning goes on", planned=plan.planned, failed=plan.failed, chunks=len(plan.chunks))
    return _answer(state | {"chunks": []}, cursor=job.planning_pass + 1)


def _publish(job: Job, progress: Progress, workspace: Workspace) -> dict[str, Any]:
    plan = progress.plan
    summary = {
        "attempt": job.attempt,
        "passes": job.planning_pass + 1,
        "planned": plan.planned,
        "failed": plan.failed,
        "unchanged": plan.unchanged,
        "chunks": plan.chunks,
    }
    if progress.retry:
        summary["retry"] = progress.retry.summary()
    count("DocumentsPlanned", plan.planned)
    count("DocumentsUnchanged", plan.unchanged)
    count("DocumentsFailed", plan.failed)
    logger.info("planned", planned=plan.planned, failed=plan.failed, unchanged=plan.unchanged, chunks=len(plan.chunks))
    if not progress.retry:
        workspace.publish_catalogue(job.folder, job.planning_pass + 1)
    return _answer(workspace.publish_plan(summary))


def _answer(plan: Mapping[str, Any], *, cursor: int | None = None) -> dict[str, Any]:
    return {
        "cursor": cursor,
        "done": cursor is None,
        "chunks": list(range(len(plan["chunks"]))),
        "planned": plan["planned"],
        "failed": plan["failed"],
        "unchanged": plan["unchanged"],
    }


def _plan_pages(job: Job, progress: Progress, means: Means, books: Books, brake: Brake, stop_at: float) -> End:
    plan, pairing = progress.plan, progress.pairing

    def save(chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            means.workspace.save_chunk(chunk)
        books.outcomes.write(plan.take_outcomes())

    for number, page in enumerate(_ahead(means.folder.pages(job.prefix, progress.after), means.pool)):
        if number and means.clock.monotonic() >= stop_at:
            return End.OUT_OF_TIME
        if brake.pulled():
            return End.STOPPED
        save(_put(pairing.feed(page), job, progress, means, books))
        progress.after = page[-1].key if page else progress.after
    save(_put(pairing.finish(), job, progress, means, books))
    save(plan.end_of_folder())
    save(_delete(progress))
    return End.COMPLETE


def _ahead(pages: Iterator[list[Listed]], pool: Executor) -> Iterator[list[Listed]]:
    """The same pages; the next one is fetched while one is worked on."""
    upcoming = pool.submit(next, pages, None)
    while (page := upcoming.result()) is not None:
        upcoming = pool.submit(next, pages, None)
        yield page


def _put(found: Iterable[Found], job: Job, progress: Progress, means: Means, books: Books) -> Iterator[Chunk]:
    """Plan what was found, in its order; metadata and ledger are read many at once, and of what the catalogue and the
    ledger both know as it is, nothing."""
    plan, retry = progress.plan, progress.retry
    items = list(found)
    unread = _unchanged_unread(items, progress, means)
    documents = list(means.pool.map(lambda item, known: known or _document(item, means.folder), items, unread))
    wanted = [
        retry is None or retry.wants(item, _id(document), job.bucket)
        for item, document in zip(items, documents, strict=True)
    ]
    asked = [planned and known is None for planned, known in zip(wanted, unread, strict=True)]
    entries = _known(_ids(compress(documents, asked)), means) if job.mode == CHANGED else {}
    for item, document, planned, known in zip(items, documents, wanted, unread, strict=True):
        if retry is None and not isinstance(document, DocumentInvalid):
            books.catalogue.write(line(item, document["documentId"]))
        if not planned:
            plan.pass_over(document)
        elif isinstance(document, DocumentInvalid):
            plan.refuse(item.key, document)
        elif known or ((entry := entries.get(document["documentId"])) and entry.has(document["digest"])):
            plan.keep(document)
        else:
            yield from plan.put(document)


def _unchanged_unread(items: Sequence[Found], progress: Progress, means: Means) -> list[Document | None]:
    """The documents that are unchanged, as far as that can be said without reading their metadata."""
    ids = [progress.catalogue.id_of(item) for item in items]
    entries = _known([document_id for document_id in ids if document_id is not None], means)
    return [
        {"documentId": document_id, "key": item.key, "digest": item.digest}
        if document_id is not None and (entry := entries.get(document_id)) and entry.has(item.digest)
        else None
        for item, document_id in zip(items, ids, strict=True)
    ]


def _delete(progress: Progress) -> Iterator[Chunk]:
    plan, retry = progress.plan, progress.retry
    for document_id in plan.deletes:
        if retry is None or retry.wants_delete(document_id, held=document_id in plan.put_deletes):
            yield from plan.delete(document_id)
    yield from plan.end_of_deletes()


def _known(ids: Sequence[str], means: Means) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for some in means.pool.map(means.known, cut(ids, AT_ONCE)):
        entries |= some
    return entries


def _ids(documents: Iterable[Document | DocumentInvalid]) -> list[str]:
    return [document["documentId"] for document in documents if not isinstance(document, DocumentInvalid)]


def _id(document: Document | DocumentInvalid) -> str | None:
    return document.document_id if isinstance(document, DocumentInvalid) else document["documentId"]


def _document(found: Found, folder: Folder) -> Document | DocumentInvalid:
    if found.metadata is None:
        return unpaired(found)
    if found.metadata.size > METADATA_MAX_BYTES:
        return too_large(found.metadata.size)
    return read_document(
        folder, key=found.key, metadata_key=found.metadata.key, size=found.document.size, digest=found.digest
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    settings, clock = read_settings(os.environ), SystemClock()
    key = job_of(event)
    with ThreadPoolExecutor(aws.CONNECTIONS) as pool:
        return plan(
            Job(event["bucket"], event["prefix"], key.attempt, event["cursor"] or 0, event["mode"], event["retryOf"]),
            Means(
                folder=Folder(aws.s3(), event["bucket"]),
                workspace=workspace_of(settings, key),
                known=ledger_of(settings, key).known,
                limits=limits_of(settings.sink),
                pool=pool,
                clock=clock,
            ),
            stop_at=stop_at(context, clock),
        )
