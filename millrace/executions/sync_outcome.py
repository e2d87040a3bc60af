"""What an execution of kb_sync means to the person who asked: the job that covers the request, and its documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from millrace.errors import ExitCode
from millrace.executions.flights import FlightOutcome, flight_outcome_of, key_in, reasons_of, ticket_in, uncapitalized
from millrace.executions.view import RunView

COUNTED = {
    "scanned": "numberOfDocumentsScanned",
    "new": "numberOfNewDocumentsIndexed",
    "modified": "numberOfModifiedDocumentsIndexed",
    "deleted": "numberOfDocumentsDeleted",
    "failed": "numberOfDocumentsFailed",
}
"""What is told of a job's statistics, by Bedrock's names for it."""
ASK_AGAIN = "ask again: millrace sync {source} --wait"
ADVICE: Mapping[str, str] = {
    "JobFailed": "mend what the reasons name; the sweeper tries again by itself, or " + ASK_AGAIN,
    "NotCovered": "mend what the reasons name; the sweeper tries again by itself, or " + ASK_AGAIN,
    "StillWaiting": "the request stays registered and is served; to wait on, " + ASK_AGAIN,
    "InputInvalid": "nothing was registered; " + ASK_AGAIN,
    "BedrockAgent.AccessDeniedException": "the state machine's role, or a policy above it, forbids this; mend it "
    "(terraform apply), then " + ASK_AGAIN,
    "BedrockAgent.ResourceNotFoundException": "sync_sources of terraform/ names a knowledge base or data source that "
    "is not there; mend it, terraform apply, then " + ASK_AGAIN,
    "BedrockAgent.ValidationException": "Bedrock refuses the ids in sync_sources of terraform/, or the data source "
    "itself; mend it, then " + ASK_AGAIN,
}
REGISTERED_ADVICE = "the request stays registered, and the sweeper sees to it (millrace sources); to wait for it, "
UNREGISTERED_ADVICE = "nothing was registered; "


@dataclass(frozen=True)
class Statistics:
    """A job's documents, counted."""

    scanned: int = 0
    new: int = 0
    modified: int = 0
    deleted: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{name} {number}" for name, number in asdict(self).items())


@dataclass(frozen=True)
class CoveringJob:
    """A complete job, and the highest ticket that it covers."""

    job_id: str
    covers: int
    statistics: Statistics
    reasons: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.FAILED_DOCUMENTS if self.statistics.failed else ExitCode.OK

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.job_id,
            "covers": self.covers,
            "statistics": asdict(self.statistics),
            "failureReasons": list(self.reasons),
        }


SyncOutcome = FlightOutcome[CoveringJob]


def sync_outcome_of(view: RunView) -> SyncOutcome:
    """Judge an execution of kb_sync; of one that runs still it says the ticket, once there is one."""
    return flight_outcome_of(view, covering_job)


def covering_job(said: Mapping[str, Any]) -> CoveringJob:
    """`job` of kb_sync's output."""
    result = said["result"]
    return CoveringJob(said["id"], int(said["covers"]), statistics_of(result), reasons_of(result))


def statistics_of(job: Mapping[str, Any]) -> Statistics:
    """Of an ingestion job as Bedrock describes it, or as Step Functions does, which capitalizes each name."""
    said = uncapitalized(uncapitalized(job).get("statistics", {}))
    return Statistics(**{name: int(said.get(theirs, 0)) for name, theirs in COUNTED.items()})


def key_of_input(text: str | None) -> str | None:
    """The key that an execution of kb_sync was started for; None where its input names none."""
    try:
        said = json.loads(text or "null")
        if isinstance(said, list):
            said = said[0]
        return key_in(said) or f"{said['knowledgeBaseId']}/{said['dataSourceId']}"
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def advice(error: str | None, view: RunView, source: str) -> str:
    """What to do about an execution that failed, was aborted or timed out."""
    if error is not None and error in ADVICE:
        return ADVICE[error].format(source=source)
    known = REGISTERED_ADVICE if ticket_in(view) else UNREGISTERED_ADVICE
    return (known + ASK_AGAIN).format(source=source)
