"""Writing execution histories by hand: each call appends one event and returns its id."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

BEGAN = datetime(2025, 10, 5, 12, 0, tzinfo=UTC)
MANIFEST = {"bucket": "ingestion", "key": "handbook/_control/manifest.json"}


class HistoryWriter:
    """One second passes between two events; `after` is the predecessor's id, by default the last event's."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, details: dict[str, Any] | None = None, after: int | None = None) -> int:
        number = len(self.events) + 1
        event: dict[str, Any] = {
            "id": number,
            "previousEventId": number - 1 if after is None else after,
            "timestamp": BEGAN + timedelta(seconds=number - 1),
            "type": kind,
        }
        if details is not None:
            event[f"{_details_name(kind)}EventDetails"] = details
        self.events.append(event)
        return number

    def start(self) -> int:
        return self.add("ExecutionStarted", {"input": json.dumps(MANIFEST)})

    def enter(self, name: str, kind: str = "Task", after: int | None = None) -> int:
        return self.add(f"{kind}StateEntered", {"name": name, "input": "{}"}, after)

    def leave(self, name: str, kind: str = "Task", after: int | None = None, output: Any = None) -> int:
        return self.add(f"{kind}StateExited", {"name": name, "output": json.dumps(output)}, after)

    def task(self, name: str, after: int | None = None, output: Any = None) -> int:
        """A task that works at once, from its entry to its exit."""
        self.enter(name, after=after)
        self.add("TaskScheduled", {"resource": "invoke"})
        self.add("TaskSucceeded", {"resource": "invoke"})
        return self.leave(name, output=output)

    def fail(self, error: str, cause: str = "because", after: int | None = None) -> int:
        return self.add("TaskFailed", {"error": error, "cause": cause}, after)

    def map_start(self, name: str, length: int) -> int:
        self.enter(name, "Map")
        return self.add("MapStateStarted", {"length": length})

    def iteration(self, kind: str, name: str, index: int, after: int | None = None) -> int:
        return self.add(f"MapIteration{kind}", {"name": name, "index": index}, after)

    def succeed(self, output: Any) -> int:
        return self.add("ExecutionSucceeded", {"output": json.dumps(output)})


def _details_name(kind: str) -> str:
    for ending in ("StateEntered", "StateExited"):
        if kind.endswith(ending):
            return f"s{ending[1:]}"
    return kind[0].lower() + kind[1:]


def a_whole_job(job_id: str = "handbook-1", *, stopped: bool = False, **counts: int) -> list[dict[str, Any]]:
    """A job that finishes or is stopped: two chunks, one look at the index, a report with these counts."""
    writer = HistoryWriter()
    manifest = {"manifest": {"jobId": job_id, "run": "1f2e3d4c5b6a7988", "prefix": "handbook"}}
    writer.start()
    writer.task("LoadManifest", output=manifest)
    writer.task("ListBatches")
    begun = writer.map_start("ProcessBatches", 2)
    first = writer.iteration("Started", "ProcessBatches", 0, after=begun)
    second = writer.iteration("Started", "ProcessBatches", 1, after=begun)
    first = writer.task("ProcessBatch", after=first)
    second = writer.task("ProcessBatch", after=second)
    writer.iteration("Succeeded", "ProcessBatches", 0, after=first)
    writer.iteration("Succeeded", "ProcessBatches", 1, after=second)
    writer.add("MapStateSucceeded")
    writer.leave("ProcessBatches", "Map")
    writer.task("Verify")
    report = {"counts": counts, "stopped": stopped, "report": f"s3://reports/_reports/{job_id}/failures.csv"}
    writer.task("AggregateFailures", output={**manifest, "report": report})
    writer.succeed({**manifest, "report": report})
    return writer.events


def a_sync(
    output: dict[str, Any] | None = None,
    *,
    ticket: int = 1,
    error: tuple[str, str] | None = None,
    asked: Any = None,
) -> list[dict[str, Any]]:
    """An execution of kb_sync from its request to its end, with this output or this error and cause; without either it
    runs still. Ticket 0: it ended before it was registered."""
    writer = HistoryWriter()
    writer.add("ExecutionStarted", {"input": json.dumps(asked)})
    writer.task("CheckSource")
    return _a_flight(writer, output, ticket, error)


