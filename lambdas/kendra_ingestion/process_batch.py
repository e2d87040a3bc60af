"""ProcessBatch: send one chunk's requests, and write one outcome a document.

Outcomes are written in parts of 25 requests. The part that a request belongs to follows from the chunk and
the cursor alone, so a retried invocation overwrites its own parts; what an earlier invocation or an earlier attempt at
the run already wrote is not sent again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any

from kendra_ingestion.assembly import job_of, ledger_of, workspace_of
from kendra_ingestion.brake import Brake
from kendra_ingestion.calling import CALLS_UNDER_WAY, Means, Piece, means, patiently
from kendra_ingestion.documents import Document
from kendra_ingestion.errors import SinkMisconfigured
from kendra_ingestion.outcomes import FAILED, Outcome
from kendra_ingestion.sending import Mark, Sending, misconfigured, unfit
from kendra_ingestion.settings import read_settings
from kendra_ingestion.sink import Sink
from kendra_ingestion.sinks import sink_of
from kendra_ingestion.telemetry import count, logger, metrics, tracer
from kendra_ingestion.workspace import Workspace
from shared.clock import SystemClock, stop_at

PART_REQUESTS = 25
"""At most so many requests are sent again when an invocation dies."""


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

    def left(self) -> Iterator[Document]:
        """The documents of `unsent`, one by one."""
        return (document for piece in self.unsent() for document in piece.items)

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


def process(
    number: int,
    cursor: int | None,
    *,
    sink: Sink,
    workspace: Workspace,
    means: Means,
    mark: Mark,
    stop_at: float,
) -> dict[str, Any]:
    """Send a chunk from the cursor on, unless the job was stopped. Raises SinkThrottled or SinkUnavailable after it has
    written what became known before."""
    brake = Brake(workspace.stopped, means.clock)
    if brake.pulled():
        return {"chunk": number, "cursor": None, "done": True}
    chunk = workspace.chunk(number)
    progress = Progress(chunk["requests"], start=cursor or 0)
    progress.add(workspace.outcomes(number).sends, saved=True)
    try:
        if chunk["action"] == "put":
            types = patiently(sink.attribute_types, means)
            progress.add(unfit(progress.left(), types))
        pieces = takewhile(lambda _: not brake.pulled(), progress.unsent())
        for _, outcomes in Sending(chunk["action"], sink, means, mark).send(pieces, stop_at=stop_at):
            progress.add(outcomes)
            _save(number, progress.full_parts(), workspace)
    except SinkMisconfigured as error:
        logger.error("the sink is misconfigured", reason=str(error))
        progress.add(misconfigured(progress.left(), error))
    finally:
        _save(number, progress.rest(), workspace)
    cursor = None if brake.pulled() else progress.cursor()
    return {"chunk": number, "cursor": cursor, "done": cursor is None}


def _save(number: int, parts: Iterable[tuple[int, list[Outcome]]], workspace: Workspace) -> None:
    for first_request, outcomes in parts:
        workspace.save_sends(number, first_request, outcomes)
        bad = sum(outcome.outcome == FAILED for outcome in outcomes)
        count("DocumentsSent", len(outcomes) - bad)
        count("DocumentsFailed", bad)
        logger.info("sent", chunk=number, firstRequest=first_request, sent=len(outcomes) - bad, failed=bad)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    settings, clock = read_settings(os.environ), SystemClock()
    job = job_of(event)
    with ThreadPoolExecutor(CALLS_UNDER_WAY) as pool:
        return process(
            event["chunk"],
            event["cursor"],
            sink=sink_of(settings, event["bucket"]),
            workspace=workspace_of(settings, job),
            means=means("send", settings.share, pool),
            mark=ledger_of(settings, job).mark,
            stop_at=stop_at(context, clock),
        )
