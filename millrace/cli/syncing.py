"""The commands about kb_sync: sync, sources; and what runs and watch show of its executions."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from millrace.cli.context import Context
from millrace.cli.printing import say, sources_table
from millrace.cli.watching import SECONDS_TO_WATCH, TimeLimit, show_execution, tell_end
from millrace.deployment import SyncSource, Workflow
from millrace.errors import ExitCode
from millrace.executions.adapter import Execution
from millrace.executions.flights import glance, in_words
from millrace.executions.sync_outcome import SyncOutcome, advice, key_of_input, sync_outcome_of
from millrace.executions.view import RunView

GOING_ON = "the request stays in place and is served: millrace watch --workflow kb_sync {name}"
Source = Annotated[
    str | None,
    typer.Argument(metavar="[SOURCE]", help="A name in sync_sources of terraform/; not needed where there is one."),
]


def add_to(app: typer.Typer) -> None:
    for command in (sync, sources):
        app.command()(command)


def sync(
    ctx: typer.Context,
    source: Source = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until an ingestion job has covered the request.")] = False,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """Ask for a sync: everything that is in the source's bucket now will be in its knowledge base.

    Requests that come together are covered by one ingestion job. Ctrl-C ends the waiting, never the request.
    """
    context: Context = ctx.obj
    wanted = context.deployment.sync.source(source)
    execution = ask(context, wanted, wait=wait)
    context.emit(
        {
            "type": "asked",
            "source": wanted.name,
            **wanted.ids,
            "execution": execution.arn,
            "startedAt": execution.started,
        }
    )
    say(context.console, f"asked for {wanted.name} ({wanted.key}): {execution.arn}")
    if not wait:
        say(context.console, f"see what becomes of it: millrace watch --workflow kb_sync {execution.name}")
        return
    outcome = watch_sync(context, execution, time_limit)
    raise typer.Exit(outcome.exit_code_of_wait)


def ask(context: Context, source: SyncSource, *, wait: bool) -> Execution:
    """Start an execution that is one request for the source, however often the start is sent."""
    return context.executions_of(Workflow.KB_SYNC).start({**source.ids, "wait": wait}, name=f"asked-{uuid.uuid4()}")


def watch_sync(context: Context, execution: Execution, time_limit: float) -> SyncOutcome:
    """Show an execution of kb_sync until it has ended, then what became of its request."""
    view = show_execution(context, Workflow.KB_SYNC, execution, time_limit, GOING_ON)
    return _conclude(context, view, key_of_input(execution.input))


def _conclude(context: Context, view: RunView, key: str | None) -> SyncOutcome:
    outcome = sync_outcome_of(view)
    source = context.deployment.sync.name_of(key or "unknown")
    message = in_words(view.cause) if view.error else None
    took = tell_end(context, view, outcome.exit_code, message, source=source, key=key, **outcome.as_dict())
    console = context.console
    if outcome.exit_code is ExitCode.FAILED:
        say(console, advice(view.error, view, source))
        return outcome
    say(console, f"{outcome.sentence} ({took:.1f} s)")
    if outcome.job is not None:
        say(console, f"documents: {outcome.job.statistics}")
    if outcome.exit_code is ExitCode.FAILED_DOCUMENTS and outcome.job is not None:
        for reason in outcome.job.reasons:
            say(console, f"  {reason}", "yellow")
        say(console, "documents that failed are not found; mend their objects in the bucket, which asks for a new sync")
    return outcome


def run_of_sync(context: Context, execution: Execution) -> dict[str, Any]:
    """One row of `millrace runs --workflow kb_sync`."""
    described, outcome = glance(context.executions_of(Workflow.KB_SYNC), execution.arn, sync_outcome_of)
    key = key_of_input(described.input)
    return {
        "name": described.name,
        "execution": described.arn,
        "status": described.status,
        "source": context.deployment.sync.name_of(key) if key else None,
        "key": key,
        "ticket": outcome.ticket,
        "became": outcome.status,
        "job": outcome.job.job_id if outcome.job else None,
        "startedAt": described.started,
        "seconds": described.seconds,
    }


def sources(ctx: typer.Context) -> None:
    """List the data sources that are kept up to date: their requests, and whether a job runs.

    Exit code 0, whatever is pending.
    """
    context: Context = ctx.obj
    found = [_source(context, source) for source in context.deployment.sync.sources]
    context.emit({"sources": found})
    if not found:
        say(context.console, "no data source is kept up to date; name some in sync_sources of terraform/")
        return
    context.console.print(sources_table(found))
    for each in found:
        failure = each["lastFailure"]
        if each["pending"] and failure:
            said = f"{each['source']}: job {failure['job']} failed at {failure['at']}: {failure['message']}"
            say(context.console, said, "yellow")


def _source(context: Context, source: SyncSource) -> dict[str, Any]:
    item = context.syncs.get(source.key)
    failed = item.last_failure
    failure = {"job": failed.job_id, "at": failed.at, "message": in_words(failed.result)} if failed else None
    place = {"source": source.name, "key": source.key, "bucket": source.bucket, "prefix": source.prefix}
    return {**place, **item.as_dict(), "lastFailure": failure}
