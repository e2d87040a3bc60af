"""Executions of compaction: asking for one, watching it, and what runs, watch and redrive show of them."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from millrace.cli.context import Context
from millrace.cli.printing import say
from millrace.cli.watching import find_execution, show_execution, tell_end
from millrace.deployment import Workflow
from millrace.errors import AlreadyRunning, ExitCode
from millrace.executions.adapter import Execution
from millrace.executions.compaction_outcome import (
    CompactionOutcome,
    advice,
    collection_of_input,
    compaction_outcome_of,
)
from millrace.executions.flights import glance, in_words
from millrace.executions.redriving import Way, way_on
from millrace.executions.view import RunView, view_of
from millrace.store.records import JobRecord, read_record
from millrace.store.table import Collection

GOING_ON = "the request stays in place and is served: millrace watch --workflow vector_store {name}"
ROWS_SHOWN = 20


class Watched(NamedTuple):
    """How an execution ended, and what its job did. Rows and deltas that could not be merged count as documents that
    failed."""

    outcome: CompactionOutcome
    record: JobRecord | None

    @property
    def exit_code(self) -> ExitCode:
        if self.record is not None and not self.record.flawless:
            return ExitCode.FAILED_DOCUMENTS
        return self.outcome.exit_code


def ask(context: Context, collection: str, *, wait: bool) -> Execution:
    """Start an execution that is one request for the collection, however often the start is sent."""
    executions = context.compactions
    execution = executions.start({"collection": collection, "wait": wait}, name=f"asked-{uuid.uuid4()}")
    asked = {"collection": collection, "execution": execution.arn, "startedAt": execution.started}
    context.emit({"type": "asked", **asked})
    say(context.console, f"asked for a compaction of {collection}: {execution.arn}")
    return execution


def watch_compaction(context: Context, execution: Execution, time_limit: float, *, redrives: int = 0) -> Watched:
    """Show an execution until it has ended (after so many redrives), then what became of its request."""
    view = show_execution(context, Workflow.VECTOR_STORE, execution, time_limit, GOING_ON, redrives=redrives)
    collection = collection_of_input(execution.input)
    outcome = compaction_outcome_of(view)
    watched = Watched(outcome, _record(context, collection, outcome))
    _tell(context, view, collection, watched)
    return watched


def _record(context: Context, collection: str | None, outcome: CompactionOutcome) -> JobRecord | None:
    if outcome.job is None or collection is None:
        return None
    bucket = context.deployment.store.store_bucket
    return read_record(context.client("s3"), bucket, Collection(collection), outcome.job.job_id)


def _tell(context: Context, view: RunView, collection: str | None, watched: Watched) -> None:
    outcome, record = watched
    facts = {"collection": collection, **outcome.as_dict(), "merged": record.as_dict() if record else None}
    took = tell_end(context, view, watched.exit_code, in_words(view.cause) if view.error else None, **facts)
    console = context.console
    if outcome.exit_code is ExitCode.FAILED:
        say(console, advice(view.error, view, collection))
        return
    say(console, f"{collection}: {outcome.sentence} ({took:.1f} s)")
    if outcome.job is not None:
        merged = f"{record.deltas} deltas merged, {record.applied} rows applied" if record else "nothing to merge"
        say(console, f"version {outcome.job.version or 'none'}: {merged}")
    if record is not None and not record.flawless:
        for refused in record.refused[:ROWS_SHOWN]:
            say(console, f"  {refused}", "yellow")
        say(console, f"{record.bad} bad rows, {record.unreadable} deltas that could not be read: {record.place}")


def row_of_compaction(context: Context, execution: Execution) -> dict[str, Any]:
    """One row of `millrace runs --workflow vector_store`."""
    executions = context.compactions
    described, outcome = glance(executions, execution.arn, compaction_outcome_of)
    return {
        "name": described.name,
        "execution": described.arn,
        "status": described.status,
        "collection": collection_of_input(described.input),
        "ticket": outcome.ticket,
        "became": outcome.status,
        "version": outcome.job.version if outcome.job else None,
        "job": outcome.job.job_id if outcome.job else None,
        "error": described.error,
        "startedAt": described.started,
        "seconds": described.seconds,
    }


def redrive_compaction(context: Context, name: str, *, watch: bool, time_limit: float) -> ExitCode:
    """Take up a compaction that has not ended well: one that was cut off goes on where it stood, and after a failure a
    new request stands for it. Raises AlreadyRunning, NotFound."""
    executions = context.compactions
    last = find_execution(context, Workflow.VECTOR_STORE, name)
    way = way_on(None, last, view_of(executions.history(last.arn).read()))
    if way is Way.WAIT:
        raise AlreadyRunning(
            f"{last.name} runs, so there is nothing to take up: millrace watch --workflow vector_store {last.name}"
        )
    collection = collection_of_input(last.input)
    if way is Way.NOTHING or collection not in set(Collection):
        context.emit({"type": "redrive", "way": Way.NOTHING.value, "execution": last.arn})
        said = "has ended well" if way is Way.NOTHING else "was started for no collection"
        say(context.console, f"{last.name} {said}, so nothing is left to take up; ask: millrace store compact")
        return ExitCode.OK
    if way is Way.REDRIVE:
        executions.redrive(last.arn)
    execution = last if way is Way.REDRIVE else ask(context, str(collection), wait=watch)
    context.emit({"type": "redrive", "way": way.value, "execution": execution.arn})
    say(
        context.console,
        f"{way.value} {execution.name}; see it: millrace watch --workflow vector_store {execution.name}",
    )
    if not watch:
        return ExitCode.OK
    redrives = last.redrives + 1 if way is Way.REDRIVE else 0
    return watch_compaction(context, execution, time_limit, redrives=redrives).exit_code
