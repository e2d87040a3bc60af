"""The commands for a job that did not go well: retry, stop, redrive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from millrace import retrying, stopping, submission
from millrace.cli.compaction import redrive_compaction
from millrace.cli.context import Context
from millrace.cli.pipeline import refuse_if_running
from millrace.cli.printing import by_code, retried, say
from millrace.cli.watching import (
    SECONDS_TO_WATCH,
    OfWorkflow,
    TimeLimit,
    WatchIt,
    execution_of_upload,
    job_of,
    last_execution_of,
    watch_to_its_end,
)
from millrace.deployment import Workflow
from millrace.errors import AlreadyRunning, ExitCode, NotFound, NotRunning, PlaceTaken, UsageError
from millrace.executions.adapter import Execution, manifest_of
from millrace.executions.redriving import Way, way_on
from millrace.executions.view import view_of
from millrace.jobs import Job
from millrace.retrying import Origin
from millrace.submission import Submission

ABORT_CAUSE = "millrace stop --now"
INSTEAD: Mapping[Workflow | None, str] = {
    Workflow.KB_SYNC: "millrace sync SOURCE --wait",
    Workflow.INCIDENT_SYNC: "millrace incidents sync --wait",
}
"""What to type for workflows whose requests outlive their executions."""
REPLACEABLE = ("FAILED", "STOPPED")  # the states of a job whose own manifest still lies where a retry's goes


def add_to(app: typer.Typer) -> None:
    for command in (retry, stop, redrive):
        app.command()(command)


def retry(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(help="The id of a job that has its report.")],
    job_id: Annotated[
        str | None, typer.Option(help="The new job's name; the old one's with -retry-1, -retry-2, ... if not given.")
    ] = None,
    watch_it: WatchIt = False,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """Try the failed documents of a job again, in a job of its own.

    Those that can never succeed as they are stay out, until one of their files is uploaded anew. Nothing else of the
    folder is sent.
    """
    context: Context = ctx.obj
    refuse_if_running(context, job, "and retry it when it has ended")
    origin = retrying.origin_of(context.reports.summary(job))
    if not origin.failed:
        context.emit({**_document(origin, None), "type": "retry"})
        say(context.console, f"no document of job {job} failed, so there is nothing to try again")
        return
    new = _plan_retry(context, origin, job_id)
    _refuse_if_taken(context, new, origin)
    began = submission.write_manifest(context.client("s3"), new)
    context.emit({**_document(origin, new), "type": "retry"})
    _say_origin(context, origin)
    say(context.console, f"submitted as {new.job_id}; see it: millrace watch {new.job_id}")
    if watch_it:
        execution = execution_of_upload(context, new.bucket, new.manifest_key, began)
        outcome = watch_to_its_end(context, execution, new.job_id, time_limit)
        if outcome.counts:
            _say_what_came_of_it(context, context.reports.summary(new.job_id))
        raise typer.Exit(outcome.exit_code)


def _plan_retry(context: Context, origin: Origin, job_id: str | None) -> Submission:
    """The retry's name, place and manifest. Raises UsageError, AlreadyRunning, NotFound."""
    if job_id is None:
        job_id = retrying.retry_id(origin.job_id, taken=lambda name: _is_known(context, name))
    submission.check_job_id(job_id)
    if job_id == origin.job_id:
        raise UsageError(f"a retry of {job_id} needs another name than {job_id}, whose report it reads")
    refuse_if_running(context, job_id)
    manifest = retrying.manifest_of(origin, job_id, context.reports.manifest(origin.job_id, origin.run))
    return Submission(job_id, origin.prefix, context.deployment.ingestion.ingestion_bucket, manifest)


def _is_known(context: Context, job_id: str) -> bool:
    return context.jobs.get(job_id) is not None or context.reports.has(job_id)


