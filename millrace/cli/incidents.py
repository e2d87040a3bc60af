"""`millrace incidents`: sync, list, retry, check; and what runs and watch show of incident_sync's executions."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from millrace.cli.context import Context
from millrace.cli.printing import by_code, findings_table, say, waiting_table
from millrace.cli.watching import SECONDS_TO_WATCH, TimeLimit, show_execution, tell_end
from millrace.deployment import Workflow
from millrace.errors import ExitCode, MillraceError, NotSetAside, UsageError
from millrace.executions.adapter import Execution
from millrace.executions.incident_outcome import IncidentOutcome, advice, cause_in_words, incident_outcome_of
from millrace.executions.view import RunView, Status, view_of
from millrace.incidents import checking
from millrace.incidents.runs import start_run
from millrace.incidents.waiting import WaitsFor

GOING_ON = "the run goes on: millrace watch --workflow incident_sync {name}"
RUN_IT = "the next run takes them up; at once: millrace incidents sync --wait"
RETRY_IT = "millrace incidents retry INCIDENT"
ROWS_SHOWN = 50
Rows = Annotated[int, typer.Option("--limit", min=0, help="How many to show; --json shows all.")]

app = typer.Typer(
    name="incidents",
    help="Closed incidents of a table, on their way into a knowledge base and out of it again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def sync(
    ctx: typer.Context,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until what was written is searchable, and what was removed is gone.")
    ] = False,
    time_limit: TimeLimit = SECONDS_TO_WATCH,
) -> None:
    """Run the sync now, as the schedule does: write and remove what waits, and let a job cover it.

    Ctrl-C ends the waiting, never the run.
    """
    context: Context = ctx.obj
    execution = start_run(context.executions_of(Workflow.INCIDENT_SYNC))
    context.emit({"type": "started", "execution": execution.arn, "startedAt": execution.started})
    say(context.console, f"started {execution.arn}")
    if not wait:
        say(context.console, f"see what becomes of it: millrace watch --workflow incident_sync {execution.name}")
        return
    raise typer.Exit(watch_run(context, execution, time_limit).exit_code)


@app.command("list")
def list_waiting(
    ctx: typer.Context,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those that the next run takes up, or a job has to cover.")
    ] = False,
    set_aside: Annotated[bool, typer.Option("--set-aside", help="Only those that wait for a person.")] = False,
    limit: Rows = ROWS_SHOWN,
) -> None:
    """List the incidents that wait: for what, since when, and why the last attempt failed.

    Exit code 0, whatever waits.
    """
    context: Context = ctx.obj
    chosen = _kinds(waiting=waiting, set_aside=set_aside)
    backlog = {kind: context.waiting.backlog(kind) for kind in chosen}
    found = (each.as_dict() for each in context.waiting.waiting(*chosen))
    if context.machine:
        counts = {str(kind): counted.as_dict() for kind, counted in backlog.items()}
        context.emit({"backlog": counts, "incidents": list(found)})
        return
    total = sum(counted.number for counted in backlog.values())
    if not total:
        say(context.console, f"no incident waits for {' or '.join(chosen)}")
        return
    for kind, counted in backlog.items():
        if counted.oldest:
            say(context.console, f"{counted.number} for {kind}, the oldest since {counted.oldest}")
    shown = list(itertools.islice(found, limit))
    context.console.print(waiting_table(shown))
    if total > len(shown):
        say(context.console, f"and {total - len(shown)} more")
    person = backlog.get(WaitsFor.PERSON)
    if person and person.number:
        say(context.console, "what is mended in its table waits for a sync by itself; to try one as it is: " + RETRY_IT)


def _kinds(*, waiting: bool, set_aside: bool) -> tuple[WaitsFor, ...]:
    if waiting == set_aside:
        return tuple(WaitsFor)
    return (WaitsFor.SYNC, WaitsFor.INGESTION) if waiting else (WaitsFor.PERSON,)


@app.command()
def retry(
    ctx: typer.Context,
    incidents: Annotated[
        list[str] | None, typer.Argument(metavar="[INCIDENT]...", help="Ids of incidents that are set aside.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are set aside.")] = False,
) -> None:
    """Let incidents that wait for a person wait for a sync again, as if they had never been tried."""
    context: Context = ctx.obj
    if bool(incidents) == every:
        raise UsageError("name the incidents to try again, or give --all (millrace incidents list --set-aside)")
    named = incidents or [each.incident_id for each in context.waiting.waiting(WaitsFor.PERSON)]
    retried, refused = [], []
    for incident_id in named:
        try:
            context.waiting.retry(incident_id, datetime.now(UTC))
            retried.append(incident_id)
        except MillraceError as error:
            if not (every and isinstance(error, NotSetAside)):  # somebody else was faster
                refused.append({"incident": incident_id, "error": type(error).__name__, "message": str(error)})
    context.emit({"retried": retried, "refused": refused})
    for each in refused:
        say(context.console, each["message"], "yellow")
    if retried:
        say(context.console, f"{len(retried)} wait for a sync again; {RUN_IT}")
    elif every:
        say(context.console, "no incident is set aside")
    raise typer.Exit(ExitCode.FAILED if refused else ExitCode.OK)


@app.command()
def check(
    ctx: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Let what is wrong wait for a sync, which writes or removes it.")
    ] = False,
    rewrite: Annotated[
        bool,
        typer.Option(
            "--rewrite",
            help="Repair, and let every incident that is written wait too: for changes of text that were lost.",
        ),
    ] = False,
    limit: Rows = ROWS_SHOWN,
) -> None:
    """Compare both tables and the bucket, from end to end: is every closed incident written, and nothing else?

    What waits is in good hands and no finding. What a document says is not compared with its incident. Exit code 3
    where something is wrong, and is not repaired.
    """
    context: Context = ctx.obj
    found = checking.check(context.stores, rewrite=rewrite)
    repairs = repair or rewrite
    left = checking.repair(found.findings, context.waiting, datetime.now(UTC)) if repairs else list(found.findings)
    repaired = len(found.findings) - len(left)
    context.emit({**found.as_dict(), "repaired": repaired, "left": len(left)})
    console = context.console
    said = f"{found.closed} closed incidents, {found.registered} registered, {found.documents} documents"
    if not found.findings:
        say(console, f"all is as it should be: {said}")
        return
    say(console, f"{said}; not as it should be: {by_code(Counter(str(each.kind) for each in found.findings))}")
    console.print(findings_table(finding.as_dict() for finding in found.findings[:limit]))
    if len(found.findings) > limit:
        say(console, f"and {len(found.findings) - limit} more")
    if repaired:
        say(console, f"{repaired} wait for a sync now; {RUN_IT}")
    elif any(finding.repairable for finding in left):
        say(console, "let them wait for a sync: millrace incidents check --repair")
    raise typer.Exit(ExitCode.FAILED_DOCUMENTS if left else ExitCode.OK)


def watch_run(context: Context, execution: Execution, time_limit: float) -> IncidentOutcome:
    """Show an execution of incident_sync until it has ended, then what became of the incidents."""
    return conclude(context, show_execution(context, Workflow.INCIDENT_SYNC, execution, time_limit, GOING_ON))


def conclude(context: Context, view: RunView) -> IncidentOutcome:
    """Say what became of the incidents."""
    outcome = incident_outcome_of(view)
    message = cause_in_words(view.cause) if view.error else None
    took = tell_end(context, view, outcome.exit_code, message, **_counts(outcome))
    console = context.console
    if outcome.exit_code is ExitCode.FAILED:
        if outcome.sync is not None:
            say(console, f"before that: {outcome.sync}")
        say(console, advice(view.error))
        return outcome
    say(console, f"{outcome.sentence} ({took:.1f} s)")
    if outcome.exit_code is ExitCode.FAILED_DOCUMENTS:
        say(console, "why, and which wait for a person: millrace incidents list", "yellow")
    if outcome.sync is not None and outcome.sync.more:
        say(console, "it left some for the next run; at once: millrace incidents sync --wait")
    return outcome


def _counts(outcome: IncidentOutcome) -> dict[str, Any]:
    return {
        "sync": outcome.sync.as_dict() if outcome.sync else None,
        "ingestion": outcome.ingestion.as_dict() if outcome.ingestion else None,
    }


def row_of_run(context: Context, execution: Execution) -> dict[str, Any]:
    """One row of `millrace runs --workflow incident_sync`. What it did is in its output; the history of one that has
    none is read to its end."""
    executions = context.executions_of(Workflow.INCIDENT_SYNC)
    described = executions.describe(execution.arn)
    if described.output is not None:
        view = RunView(Status(described.status), output=described.output)
    else:
        view = view_of(executions.history(described.arn).read())
    outcome = incident_outcome_of(view)
    return {
        "name": described.name,
        "execution": described.arn,
        "status": described.status,
        "became": f"{view.error}: {outcome.sentence}" if view.error else outcome.sentence,
        **_counts(outcome),
        "error": view.error,
        "startedAt": described.started,
        "seconds": described.seconds,
    }
