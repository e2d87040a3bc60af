"""Watching an execution to its end, for every command that does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from millrace.cli.context import Context
from millrace.cli.printing import FIRST_USE, equation, say
from millrace.deployment import Workflow
from millrace.errors import ExitCode, NotFound
from millrace.executions.adapter import Execution
from millrace.executions.changes import changes
from millrace.executions.drawing import draw
from millrace.executions.outcome import Outcome, outcome_of, sentence
from millrace.executions.view import RunView
from millrace.executions.watching import Pace, await_execution, follow
from millrace.jobs import Job

SECONDS_TO_BEGIN = 60.0
SECONDS_TO_WATCH = 12 * 3600.0
INTERRUPTED = 130

TimeLimit = Annotated[
    float, typer.Option("--time-limit", min=0, metavar="SECONDS", help="Stop watching after this time.")
]
OfWorkflow = Annotated[
    Workflow | None,
    typer.Option("--workflow", help="Whose executions; kendra_ingestion's, where it is deployed, if not given."),
]
WatchIt = Annotated[bool, typer.Option("--watch", help="Watch the job to its end.")]


def job_of(context: Context, job_id: str) -> Job:
    """The job's item. Raises NotFound."""
    job = context.jobs.get(job_id)
    if job is None:
        raise NotFound(
            f"no job {job_id} in table {context.deployment.ingestion.jobs_table}; if it was submitted a moment ago, "
            "repeat the command; list the jobs: millrace runs"
        )
    return job


def last_execution_of(context: Context, job: Job) -> Execution:
    """The execution that acted for the job last. Raises NotFound."""
    if not job.execution:
        raise NotFound(f"the item of job {job.job_id} names no execution; list them: millrace runs")
    return context.executions.describe(context.executions.arn_of(job.execution))


def find_execution(context: Context, workflow: Workflow, name: str | None) -> Execution:
    """The workflow's execution of that name or ARN; the newest if none is named. Raises NotFound."""
    executions = context.executions_of(workflow)
    if name is not None:
        return executions.describe(executions.arn_of(name))
    newest = executions.newest(1)
    if not newest:
        raise NotFound(f"{workflow} has not run yet; {FIRST_USE[workflow]}")
    return executions.describe(newest[0].arn)


def execution_of_upload(context: Context, bucket: str, key: str, since: datetime) -> Execution:
    """The execution that a manifest's event starts. Raises NotFound where none begins within a minute."""
    return await_execution(
        context.executions, bucket, key, since, Pace(context.seconds_between_looks, SECONDS_TO_BEGIN)
    )


def watch_to_its_end(
    context: Context, execution: Execution, job_id: str | None, time_limit: float, *, redrives: int = 0
) -> Outcome:
    """Show an execution until it has ended (after so many redrives), then its counts. Ctrl-C exits; the job goes on."""
    context.emit({"type": "execution", "execution": execution.arn, "jobId": job_id, "startedAt": execution.started})
    say(context.console, f"execution {execution.name}")
    pace = Pace(every=context.seconds_between_looks, at_most=time_limit)
    views = follow(context.executions.history(execution.arn), pace, count=context.counting(), redrives=redrives)
    return conclude(context, show(context, views, "the job goes on: millrace watch"), job_id)


def show(context: Context, views: Iterator[RunView], going_on: str) -> RunView:
    """Show the views as they come, and return the last one. Ctrl-C exits; `going_on` then says what of it does."""
    try:
        return last_of_json(context, views) if context.machine else draw(context.console, views)
    except KeyboardInterrupt:
        context.notes.print(f"stopped watching; {going_on}", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def show_execution(
    context: Context,
    workflow: Workflow,
    execution: Execution,
    time_limit: float,
    going_on: str,
    *,
    redrives: int = 0,
) -> RunView:
    """Show an execution until it has ended (after so many redrives), and return what it was then; `going_on` has a
    place for its `name`."""
    history = context.executions_of(workflow).history(execution.arn)
    pace = Pace(every=context.seconds_between_looks, at_most=time_limit)
    said = going_on.format(name=execution.name)
    return show(context, follow(history, pace, redrives=redrives, going_on=said), said)


def tell_end(context: Context, view: RunView, exit_code: ExitCode, message: str | None, **facts: object) -> float:
    """Tell a machine how an execution ended, with these facts of it, and a person that it failed, where it did; return
    how many seconds it took. `message` is its cause in words."""
    took = round(view.seconds(datetime.now(UTC)), 3)
    ending = {"error": view.error, "cause": view.cause, "message": message, "seconds": took, "exitCode": int(exit_code)}
    context.emit({"type": "end", "status": str(view.status), **facts, **ending})
    if exit_code is ExitCode.FAILED:
        said = f"{view.error}: {message}" if view.error else "it did not end by itself"
        say(context.console, f"{view.status} after {took:.1f} s: {said}", "red")
    return took


def last_of_json(context: Context, views: Iterator[RunView]) -> RunView:
    """Print each change as a line of JSON, and return the last view."""
    before: RunView | None = None
    for view in views:
        for change in changes(before, view):
            context.emit(change.as_dict())
        before = view
    assert before is not None
    return before


def conclude(context: Context, view: RunView, job_id: str | None) -> Outcome:
    """Say how an execution ended."""
    outcome = outcome_of(view)
    job_id = outcome.job_id or job_id
    took = round(view.seconds(datetime.now(UTC)), 3)
    context.emit(
        {
            "type": "end",
            "jobId": job_id,
            "status": str(view.status),
            "error": view.error,
            "cause": view.cause,
            "message": sentence(view.cause) if view.error else None,
            "seconds": took,
            "counts": outcome.counts,
            "stopped": outcome.stopped,
            "report": outcome.report,
            "note": outcome.note,
            "exitCode": int(outcome.exit_code),
        }
    )
    console = context.console
    if view.error:
        say(console, f"{view.status} after {took:.1f} s: {view.error}: {sentence(view.cause)}", "red")
    elif outcome.note:
        say(console, f"ended after {took:.1f} s: {outcome.note}")
    elif outcome.stopped:
        begun = equation(outcome.counts) if outcome.counts.get("planned") else "nothing had been planned yet"
        say(console, f"stopped after {took:.1f} s: {begun}", "yellow")
        say(console, f"what was not sent is not lost; go on with it: millrace redrive {job_id}")
    else:
        say(console, f"finished in {took:.1f} s: {equation(outcome.counts)}")
    if outcome.counts.get("unverified"):
        say(console, "unverified: accepted, but the index had not answered at the deadline; ask it: millrace query")
    if outcome.exit_code is ExitCode.FAILED_DOCUMENTS:
        say(console, f"the failed documents and their reasons: millrace report {job_id}")
        say(console, f"try again those that can succeed: millrace retry {job_id}")
    elif outcome.exit_code is ExitCode.FAILED and job_id:
        say(console, f"take it up again: millrace redrive {job_id}")
    return outcome
