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
    """`job_id` is None if no manifest was read, `counts` {} without a report; `note` explains a quiet end."""

    exit_code: ExitCode
    job_id: str | None
    counts: dict[str, int]
    report: str | None
    note: str | None


def outcome_of(view: RunView) -> Outcome:
    """Judge an execution that has ended."""
    report = _object(view.output).get("report")
    report = report if isinstance(report, dict) else {}
    counts = counts_of(report)
    note = next((QUIET_ENDINGS[visit.name] for visit in view.visits if visit.name in QUIET_ENDINGS), None)
    return Outcome(_exit_code(view, counts), job_id_of(view), counts, report.get("report"), note)


def job_id_of(view: RunView) -> str | None:
    """The job's id, as soon as the manifest was read."""
    for visit in view.visits:
        if visit.name == "LoadManifest" and visit.status is Status.SUCCEEDED:
            manifest = _object(visit.output).get("manifest")
            return manifest.get("jobId") if isinstance(manifest, dict) else None
    return None


def sentence(cause: str | None) -> str:
    """What a cause says to a person: of a Lambda's JSON its message alone, without the stack."""
    said = _object(cause).get("errorMessage")
    return said if isinstance(said, str) and said else cause or "no cause was given"


def _exit_code(view: RunView, counts: dict[str, int]) -> ExitCode:
    if view.error == JOB_BUSY or any(visit.name == ALREADY_RUNNING for visit in view.visits):
        return ExitCode.ALREADY_RUNNING
    if view.status is not Status.SUCCEEDED:
        return ExitCode.FAILED
    return ExitCode.FAILED_DOCUMENTS if counts.get("failed") else ExitCode.OK


def _object(text: str | None) -> dict[str, Any]:
    try:
        said = json.loads(text or "null")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
