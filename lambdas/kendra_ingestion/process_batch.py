"""ProcessBatch: send one chunk's requests, and write one outcome a document.

Outcomes are written in parts of 25 requests. The part that a request belongs to follows from the chunk and
the cursor alone, so a retried invocation overwrites its own parts; what an earlier invocation already wrote
is not sent again."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from kendra_ingestion import aws
from kendra_ingestion.calling import CALLS_UNDER_WAY, Calls, Means, Piece, Reply, patiently
from kendra_ingestion.clock import SystemClock, stop_at
from kendra_ingestion.documents import Action, Document
from kendra_ingestion.errors import DocumentInvalid, SinkError, SinkQuotaExceeded
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.kendra import KendraSink
from kendra_ingestion.metadata import AttributeType, check_attributes
from kendra_ingestion.outcomes import FAILED, SENT, Outcome, failed
from kendra_ingestion.pacing import Pacer
from kendra_ingestion.settings import read_settings
from kendra_ingestion.sink import Rejected, Sink
from kendra_ingestion.telemetry import count, duration, logger, metrics, tracer
from kendra_ingestion.workspace import Workspace

PART_REQUESTS = 25
"""At most so many requests are sent again when an invocation dies."""

REJECTION_RETRIES = 4
"""How often a document that the sink rejected for a fault of its own is tried again."""


class Progress:
    """Which outcomes of a chunk are known, and which parts of them are still to be written."""

    def __init__(self, requests: Sequence[Sequence[Document]], start: int) -> None:
        self._requests = requests
        self._start = start
        self._known: dict[str, Outcome] = {}
        self._request_of = {
            document["documentId"]: number for number, request in enumerate(requests) for document in request
        }
        self._missing = [len(request) for request in requests]
        self._dirty: set[int] = set()

    def add(self, outcomes: Iterable[Outcome], *, saved: bool = False) -> None:
        """Take outcomes; `saved` ones come from the work area."""
        for outcome in outcomes:
            request = self._request_of.get(outcome.document_id)
            if request is None or outcome.document_id in self._known:
                continue
            self._known[outcome.document_id] = outcome
            self._missing[request] -= 1
            if not saved:
                self._dirty.add(self._part_of(request))

    def unsent(self) -> Iterator[Piece[Document]]:
        """What is left to send, in order, from the cursor on."""
        for number in range(self._start, len(self._requests)):
            left = tuple(item for item in self._requests[number] if item["documentId"] not in self._known)
            if left:
                yield Piece(number, left)

    def full_parts(self) -> Iterator[tuple[int, list[Outcome]]]:
        """The parts that are complete and not yet written."""
        for part in sorted(self._dirty):
            if not any(self._missing[number] for number in self._requests_of(part)):
                yield self._take(part)

    def rest(self) -> Iterator[tuple[int, list[Outcome]]]:
        """All that is not yet written, complete or not."""
        for part in sorted(self._dirty):
            yield self._take(part)

    def cursor(self) -> int | None:
        """The first request with a document that has no outcome; None when there is none."""
        unfinished = (number for number in range(self._start, len(self._requests)) if self._missing[number])
        return next(unfinished, None)

    def _take(self, part: int) -> tuple[int, list[Outcome]]:
        self._dirty.discard(part)
        ids = [item["documentId"] for number in self._requests_of(part) for item in self._requests[number]]
        return part, [self._known[document_id] for document_id in ids if document_id in self._known]

    def _part_of(self, request: int) -> int:
        return max(self._start, request - request % PART_REQUESTS)

    def _requests_of(self, part: int) -> range:
        end = part - part % PART_REQUESTS + PART_REQUESTS
        return range(part, min(end, len(self._requests)))


class Sending:
    """Sends the requests of one chunk and turns what the sink says into outcomes."""

    def __init__(self, action: Action, sink: Sink, means: Means) -> None:
        self._calls: Calls[Document, list[Rejected]] = Calls(
            sink.put if action == "put" else lambda items: sink.delete([item["documentId"] for item in items]),
            means,
        )
        self._rejections: Counter[str] = Counter()

    def send(self, pieces: Iterable[Piece[Document]], *, stop_at: float) -> Iterator[list[Outcome]]:
        """Yield outcomes as they become known. Raises as `Calls.run` does."""
        for reply in self._calls.run(pieces, stop_at=stop_at):
            duration("SendDuration", reply.seconds)
            yield self._outcomes(reply)

    def _outcomes(self, reply: Reply[Document, list[Rejected]]) -> list[Outcome]:
        if reply.refusal is not None:
            full = isinstance(reply.refusal, SinkQuotaExceeded)
            code = FailureCode.QUOTA_EXCEEDED if full else FailureCode.REFUSED
            return [failed(reply.piece.items[0]["documentId"], code, str(reply.refusal))]
        rejected = {item.document_id: item for item in reply.answer or ()}
        retried = self._retry(reply.piece, rejected)
        return [
            failed(document_id, rejected[document_id].code, rejected[document_id].message)
            if document_id in rejected
            else Outcome(document_id, SENT)
            for document_id in (item["documentId"] for item in reply.piece.items)
            if document_id not in retried
        ]

    def _retry(self, piece: Piece[Document], rejected: Mapping[str, Rejected]) -> set[str]:
        """Try those again that the sink rejected for a fault of its own."""
        passing = {item.document_id for item in rejected.values() if item.passing}
        self._rejections.update(passing)
        again = {document_id for document_id in passing if self._rejections[document_id] <= REJECTION_RETRIES}
        items = tuple(item for item in piece.items if item["documentId"] in again)
        return again if items and self._calls.again(piece._replace(items=items)) else set()


def process(
    number: int, cursor: int | None, *, sink: Sink, workspace: Workspace, means: Means, stop_at: float
) -> dict[str, Any]:
    """Send a chunk from the cursor on. Raises SinkThrottled, SinkUnavailable or SinkMisconfigured after it
    has written what became known before."""
    chunk = workspace.chunk(number)
    progress = Progress(chunk["requests"], start=cursor or 0)
    progress.add(workspace.outcomes(number)[0], saved=True)
    if chunk["action"] == "put":
        types = patiently(sink.attribute_types, means)
        progress.add(_unfit(progress.unsent(), types))
    sending = Sending(chunk["action"], sink, means)
    try:
        for outcomes in sending.send(progress.unsent(), stop_at=stop_at):
            progress.add(outcomes)
            _save(number, progress.full_parts(), workspace)
    except SinkError:
        _save(number, progress.rest(), workspace)
        raise
    _save(number, progress.rest(), workspace)
    cursor = progress.cursor()
    return {"chunk": number, "cursor": cursor, "done": cursor is None}


def _unfit(pieces: Iterable[Piece[Document]], types: Mapping[str, AttributeType]) -> list[Outcome]:
    """The failures of documents whose attributes the index would not take."""
    unfit = []
    for document in (document for piece in pieces for document in piece.items):
        try:
            check_attributes(document["attributes"], types)
        except DocumentInvalid as error:
            unfit.append(failed(document["documentId"], error.code, error.message))
    return unfit


def _save(number: int, parts: Iterable[tuple[int, list[Outcome]]], workspace: Workspace) -> None:
    for first_request, outcomes in parts:
        workspace.save_sends(number, first_request, outcomes)
        bad = sum(outcome.outcome == FAILED for outcome in outcomes)
        count("DocumentsSent", len(outcomes) - bad)
        count("DocumentsFailed", bad)
        logger.info("sent", chunk=number, firstRequest=first_request, sent=len(outcomes) - bad, failed=bad)


@cache
def pacer(share: float) -> Pacer:
    """This worker's pacer. It outlives the invocation: the next chunk begins at the rate that this one
    learnt."""
    return Pacer(share)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    settings, clock = read_settings(os.environ), SystemClock()
    logger.append_keys(jobId=event["jobId"], run=event["run"])
    with ThreadPoolExecutor(CALLS_UNDER_WAY) as pool:
        return process(
            event["chunk"],
            event["cursor"],
            sink=KendraSink(
                aws.kendra(),
                index_id=settings.kendra_index_id,
                role_arn=settings.kendra_role_arn,
                bucket=event["bucket"],
            ),
            workspace=Workspace(aws.s3(), settings.reports_bucket, job_id=event["jobId"], run=event["run"]),
            means=Means(pacer(settings.share), clock, pool, random.random),
            stop_at=stop_at(context, clock),
        )
