"""What a complete ingestion job means for what was written before it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from incident_sync.errors import EventInvalid
from incident_sync.items import REMOVED, Entry
from incident_sync.knowledge_base import Status
from shared.clock import stamp

CLOCKS_DIFFER_BY = timedelta(minutes=5)
"""More than the clocks of two functions do."""

FOUND = frozenset({"INDEXED", "METADATA_PARTIALLY_INDEXED"})
"""A search finds the whole document."""

UNDER_WAY = frozenset({"STARTING", "PENDING", "IN_PROGRESS"})

STILL_THERE = FOUND | {"PARTIALLY_INDEXED", "METADATA_UPDATE_FAILED"}
"""A search may still find some of the document."""

LEAVING = UNDER_WAY | {"DELETING", "DELETE_IN_PROGRESS"}


class Verdict(Enum):
    """What a job did for one incident."""

    COVERED = "covered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """A later job will tell."""


class Job(NamedTuple):
    """A complete ingestion job."""

    job_id: str
    any_failed: bool
    """Whether a document failed in it, as far as its statistics say."""


def job_of(told: object) -> Job:
    """The job of kb_sync's output. Its result is an object, or text that is JSON of one. Without statistics documents
    may have failed. Raises EventInvalid."""
    match told:
        case {"id": str(job_id), **more}:
            return Job(job_id, _any_failed(more.get("result")))
    raise EventInvalid("the job has no id; it is not one of kb_sync's output")


def is_covered(entry: Entry, *, run: str, requested_at: datetime) -> bool:
    """Whether a job that was asked for then has read what was made of the incident: this run made it before it asked,
    and of others' work that is certain only if it is old enough."""
    if entry.made is None or entry.work is None or entry.since is None:
        return False
    return entry.work.run == run or entry.since <= stamp(requested_at - CLOCKS_DIFFER_BY)


def looked_at_before(requested_at: datetime) -> str:
    """Nothing that was made later can be covered, by whatever clock."""
    return stamp(requested_at + CLOCKS_DIFFER_BY)


def verdict(entry: Entry, status: Status | None) -> Verdict:
    """What the job did for an incident; `status` is None where no document failed in it."""
    if status is None:
        return Verdict.COVERED
    if entry.made == REMOVED:
        if status.name in STILL_THERE:
            return Verdict.FAILED
        return Verdict.UNKNOWN if status.name in LEAVING else Verdict.COVERED
    if status.name in FOUND:
        return Verdict.COVERED
    return Verdict.UNKNOWN if status.name in UNDER_WAY else Verdict.FAILED


def reason_of(status: Status) -> str:
    """Why a document failed, as Bedrock says it."""
    return f"{status.name}: {status.reason or 'Bedrock gave no reason'}"


def _any_failed(result: Any) -> bool:
    if isinstance(result, str):
        try:
            result = json.loads(result)
        except ValueError as error:
            raise EventInvalid("the job's result is no JSON") from error
    statistics = result.get("Statistics") if isinstance(result, Mapping) else None
    failed = statistics.get("NumberOfDocumentsFailed") if isinstance(statistics, Mapping) else None
    return failed is None or failed > 0
