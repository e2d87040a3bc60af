"""What an execution of compaction means to the person who asked: the job that covers the request, and its version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.errors import ExitCode
from millrace.executions.flights import FlightOutcome, flight_outcome_of, key_in, ticket_in
from millrace.executions.outcome import object_in
from millrace.executions.view import RunView

ASK_AGAIN = "ask again: millrace store compact {collection} --wait"
MEND = (
    "nothing was published, the deltas still wait (millrace store status); mend what the cause names (SnapshotInvalid: "
    "millrace store rollback {collection}); the sweeper tries again by itself, or " + ASK_AGAIN
)
ADVICE: Mapping[str, str] = {
    "JobFailed": MEND,
    "NotCovered": MEND,
    "StillWaiting": "the request stays registered and is served; to wait on, " + ASK_AGAIN,
    "InputInvalid": "nothing was registered; " + ASK_AGAIN,
}
REGISTERED_ADVICE = "the request stays registered, and the sweeper sees to it (millrace store status); to wait for it, "
UNREGISTERED_ADVICE = "nothing was registered; "
WHICH = "lines|words"
"""A collection that is not known."""


@dataclass(frozen=True)
class CompactionJob:
    """A complete job, the highest ticket that it covers, and what its last call said: the version that is published
    (None: nothing ever was), how many deltas it merged, and the whole in words."""

    job_id: str
    covers: int
    version: int | None
    deltas: int
    text: str

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.OK

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.job_id,
            "covers": self.covers,
            "version": self.version,
            "deltas": self.deltas,
            "text": self.text,
        }


CompactionOutcome = FlightOutcome[CompactionJob]


def compaction_outcome_of(view: RunView) -> CompactionOutcome:
    """Judge an execution of compaction; of one that runs still it says the ticket, once there is one."""
    return flight_outcome_of(view, _job)


def collection_of_input(text: str | None) -> str | None:
    """The collection that an execution was started for; None where its input names none."""
    said = object_in(text)
    named = key_in(said) or said.get("collection")
    return named if isinstance(named, str) else None


def advice(error: str | None, view: RunView, collection: str | None) -> str:
    """What to do about an execution that failed, was aborted or timed out."""
    known = REGISTERED_ADVICE if ticket_in(view) else UNREGISTERED_ADVICE
    return ADVICE.get(error or "", known + ASK_AGAIN).format(collection=collection or WHICH)


def _job(said: Mapping[str, Any]) -> CompactionJob:
    result = said["result"]
    return CompactionJob(said["id"], int(said["covers"]), result["version"], int(result["deltas"]), result["text"])
