"""What an execution of a machine with one job at a time for a key (docs/decisions/single_flight.md) means to the person
who asked: which ticket, which job covers it, and an exit code. What a job's result says is the workflow's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from millrace.errors import ExitCode
from millrace.executions.adapter import Execution, Executions
from millrace.executions.outcome import object_in, sentence
from millrace.executions.view import RunView, Status, view_of

COVERED, COALESCED = "covered", "coalesced"
REGISTER = "Register"
FIRST_EVENTS = 25  # enough to hold Register with a few retries, which knows the ticket


class CompleteJob(Protocol):
    """A complete job: its id, the highest ticket that it covers, and how it ends the command of who waited for it."""

    @property
    def job_id(self) -> str: ...

    @property
    def covers(self) -> int: ...

    @property
    def exit_code(self) -> ExitCode: ...

    def as_dict(self) -> dict[str, Any]: ...


Job = TypeVar("Job", bound=CompleteJob)


@dataclass(frozen=True)
class FlightOutcome(Generic[Job]):
    """`ticket` is None where none was taken; `job` is of a covered ticket, `owner` the execution that serves a
    coalesced one; `status` is the output's (docs/kb_sync.md), None where the execution has none."""

    exit_code: ExitCode
    status: str | None
    key: str | None
    ticket: int | None
    job: Job | None = None
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

    @property
    def exit_code_of_wait(self) -> ExitCode:
        """How it ends the command of who waits until the request is covered: an end without that is a failure."""
        return self.exit_code if self.job is not None else ExitCode.FAILED

    def as_dict(self) -> dict[str, Any]:
        return {
            "became": self.status,
            "ticket": self.ticket,
            "job": self.job.as_dict() if self.job else None,
            "owner": self.owner,
        }


def flight_outcome_of(view: RunView, read_job: Callable[[Mapping[str, Any]], Job]) -> FlightOutcome[Job]:
    """Judge an execution, whose output's `job` is read so; of one that runs still it says the ticket, once there is
    one."""
    said = object_in(view.output)
    job = read_job(said["job"]) if said.get("status") == COVERED else None
    return FlightOutcome(
        exit_code=_exit_code(view, job),
        status=said.get("status"),
        key=said.get("key"),
        ticket=said.get("ticket") or ticket_in(view),
        job=job,
        owner=said.get("owner"),
    )


def glance(
    executions: Executions, arn: str, judge: Callable[[RunView], FlightOutcome[Job]]
) -> tuple[Execution, FlightOutcome[Job]]:
    """An execution, and what is known of it without reading its whole history."""
    described = executions.describe(arn)
    view = view_of(executions.history(arn, page=FIRST_EVENTS).first_page())
    return described, judge(view if described.output is None else RunView(view.status, output=described.output))


def key_in(said: Any) -> str | None:
    """The key that the input of a sweep or a successor names; None of any other."""
    try:
        return str(said["flight"]["key"])
    except (TypeError, KeyError):
        return None


def ticket_in(view: RunView) -> int | None:
    """The ticket that an execution has taken; None before, and where it takes none."""
    for visit in view.visits:
        if visit.name == REGISTER and visit.status is Status.SUCCEEDED:
            number = object_in(visit.output).get("ticket", {}).get("number")
            return int(number) if number else None
    return None


def in_words(cause: str | None) -> str:
    """A cause with the job, the failure or the function's error that it quotes as JSON put into words."""
    if not cause:
        return "no cause was given"
    before, brace, rest = cause.partition("{")
    try:
        quoted, length = json.JSONDecoder().raw_decode(brace + rest)
    except ValueError:
        return cause
    after = (brace + rest)[length:]
    return f"{before}{_quoted(quoted)}{'.' if after else ''}{after}"


def reasons_of(job: Mapping[str, Any]) -> tuple[str, ...]:
    """Why documents of a job failed, in Bedrock's spelling or in that of Step Functions."""
    return tuple(str(reason) for reason in uncapitalized(job).get("failureReasons", []))


def uncapitalized(document: Mapping[str, Any]) -> dict[str, Any]:
    """With the names of Bedrock, where they are those of Step Functions, which capitalizes each."""
    return {name[:1].lower() + name[1:]: value for name, value in document.items()}


def _quoted(document: Mapping[str, Any]) -> str:
    if "Error" in document:
        return f"{document['Error']}: {in_words(str(document.get('Cause', '')))}"
    if "errorMessage" in document:
        return sentence(json.dumps(document))
    reasons = "; ".join(reasons_of(document)) or "Bedrock gives no reason"
    return f"{uncapitalized(document).get('status', 'unknown')} ({reasons})"


def _exit_code(view: RunView, job: CompleteJob | None) -> ExitCode:
    if view.status is not Status.SUCCEEDED:
        return ExitCode.FAILED
    return job.exit_code if job is not None else ExitCode.OK
