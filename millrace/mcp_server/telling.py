"""A run of incident_sync in one sentence: the state that it has reached, and what is counted so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.executions.outcome import object_in
from millrace.executions.view import RunView, Visit

DOING: Mapping[str, str] = {
    "SyncBatch": "bringing incidents to S3",
    "Ingest": "waiting until an ingestion job has covered what was written",
    "Confirm": "marking what the job has covered",
}
"""What the states that take time do."""


def sentence_of(view: RunView) -> str:
    """Such as `SyncBatch (bringing incidents to S3), pass 3: 100 synced, 2 removed, 1 failed`."""
    if not view.visits:
        return "starting"
    last = view.visits[-1]
    doing = f" ({DOING[last.name]})" if last.name in DOING else ""
    retried = f", retry {last.retries}" if last.retries else ""
    counted = ", ".join(_counted(view))
    return f"{last.name}{doing}{_pass(view, last)}{retried}{f': {counted}' if counted else ''}"


def _pass(view: RunView, last: Visit) -> str:
    return f", pass {sum(visit.name == last.name for visit in view.visits)}" if last.name == "SyncBatch" else ""


def _counted(view: RunView) -> list[str]:
    """The machine counts in its state, so the last output has the sums so far."""
    state = next((found for visit in reversed(view.visits) if (found := object_in(visit.output)).get("sync")), {})
    sync: Mapping[str, Any] = state.get("sync", {})
    ingestion: Mapping[str, Any] = state.get("ingestion", {})
    said = [f"{sync[name]} {name}" for name in ("synced", "removed", "failed")] if sync.get("passes") else []
    if job := ingestion.get("job"):
        said += [f"job {job['id']} is complete", f"{ingestion['searchable']} searchable"]
    return said
