"""What an execution of kb_sync means to the person who asked: which ticket, which job covers it, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from millrace.errors import ExitCode
from millrace.executions.outcome import object_in
from millrace.executions.view import RunView, Status

COVERED, COALESCED = "covered", "coalesced"
REGISTER = "Register"
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

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.job_id,
            "covers": self.covers,
            "statistics": asdict(self.statistics),
            "failureReasons": list(self.reasons),
        }


@dataclass(frozen=True)
class SyncOutcome:
    """`ticket` is None where none was taken; `job` is of a covered ticket, `owner` the execution that serves a
    coalesced one; `status` is the output's (docs/kb_sync.md), None where the execution has none."""

    exit_code: ExitCode
    status: str | None
    key: str | None
    ticket: int | None
    job: CoveringJob | None = None
    owner: str | None = None

    @property
    def sentence(self) -> str:
        """What became of the request, in words."""
        ticket = f"ticket {self.ticket}" if self.ticket else "without a ticket of its own"
        if self.job is not None:
            return f"{ticket}: covered by job {self.job.job_id}, which covers up to ticket {self.job.covers}"
        if self.owner is not None:
            return f"{ticket}: coalesced, {self.owner.rpartition(':')[2]} serves it"
        return f"{ticket}: {self.status or 'no answer'}"


def sync_outcome_of(view: RunView) -> SyncOutcome:
    """Judge an execution of kb_sync; of one that runs still it says the ticket, once there is one."""
    said = object_in(view.output)
    job = covering_job(said["job"]) if said.get("status") == COVERED else None
    return SyncOutcome(
        exit_code=_exit_code(view, job),
        status=said.get("status"),
        key=said.get("key"),
        ticket=said.get("ticket") or _ticket(view),
        job=job,
        owner=said.get("owner"),
    )


def covering_job(said: Mapping[str, Any]) -> CoveringJob:
    """`job` of kb_sync's output."""
    result = said["result"]
    return CoveringJob(said["id"], int(said["covers"]), statistics_of(result), _reasons(result))


def statistics_of(job: Mapping[str, Any]) -> Statistics:
    """Of an ingestion job as Bedrock describes it, or as Step Functions does, which capitalizes each name."""
    said = _uncapitalized(_uncapitalized(job).get("statistics", {}))
    return Statistics(**{name: int(said.get(theirs, 0)) for name, theirs in COUNTED.items()})


def key_of_input(text: str | None) -> str | None:
    """The key that an execution of kb_sync was started for; None where its input names none."""
    try:
        said = json.loads(text or "null")
        if isinstance(said, list):
            said = said[0]
        if "flight" in said:
            return str(said["flight"]["key"])
        return f"{said['knowledgeBaseId']}/{said['dataSourceId']}"
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def in_words(cause: str | None) -> str:
    """A cause with the job or the failure that it quotes as JSON put into words."""
    if not cause:
        return "no cause was given"
    before, brace, rest = cause.partition("{")
    try:
        quoted, length = json.JSONDecoder().raw_decode(brace + rest)
    except ValueError:
        return cause
    after = (brace + rest)[length:]
    return f"{before}{_quoted(quoted)}{'.' if after else ''}{after}"


def advice(error: str | None, view: RunView, source: str) -> str:
    """What to do about an execution that failed, was aborted or timed out."""
    if error is not None and error in ADVICE:
        return ADVICE[error].format(source=source)
    known = REGISTERED_ADVICE if _ticket(view) else UNREGISTERED_ADVICE
    return (known + ASK_AGAIN).format(source=source)


def _quoted(document: Mapping[str, Any]) -> str:
    if "Error" in document:
        return f"{document['Error']}: {in_words(str(document.get('Cause', '')))}"
    reasons = "; ".join(_reasons(document)) or "Bedrock gives no reason"
    return f"{_uncapitalized(document).get('status', 'unknown')} ({reasons})"


def _reasons(job: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(reason) for reason in _uncapitalized(job).get("failureReasons", []))


def _ticket(view: RunView) -> int | None:
    for visit in view.visits:
        if visit.name == REGISTER and visit.status is Status.SUCCEEDED:
            number = object_in(visit.output).get("ticket", {}).get("number")
            return int(number) if number else None
    return None


def _exit_code(view: RunView, job: CoveringJob | None) -> ExitCode:
    if view.status is not Status.SUCCEEDED:
        return ExitCode.FAILED
    return ExitCode.FAILED_DOCUMENTS if job is not None and job.statistics.failed else ExitCode.OK


def _uncapitalized(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name[:1].lower() + name[1:]: value for name, value in document.items()}