def _refuse_if_taken(context: Context, new: Submission, origin: Origin) -> None:
    """Raise PlaceTaken where a manifest lies that is still to be done: the retry's would replace it unread.

    A job that failed or was stopped leaves its own there; the retry takes its place.
    """
    there = submission.find_manifest(context.client("s3"), new.bucket, new.manifest_key)
    if there is None:
        return
    owner = there.get("jobId")
    known = context.jobs.get(origin.job_id)
    if owner == origin.job_id and known is not None and known.status in REPLACEABLE:
        return
    raise PlaceTaken(
        f"s3://{new.bucket}/{new.manifest_key} holds the manifest of {_named(owner)}, which is not finished, and a "
        "retry's manifest would replace it; let that job end (millrace watch), take it up again (millrace redrive), "
        "or remove its manifest"
    )


def _named(job_id: object) -> str:
    return f"job {job_id}" if isinstance(job_id, str) else "a job without an id"


def _document(origin: Origin, new: Submission | None) -> dict[str, Any]:
    place = f"s3://{new.bucket}/{new.manifest_key}" if new else None
    return {"jobId": new.job_id if new else None, "retryOf": origin.job_id, "manifest": place, **origin.as_dict()}


def _say_origin(context: Context, origin: Origin) -> None:
    console = context.console
    say(console, f"failed documents of job {origin.job_id}: {origin.failed}; tried again: {origin.retryable}")
    if origin.permanent:
        never = sum(origin.permanent.values())
        say(console, f"can never succeed as they are: {never} ({by_code(origin.permanent)})", "yellow")
        say(console, "of these, only what was uploaded anew since that job began is tried again")


def _say_what_came_of_it(context: Context, summary: Mapping[str, Any]) -> None:
    """Say what the new job's plan made of the old one's failed documents."""
    came = summary.get("retry")
    if came is None:
        return
    context.emit({"type": "retried", **came})
    say(context.console, retried(came))


def stop(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(help="The id of a running job.")],
    wait: Annotated[bool, typer.Option(help="Wait until the job has ended, and show its counts.")] = True,
    now: Annotated[
        bool,
        typer.Option(
            "--now",
            help="Abort the execution where it stands: no report, no notification, and the lock stays until the next "
            "execution takes it over.",
        ),
    ] = False,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """End a running job at the next whole request, with a report of what was done.

    What was not sent counts as failed, with code Stopped. The manifest stays, so that millrace redrive can go on.
    """
    context: Context = ctx.obj
    found = job_of(context, job)
    execution = _running(context, found)
    if now:
        _abort(context, found, execution)
        return
    if found.run is None:
        raise NotFound(f"the item of job {job} names no run, so its work area is unknown; end it with --now")
    reports = context.deployment.ingestion.reports_bucket
    mark = stopping.ask_to_stop(context.client("s3"), reports, job, found.run, execution.name, datetime.now(UTC))
    context.emit({"type": "stop", "jobId": job, "execution": execution.arn, "mark": mark})
    say(context.console, f"job {job} was asked to stop; requests that are under way are finished first")
    if not wait:
        say(context.console, f"see it end: millrace watch {job}")
        return
    outcome = watch_to_its_end(context, execution, job, time_limit)
    if outcome.exit_code is ExitCode.STOPPED:
        raise typer.Exit(ExitCode.OK)
    if outcome.exit_code in (ExitCode.OK, ExitCode.FAILED_DOCUMENTS):
        say(context.console, "it was done before it could be stopped")
    raise typer.Exit(outcome.exit_code)


def _running(context: Context, job: Job) -> Execution:
    """The execution that holds the job's lock and runs. Raises NotRunning."""
    owner = job.owner
    execution = context.executions.find(context.executions.arn_of(owner)) if owner else None
    if execution is None or not execution.running:
        raise NotRunning(f"job {job.job_id} is not running (its last status is {job.status}), so nothing was stopped")
    return execution


