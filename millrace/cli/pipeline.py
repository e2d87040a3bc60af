"""The commands about jobs: submit, watch, report, runs, query."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from millrace import submission
from millrace.cli.compaction import row_of_compaction, watch_compaction
from millrace.cli.context import Context, settings_of
from millrace.cli.incidents import row_of_run, watch_run
from millrace.cli.printing import (
    FIRST_USE,
    compactions_table,
    equation,
    incident_runs_table,
    plain,
    retried,
    runs_table,
    say,
    say_failures,
    say_what_there_is,
    syncs_table,
)
from millrace.cli.syncing import run_of_sync, watch_sync
from millrace.cli.watching import (
    SECONDS_TO_WATCH,
    OfWorkflow,
    TimeLimit,
    WatchIt,
    execution_of_upload,
    find_execution,
    job_of,
    last_execution_of,
    watch_to_its_end,
)
from millrace.deployment import Workflow
from millrace.errors import AlreadyRunning, ExitCode, NotFound, UsageError
from millrace.executions.adapter import Execution, manifest_of
from millrace.executions.outcome import job_id_of, was_stopped
from millrace.executions.view import view_of
from millrace.reports import counts_of
from millrace.search import of_source, shortened
from millrace.submission import Mode, Submission, Survey

ROWS_SHOWN = 50
FIRST_EVENTS = 25  # enough to hold LoadManifest with a few retries, which knows the job's id


def add_to(app: typer.Typer) -> None:
    for command in (submit, watch, report, runs, query):
        app.command()(command)


def submit(
    ctx: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(help="Holds pairs, x.json and x.json.metadata.json, at any depth, and maybe a manifest.json."),
    ],
    prefix: Annotated[
        str | None, typer.Option(help="Where in the ingestion bucket; the folder's name if not given.")
    ] = None,
    job_id: Annotated[
        str | None, typer.Option(help="The job's name; the folder's name and the time if not given.")
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="full sends every document, changed only those that the sink does not know as they are."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A manifest to use in place of the folder's own (deletes, mode, ...)."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse a folder with files that lack a partner or were left out."),
    ] = False,
    watch_it: WatchIt = False,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """Upload a folder's documents and start a job.

    The manifest goes last and starts it. Objects that are under the prefix already belong to the job, too.
    """
    context: Context = ctx.obj
    found = submission.survey(folder)
    say_what_there_is(context.console, found)
    if not found.files and not (found.manifest or manifest):
        raise UsageError(f"{folder} holds no documents and no manifest.json; there is nothing to submit")
    if strict and not found.flawless:
        raise UsageError(f"nothing was uploaded: {folder} is not flawless, and --strict was given")
    job = submission.plan(
        found,
        context.deployment.ingestion.ingestion_bucket,
        datetime.now(UTC),
        prefix=prefix,
        job_id=job_id,
        mode=mode,
        manifest=submission.read_manifest(manifest) if manifest else None,
    )
    began = send(context, job, found)
    context.emit({"type": "submitted", **document_of(job, found)})
    if not watch_it:
        say(context.console, f"submitted as {job.job_id}; see it: millrace watch {job.job_id}")
        return
    execution = execution_of_upload(context, job.bucket, job.manifest_key, began)
    raise typer.Exit(watch_to_its_end(context, execution, job.job_id, time_limit).exit_code)


def send(context: Context, job: Submission, found: Survey) -> datetime:
    """Upload the files and then the manifest, unless the job is running; return S3's time of the manifest."""
    refuse_if_running(context, job.job_id)
    with _upload_progress(context) as progress:
        bar = progress.add_task("uploading", total=len(found.files))
        submission.upload_files(context.client("s3"), job, found.files, arrived=lambda _: progress.advance(bar))
    refuse_if_running(context, job.job_id)
    return submission.write_manifest(context.client("s3"), job)


def refuse_if_running(context: Context, job_id: str, advice: str = "or name another: --job-id") -> None:
    """Raise AlreadyRunning while an execution that has not ended holds the job's lock."""
    job = context.jobs.get(job_id)
    if job is not None and job.owner and context.executions.is_running(job.owner):
        raise AlreadyRunning(
            f"job {job_id} is running now, so no manifest was written; watch it (millrace watch {job_id}) {advice}"
        )


def _upload_progress(context: Context) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeElapsedColumn(),
        console=context.console if context.console.is_terminal else context.notes,
        transient=True,
        disable=not (context.console.is_terminal or context.notes.is_terminal),
    )


def document_of(job: Submission, found: Survey) -> dict[str, Any]:
    return {
        "jobId": job.job_id,
        "prefix": job.prefix,
        "manifest": f"s3://{job.bucket}/{job.manifest_key}",
        "files": len(found.files),
        "bytes": found.size,
        "pairs": found.pairs,
        "withoutMetadata": list(found.without_metadata),
        "withoutDocument": list(found.without_document),
        "leftOut": [vars(entry) for entry in found.left_out],
    }


