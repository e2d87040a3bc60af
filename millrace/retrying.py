"""What a retry of a job is: a job of its own that plans only the documents that failed in the other.

Which documents those are is the pipeline's to decide: from the origin's failures.csv it takes those that may succeed as
they are. Here is what a person needs to know before, and the manifest that asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from millrace.errors import MillraceError

MOST_JOB_ID_CHARACTERS = 100  # the manifest schema's
_A_RETRY = re.compile(r"-retry-[1-9][0-9]*$")


@dataclass(frozen=True)
class Origin:
    """A job that has its report. `retryable` of its `failed` documents may succeed as they are; `permanent` counts the
    others by their code."""

    job_id: str
    run: str
    prefix: str
    failed: int
    retryable: int
    permanent: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        return {"failed": self.failed, "retryable": self.retryable, "permanent": dict(self.permanent)}


def origin_of(summary: Mapping[str, Any]) -> Origin:
    """Read a job's summary.json. Raises MillraceError where it does not say what a retry needs."""
    try:
        return Origin(
            job_id=summary["jobId"],
            run=summary["run"],
            prefix=summary["prefix"],
            failed=summary["counts"]["failed"],
            retryable=summary["retryable"],
            permanent=summary["permanent"],
        )
    except KeyError as error:
        raise MillraceError(
            f"the summary of job {summary.get('jobId')} has no field {error}, because an older version wrote it; "
            "submit its documents again: millrace submit FOLDER --mode changed"
        ) from error


def retry_id(origin: str, taken: Callable[[str], bool]) -> str:
    """The first of `<job>-retry-1`, `-retry-2`, ... that is not taken.

    A retry of a retry counts on, after the name of the job that began it. What is longer than a job id may be loses the
    end of that name.
    """
    stem = _A_RETRY.sub("", origin)
    for number in count(1):
        suffix = f"-retry-{number}"
        job_id = stem[: MOST_JOB_ID_CHARACTERS - len(suffix)] + suffix
        if not taken(job_id):
            return job_id
    raise AssertionError("there is always a next number")


def manifest_of(origin: Origin, job_id: str, original: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest that retries the origin, whose own manifest was `original`. The ids that the origin deletes say
    which of its failed documents were deletes."""
    return {
        "jobId": job_id,
        "prefix": origin.prefix,
        "retryOf": origin.job_id,
        "deletes": original.get("deletes", []),
    }
