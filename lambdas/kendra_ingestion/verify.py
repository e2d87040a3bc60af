"""Verify: ask the index what became of the documents that were sent, until it has answered for all of them or
the deadline has passed.

One invocation is one turn: it asks once for each pending document, chunk by chunk, as far as its time
reaches. The waiting between turns is the state machine's. What stays pending at the end is unverified."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kendra_ingestion.assembly import job_of, workspace_of
from kendra_ingestion.calling import CALLS_UNDER_WAY, Calls, Means, Piece, Reply, means
from kendra_ingestion.documents import Action
from kendra_ingestion.errors import SinkError
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.outcomes import DELETED, FAILED, INDEXED, UPDATED, Outcome, failed, latest, pending
from kendra_ingestion.packing import in_tens
from kendra_ingestion.settings import read_settings
from kendra_ingestion.sink import Sink, State, Status
from kendra_ingestion.sinks import sink_of
from kendra_ingestion.telemetry import count, logger, metrics, tracer
from kendra_ingestion.workspace import Workspace
from shared.clock import SystemClock, stop_at

MAX_TURNS = 200
"""A turn costs the execution about 9 history events of the 25,000 that it may have."""

FIRST_WAIT_SECONDS = 1
WAIT_GROWTH = 1.5
LEAST_LONGEST_WAIT_SECONDS = 30


def verdict(document_id: str, action: Action, status: Status | None) -> Outcome | None:
    """What the index's word means for a document that was sent; None while it is pending.

    A document that the index does not know yet is pending. A deleted one is pending until the index does not
    know it."""
    if status is None:
        return None
    if action == "delete":
        return Outcome(document_id, DELETED) if status.state is State.ABSENT else None
    if status.state is State.FAILED:
        return failed(document_id, status.code or FailureCode.INDEXING_FAILED, status.message or "no reason given")
    if status.state is State.INDEXED:
        return Outcome(document_id, INDEXED)
    if status.state is State.UPDATED:
        return Outcome(document_id, UPDATED)
    return None


def wait_seconds(passes: int, *, elapsed: float, deadline: int) -> int:
    """How long to wait after so many passes over all pending documents: 2, 2, 3, 5, 8 ... seconds, up to a
    hundredth of the deadline (at least 30 s), and never past the deadline. So a deadline of any length takes
    about 110 turns."""
    longest = max(LEAST_LONGEST_WAIT_SECONDS, deadline / (MAX_TURNS / 2))
    wait = min(FIRST_WAIT_SECONDS * WAIT_GROWTH ** min(passes, 50), longest, deadline - elapsed)
    return max(1, round(wait))


@dataclass
class Visit:
    """One chunk in this turn: how many of its documents are pending, how many still to be asked about, and
    all verdicts of this turn, also those of an invocation that died."""

    action: Action
    pending: int
    unasked: int
    verdicts: list[Outcome]
    changed: bool = False


class Turn:
    """One turn over the chunks that have pending documents, from where the turn before stopped."""

    def __init__(self, number: int, state: dict[str, Any], workspace: Workspace) -> None:
        self._number = number
        self._workspace = workspace
        self._visits: dict[int, Visit] = {}
        self._left = {int(chunk): pending for chunk, pending in state["pending"].items()}
        self._route = [chunk for chunk in sorted(self._left) if chunk >= state["next"]]

    def pieces(self) -> Iterator[Piece[str]]:
        """The ids to ask about; a chunk is read when its turn comes."""
        for number in self._route:
            chunk = self._workspace.chunk(number)
            known = self._workspace.outcomes(number)
            planned = [item["documentId"] for request in chunk["requests"] for item in request]
            ids = pending(latest(planned, known.sends, known.verdicts))
            self._left[number] = len(ids)
            own = known.own_turns.get(self._number, [])
            self._visits[number] = Visit(chunk["action"], len(ids), len(ids), own)
            for request in in_tens(ids):
                yield Piece(number, tuple(request))

    def take(self, reply: Reply[str, Mapping[str, Status]]) -> None:
        """Note what the index said, and write a chunk's verdicts when all its documents were asked about. An
        id that the index refuses to look up stays pending."""
        number, ids = reply.piece.origin, reply.piece.items
        visit = self._visits[number]
        statuses = reply.answer or {}
        found = [verdict(document_id, visit.action, statuses.get(document_id)) for document_id in ids]
        verdicts = [outcome for outcome in found if outcome is not None]
        visit.verdicts += verdicts
        visit.pending -= len(verdicts)
        visit.unasked -= len(ids)
        visit.changed = visit.changed or bool(verdicts)
        if visit.unasked == 0:
            self._save(number, visit)
            visit.verdicts = []

    def save(self) -> None:
        """Write the verdicts of the chunks that were not finished."""
        for number, visit in self._visits.items():
            self._save(number, visit)

    def left(self) -> dict[int, int]:
        """How many documents each chunk has pending, where it has any."""
        counts = self._left | {number: visit.pending for number, visit in self._visits.items()}
        return {number: pending for number, pending in sorted(counts.items()) if pending}

    def stopped_at(self) -> int | None:
        """The first chunk that was not asked about to its end; None when all were."""
        unfinished = (number for number in self._route if number not in self._visits or self._visits[number].unasked)
        return next(unfinished, None)

    def _save(self, number: int, visit: Visit) -> None:
        if visit.changed:
            self._workspace.save_verdicts(number, self._number, visit.verdicts)
            visit.changed = False
            bad = sum(outcome.outcome == FAILED for outcome in visit.verdicts)
            count("DocumentsVerified", len(visit.verdicts) - bad)
            count("DocumentsFailed", bad)


def verify(
    number: int, *, deadline: int, sink: Sink, workspace: Workspace, means: Means, stop_at: float
) -> dict[str, Any]:
    """Take one turn; it is the last one where the job was stopped. Raises SinkThrottled, SinkUnavailable or
    SinkMisconfigured after it has written what the index said before. `deadline` is in seconds from the first turn's
    beginning; 0 asks nothing."""
    stopped = workspace.stopped()
    if deadline == 0 or (stopped and workspace.find_plan() is None):
        return {"turn": number + 1, "done": True, "pending": 0, "waitSeconds": 0}
    state = workspace.verification() or _beginning(workspace, means.clock.wall())
    turn = Turn(number, state, workspace)
    calls: Calls[str, Mapping[str, Status]] = Calls(sink.status, means)
    try:
        for reply in calls.run(turn.pieces(), stop_at=stop_at):
            turn.take(reply)
    except SinkError:
        turn.save()
        raise
    turn.save()
    left, stopped_at = turn.left(), turn.stopped_at()
    passes = state["passes"] + (stopped_at is None)
    elapsed = means.clock.wall() - state["since"]
    workspace.save_verification({"since": state["since"], "passes": passes, "next": stopped_at or 0, "pending": left})
    done = not left or stopped or elapsed >= deadline or number + 1 >= MAX_TURNS
    wait = wait_seconds(passes, elapsed=elapsed, deadline=deadline) if stopped_at is None else 0
    logger.info("verified", turn=number, pending=sum(left.values()), done=done, waitSeconds=wait)
    return {
        "turn": number + 1,
        "done": done,
        "pending": sum(left.values()),
        "waitSeconds": 0 if done else wait,
    }


def _beginning(workspace: Workspace, now: float) -> dict[str, Any]:
    chunks = workspace.plan()["chunks"]
    state = {"since": now, "passes": 0, "next": 0, "pending": dict(enumerate(chunks))}
    workspace.save_verification(state)
    return state


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    settings, clock = read_settings(os.environ), SystemClock()
    job = job_of(event)
    with ThreadPoolExecutor(CALLS_UNDER_WAY) as pool:
        return verify(
            event["turn"],
            deadline=settings.verification_deadline_seconds,
            sink=sink_of(settings, settings.ingestion_bucket),
            workspace=workspace_of(settings, job),
            # Verification has the sink to itself, so its share is the whole rate.
            means=means("status", settings.sink_requests_per_second, pool),
            stop_at=stop_at(context, clock),
        )