def watch(
    ctx: typer.Context,
    job: Annotated[
        str | None,
        typer.Argument(
            help="A job's id, of the other workflows an execution's name or ARN; the newest execution if not given."
        ),
    ] = None,
    workflow: OfWorkflow = None,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """Show a job's states as they change, to its end. Ctrl-C stops watching; the job goes on."""
    context: Context = ctx.obj
    chosen = context.workflow(workflow)
    if chosen is Workflow.KB_SYNC:
        raise typer.Exit(watch_sync(context, find_execution(context, chosen, job), time_limit).exit_code)
    if chosen is Workflow.INCIDENT_SYNC:
        raise typer.Exit(watch_run(context, find_execution(context, chosen, job), time_limit).exit_code)
    if chosen is Workflow.VECTOR_STORE:
        raise typer.Exit(watch_compaction(context, find_execution(context, chosen, job), time_limit).exit_code)
    execution = last_execution_of(context, job_of(context, job)) if job else _newest(context)
    raise typer.Exit(watch_to_its_end(context, execution, job, time_limit).exit_code)


def _newest(context: Context) -> Execution:
    newest = context.executions.newest(1)
    if not newest:
        raise NotFound("nothing has run yet; hand in a folder: millrace submit FOLDER --watch")
    return newest[0]


def report(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(help="A job's id.")],
    failures_only: Annotated[bool, typer.Option("--failures-only", help="Leave the summary out.")] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="How many failed documents to show; --json shows all.")
    ] = ROWS_SHOWN,
) -> None:
    """Show what became of a job's documents, and where its failures.csv is."""
    context: Context = ctx.obj
    summary = context.reports.summary(job)
    failures = list(context.reports.failures(job))
    place = context.reports.place(job, "failures.csv")
    counts = counts_of(summary)
    rows = [{"documentId": f.document_id, "errorCode": f.error_code, "errorMessage": f.error_message} for f in failures]
    context.emit({**({} if failures_only else {"summary": summary}), "failures": rows, "csv": place})
    if not failures_only:
        say(context.console, f"job {job}: {equation(counts)}")
        if summary.get("stopped"):
            say(context.console, f"it was stopped before all was sent; go on with it: millrace redrive {job}", "yellow")
        if summary.get("retry"):
            say(context.console, retried(summary["retry"]))
    say_failures(context.console, failures[:limit])
    if len(failures) > limit:
        say(context.console, f"and {len(failures) - limit} more")
    say(context.console, f"csv: {place}")
    raise typer.Exit(ExitCode.FAILED_DOCUMENTS if failures else ExitCode.OK)


def runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many executions.")] = 20,
    workflow: OfWorkflow = None,
) -> None:
    """List the executions, newest first."""
    context: Context = ctx.obj
    chosen = context.workflow(workflow)
    row, table = ROWS[chosen]
    found = [row(context, execution) for execution in context.executions_of(chosen).newest(limit)]
    context.emit({"runs": found})
    if not found:
        say(context.console, f"nothing has run yet; {FIRST_USE[chosen]}")
        return
    context.console.print(table(found))


def _run(context: Context, execution: Execution) -> dict[str, Any]:
    described = context.executions.describe(execution.arn)
    manifest = manifest_of(described.input)
    return {
        "name": described.name,
        "execution": described.arn,
        "status": described.status,
        "stopped": was_stopped(described.output),
        "jobId": job_id_of(view_of(context.executions.history(described.arn, page=FIRST_EVENTS).first_page())),
        "manifest": f"s3://{manifest[0]}/{manifest[1]}" if manifest else None,
        "startedAt": described.started,
        "seconds": described.seconds,
    }


ROWS = {
    Workflow.KENDRA_INGESTION: (_run, runs_table),
    Workflow.KB_SYNC: (run_of_sync, syncs_table),
    Workflow.INCIDENT_SYNC: (row_of_run, incident_runs_table),
    Workflow.VECTOR_STORE: (row_of_compaction, compactions_table),
}
"""What a row of `millrace runs` says, and how a table shows it."""


def query(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="What to ask.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many answers.")] = 5,
    source: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Ask the knowledge base of this data source of kb_sync.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Only documents of a knowledge base with this metadata; may be given repeatedly."
        ),
    ] = None,
) -> None:
    """Ask the index or the knowledge base: can what was ingested be found?"""
    context: Context = ctx.obj
    asked = of_source(context.deployment.sync.source(source), context.client) if source else context.search
    answers = asked.ask(text, limit, settings_of("--where", where or []))
    context.emit({"query": text, "answers": [answer.as_dict() for answer in answers]})
    if not answers:
        say(context.console, "no document answers this; other words may")
    for answer in answers:
        say(context.console, answer.title or "(no title)", "bold")
        say(context.console, f"  {answer.document_id}", "dim")
        context.console.print(plain(f"  {shortened(answer.excerpt, text)}"))