def a_compaction(
    output: dict[str, Any] | None = None,
    *,
    ticket: int = 1,
    error: tuple[str, str] | None = None,
    asked: Any = None,
) -> list[dict[str, Any]]:
    """An execution of compaction, as `a_sync`."""
    writer = HistoryWriter()
    writer.add("ExecutionStarted", {"input": json.dumps(asked)})
    writer.leave("ReadRequest", "Choice", after=writer.enter("ReadRequest", "Choice"))
    return _a_flight(writer, output, ticket, error)


def _a_flight(
    writer: HistoryWriter, output: dict[str, Any] | None, ticket: int, error: tuple[str, str] | None
) -> list[dict[str, Any]]:
    if ticket:
        writer.task("Register", output={"ticket": {"number": ticket}})
    if error:
        writer.add("ExecutionFailed", {"error": error[0], "cause": error[1]})
    elif output is not None:
        writer.succeed(output)
    return writer.events


def compacted_by(
    job: str = "J1", covers: int = 1, *, ticket: int = 1, key: str = "lines", version: int | None = 8, deltas: int = 3
) -> Any:
    """The output of an execution of compaction whose ticket is covered."""
    result = {"version": version, "deltas": deltas, "text": f"{deltas} deltas merged into version {version}"}
    return {"status": "covered", "key": key, "ticket": ticket, "job": {"id": job, "covers": covers, "result": result}}


def covered_by(job: str, covers: int, *, ticket: int = 1, failed: int = 0, reasons: tuple[str, ...] = ()) -> Any:
    """The output of an execution of kb_sync whose ticket is covered; the job is as Step Functions spells it."""
    statistics = {"NumberOfDocumentsScanned": 5, "NumberOfNewDocumentsIndexed": 5 - failed}
    result = {
        "Status": "COMPLETE",
        "Statistics": {**statistics, "NumberOfDocumentsFailed": failed},
        "FailureReasons": list(reasons),
    }
    found = {"id": job, "covers": covers, "result": result}
    return {"status": "covered", "key": "KB12345678/DS12345678", "ticket": ticket, "job": found}


def a_run(
    output: dict[str, Any] | None = None, *, sync: dict[str, Any] | None = None, error: tuple[str, str] | None = None
) -> list[dict[str, Any]]:
    """An execution of incident_sync: one pass, which counts `sync`, and then this output or this error and cause;
    without either it runs still, and without `sync` it is in its pass."""
    writer = HistoryWriter()
    writer.add("ExecutionStarted", {"input": "{}"})
    counts = sync or (output or {}).get("sync")
    if counts:
        writer.task("SyncBatch", output={"batch": {}})
        writer.task("CountPass", output={"sync": counts})
        if not error:
            writer.task("SyncDone", output={"sync": counts})
    else:
        writer.enter("SyncBatch")
    if error:
        writer.add("ExecutionFailed", {"error": error[0], "cause": error[1]})
    elif output is not None:
        writer.succeed(output)
    return writer.events


def counted(
    synced: int = 8, removed: int = 0, failed: int = 0, set_aside: int = 0, *, overtaken: int = 0, more: bool = False
) -> dict[str, Any]:
    """`sync` of a run's output."""
    counts = {"synced": synced, "removed": removed, "failed": failed, "setAside": set_aside, "overtaken": overtaken}
    return {**counts, "passes": 1, "more": more}


def run_output(sync: dict[str, Any] | None = None, job: str | None = "J1", **counts: int) -> dict[str, Any]:
    """A run's output: covered by this job, or with nothing to cover."""
    covered = covered_by(job, 1)["job"] if job else None
    none = {"searchable": 0, "removed": 0, "failed": 0, "setAside": 0}
    ingestion = {"requested": job is not None, "job": covered, **none, **counts}
    begun = {"run": "asked-1", "startedAt": "2025-10-05T12:00:00Z", "seconds": 9.5}
    return {"status": "completed", **begun, "sync": sync or counted(), "ingestion": ingestion}