def _abort(context: Context, job: Job, execution: Execution) -> None:
    context.executions.abort(execution.arn, ABORT_CAUSE)
    context.emit({"type": "abort", "jobId": job.job_id, "execution": execution.arn})
    say(context.console, f"aborted {execution.name}: there is no report, and nobody is notified", "yellow")
    consequences = ["a request that is under way still reaches the sink"]
    if context.deployment.ingestion.deploy_option == "sqs":
        consequences = ["messages that are in the queues are still worked"]
    consequences.append("what was done is kept, and the lock is taken over by the next execution")
    say(context.console, "; ".join(consequences))
    say(context.console, f"go on with it: millrace redrive {job.job_id}")


def redrive(
    ctx: typer.Context,
    job: Annotated[
        str,
        typer.Argument(
            help="The id of a job that failed, was stopped or was aborted; of vector_store an execution's name or ARN."
        ),
    ],
    workflow: OfWorkflow = None,
    watch_it: WatchIt = False,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """Take up a job that has not finished, without doing again what is done.

    An execution that was cut off is redriven; after a failure or a stop a new one starts for the same manifest, or the
    same collection.
    """
    context: Context = ctx.obj
    if workflow in INSTEAD:
        raise UsageError(f"an execution of {workflow} is not taken up, what it left is served: {INSTEAD[workflow]}")
    if context.workflow(workflow) is Workflow.VECTOR_STORE:
        raise typer.Exit(redrive_compaction(context, job, watch=watch_it, time_limit=time_limit))
    found = job_of(context, job)
    last = last_execution_of(context, found)
    way = way_on(found.status, last, view_of(context.executions.history(last.arn).read()))
    if way is Way.WAIT:
        raise AlreadyRunning(
            f"job {job} is running ({last.name}), so there is nothing to take up: millrace watch {job}"
        )
    if way is Way.NOTHING:
        context.emit({"type": "redrive", "jobId": job, "way": way.value, "execution": last.arn})
        say(context.console, f"job {job} is finished, so nothing is left to take up")
        say(context.console, f"try its failed documents again, if it has any: millrace retry {job}")
        return
    execution = _redriven(context, found, last) if way is Way.REDRIVE else _started(context, job, last)
    context.emit({"type": "redrive", "jobId": job, "way": way.value, "execution": execution.arn})
    say(context.console, f"{way.value} {execution.name}; see it: millrace watch {job}")
    if watch_it:
        redrives = last.redrives + 1 if way is Way.REDRIVE else 0
        raise typer.Exit(watch_to_its_end(context, execution, job, time_limit, redrives=redrives).exit_code)


def _redriven(context: Context, job: Job, last: Execution) -> Execution:
    """Redrive it, without the mark of an earlier stop: it bears the execution's name, which stays."""
    if job.run is not None:
        stopping.withdraw(
            context.client("s3"), context.deployment.ingestion.reports_bucket, job.job_id, job.run, last.name
        )
    context.executions.redrive(last.arn)
    return last


def _started(context: Context, job_id: str, last: Execution) -> Execution:
    """Start a new execution for the manifest of the last one. Raises NotFound, PlaceTaken where it is not there."""
    place = manifest_of(last.input)
    if place is None:
        raise NotFound(
            f"the input of {last.name} names no manifest; submit the documents again: millrace submit FOLDER"
        )
    bucket, key = place
    there = submission.find_manifest(context.client("s3"), bucket, key)
    if there is None:
        raise NotFound(
            f"the manifest of job {job_id} is no longer at s3://{bucket}/{key}; try its failed documents again "
            f"(millrace retry {job_id}) or submit all (millrace submit FOLDER)"
        )
    if there.get("jobId") != job_id:
        raise PlaceTaken(
            f"s3://{bucket}/{key} now holds the manifest of {_named(there.get('jobId'))}, so job {job_id} cannot be "
            "taken up; submit its documents again: millrace submit FOLDER --mode changed"
        )
    return context.executions.start({"bucket": bucket, "key": key})
