"""What an execution means to the person who asked for it: which job it was, its counts, and an exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from millrace.errors import ExitCode
from millrace.executions.view import RunView, Status
from millrace.reports import counts_of

ALREADY_RUNNING = "AlreadyRunning"  # the state that a second event for a running upload ends in
JOB_BUSY = "JobBusy"  # the error of another upload for a running job
QUIET_ENDINGS = {
    ALREADY_RUNNING: "another execution is ingesting this very upload",
    "AlreadyFinished": "this upload has been ingested already",
    "ManifestGone": "the manifest is no longer there; an earlier event of it did the job",
}


@dataclass(frozen=True)
class Outcome:
    """`job_id` is None if no manifest was read, `counts` {} without a report; `note` explains a quiet end. `stopped` is
    whether somebody stopped the job: its report then says what was done before."""

    exit_code: ExitCode
    job_id: str | None
    counts: dict[str, int]
    report: str | None
    note: str | None
    stopped: bool


def outcome_of(view: RunView) -> Outcome:
    """Judge an execution that has ended."""
    report = _report(view.output)
    counts = counts_of(report)
    stopped = was_stopped(view.output)
    note = next((QUIET_ENDINGS[visit.name] for visit in view.visits if visit.name in QUIET_ENDINGS), None)
    return Outcome(_exit_code(view, counts, stopped), job_id_of(view), counts, report.get("report"), note, stopped)


def was_stopped(output: str | None) -> bool:
    """Whether an execution that ended with this output was stopped before all was done."""
    return bool(_report(output).get("stopped"))


def job_id_of(view: RunView) -> str | None:
    """The job's id, as soon as the manifest was read."""
    return manifest_in(view).get("jobId")


def manifest_in(view: RunView) -> dict[str, Any]:
    """What LoadManifest answered (docs/architecture.md, "Functions"); {} before."""
    for visit in view.visits:
        if visit.name == "LoadManifest" and visit.status is Status.SUCCEEDED:
            manifest = object_in(visit.output).get("manifest")
            return manifest if isinstance(manifest, dict) else {}
    return {}


def sentence(cause: str | None) -> str:
    """What a cause says to a person: of a Lambda's JSON its message alone, without the stack."""
    said = object_in(cause).get("errorMessage")
    return said if isinstance(said, str) and said else cause or "no cause was given"


def _exit_code(view: RunView, counts: dict[str, int], stopped: bool) -> ExitCode:
    if view.error == JOB_BUSY or any(visit.name == ALREADY_RUNNING for visit in view.visits):
        return ExitCode.ALREADY_RUNNING
    if view.status is not Status.SUCCEEDED:
        return ExitCode.FAILED
    if stopped:
        return ExitCode.STOPPED
    return ExitCode.FAILED_DOCUMENTS if counts.get("failed") else ExitCode.OK


def _report(output: str | None) -> dict[str, Any]:
    report = object_in(output).get("report")
    return report if isinstance(report, dict) else {}


def object_in(text: str | None) -> dict[str, Any]:
    """The JSON object that a text holds; {} where it holds something else."""
    try:
        said = json.loads(text or "null")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
