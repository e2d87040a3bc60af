"""What an execution of incident_sync means to who asked: what was written, what is searchable, and an exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.errors import ExitCode
from millrace.executions.flights import in_words
from millrace.executions.outcome import object_in
from millrace.executions.sync_outcome import CoveringJob, covering_job
from millrace.executions.view import RunView, Status

SYNC_DONE = "SyncDone"  # the state whose output has the counts of all passes
UNFINISHED = (Status.FAILED, Status.TIMED_OUT, Status.ABORTED)
ASK_AGAIN = "run it again: millrace incidents sync --wait"
ADVICE: Mapping[str, str] = {
    "SyncFailed": "nothing is lost, what was not written still waits (millrace incidents list); mend the cause, then "
    + ASK_AGAIN,
    "IngestionFailed": "what was written waits for the next run's job; look at kb_sync (millrace runs --workflow "
    "kb_sync), mend the cause, then " + ASK_AGAIN,
    "ConfirmFailed": "the job is complete and its documents are found; only the marks are missing, and the next run "
    "makes them: millrace incidents sync --wait",
}
OTHERWISE = "nothing is lost, what was not done still waits (millrace incidents list); " + ASK_AGAIN


@dataclass(frozen=True)
class SyncCounts:
    """What became of the incidents that waited for a sync; `set_aside` are of the `failed`, and now wait for a person.
    `more` is whether the run left some for the next."""

    synced: int
    removed: int
    failed: int
    set_aside: int
    overtaken: int
    passes: int
    more: bool

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> SyncCounts:
        """Those of an output, by the names that `as_dict` gives them."""
        return cls(
            synced=said["synced"],
            removed=said["removed"],
            failed=said["failed"],
            set_aside=said["setAside"],
            overtaken=said["overtaken"],
            passes=said["passes"],
            more=said["more"],
        )

    def __add__(self, then: SyncCounts) -> SyncCounts:
        """Those of both, `then` being the later."""
        return SyncCounts(
            synced=self.synced + then.synced,
            removed=self.removed + then.removed,
            failed=self.failed + then.failed,
            set_aside=self.set_aside + then.set_aside,
            overtaken=self.overtaken + then.overtaken,
            passes=self.passes + then.passes,
            more=then.more,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "synced": self.synced,
            "removed": self.removed,
            "failed": self.failed,
            "setAside": self.set_aside,
            "overtaken": self.overtaken,
            "passes": self.passes,
            "more": self.more,
        }

    def __str__(self) -> str:
        always = {"written": self.synced, "removed": self.removed}
        rare = {"failed": self.failed, "set aside": self.set_aside, "changed meanwhile": self.overtaken}
        passes = f"{self.passes} {'pass' if self.passes == 1 else 'passes'}"
        return f"{_told(always, rare)} in {passes}"


@dataclass(frozen=True)
class IngestionCounts:
    """What a job's end means for the incidents that waited for it. `requested` is false where nothing waited, and `job`
    None until one has covered the request."""

    requested: bool
    job: CoveringJob | None
    searchable: int
    removed: int
    failed: int
    set_aside: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "requested": self.requested,
            "job": self.job.as_dict() if self.job else None,
            "searchable": self.searchable,
            "removed": self.removed,
            "failed": self.failed,
            "setAside": self.set_aside,
        }

    def __str__(self) -> str:
        if not self.requested:
            return "nothing waited for a job"
        if self.job is None:
            return "no job has covered it"
        always = {"searchable": self.searchable, "gone": self.removed}
        rare = {"failed": self.failed, "set aside": self.set_aside}
        return f"job {self.job.job_id}: {_told(always, rare)}"


@dataclass(frozen=True)
class IncidentOutcome:
    """`sync` is None until all passes are done; of a run that has failed it says what was done before. `ingestion` and
    `seconds` are None until the run has ended well."""

    exit_code: ExitCode
    sync: SyncCounts | None = None
    ingestion: IngestionCounts | None = None
    seconds: float | None = None

    @property
    def job(self) -> CoveringJob | None:
        """The job that covered what was written."""
        return self.ingestion.job if self.ingestion else None

    @property
    def sentence(self) -> str:
        """What became of the incidents, in words."""
        said = [str(part) for part in (self.sync, self.ingestion) if part is not None]
        return "; ".join(said) or "nothing is known yet"


def incident_outcome_of(view: RunView) -> IncidentOutcome:
    """Judge an execution of incident_sync; of one that runs still, or failed, it says what is known."""
    said = object_in(view.output)
    counts = said.get("sync") or _when_written(view)
    sync = SyncCounts.of(counts) if counts else None
    ingestion = _ingestion_counts(said["ingestion"]) if said.get("ingestion") else None
    return IncidentOutcome(_exit_code(view, sync, ingestion), sync, ingestion, said.get("seconds"))


def cause_in_words(cause: str | None) -> str:
    """A run's cause for a person: `<error>: <its cause>`, where the cause may be the JSON of another execution or of a
    function's error, without input, stack and identifiers."""
    before, colon, quoted = (cause or "").partition(": ")
    said = object_in(quoted)
    if colon and "errorMessage" in said:
        return f"{before}: {said['errorMessage']}"
    if colon and said.get("ExecutionArn"):
        error, theirs = said.get("Error") or said.get("Status", "ended"), in_words(said.get("Cause"))
        return f"{str(said['ExecutionArn']).rpartition(':')[2]} ended with {error}: {theirs}"
    return in_words(cause)


def advice(error: str | None) -> str:
    """What to do about a run that failed, was aborted or timed out."""
    return ADVICE.get(error or "", OTHERWISE)


def _told(always: Mapping[str, int], rare: Mapping[str, int]) -> str:
    """Counts in words; the rare ones where there are any."""
    counted = {**always, **{name: number for name, number in rare.items() if number}}
    return ", ".join(f"{name} {number}" for name, number in counted.items())


def _when_written(view: RunView) -> Mapping[str, Any] | None:
    """`sync` of SyncDone's output, and of the last output that has it where the run came to an end before."""
    done = [visit for visit in view.visits if visit.name == SYNC_DONE or view.status in UNFINISHED]
    found = (object_in(visit.output).get("sync") for visit in reversed(done) if visit.output)
    return next((said for said in found if said), None)


def _ingestion_counts(said: Mapping[str, Any]) -> IngestionCounts:
    return IngestionCounts(
        requested=said["requested"],
        job=covering_job(said["job"]) if said["job"] else None,
        searchable=said["searchable"],
        removed=said["removed"],
        failed=said["failed"],
        set_aside=said["setAside"],
    )


def _exit_code(view: RunView, sync: SyncCounts | None, ingestion: IngestionCounts | None) -> ExitCode:
    if view.status in UNFINISHED:
        return ExitCode.FAILED
    failed = (sync.failed if sync else 0) + (ingestion.failed if ingestion else 0)
    return ExitCode.FAILED_DOCUMENTS if failed else ExitCode.OK
