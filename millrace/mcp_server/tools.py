"""What each tool does, in a thread that may block: a result of the shape that it promises, and a remark beside it."""

from __future__ import annotations

import math
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from millrace.cli.context import Context
from millrace.deployment import Workflow
from millrace.errors import MillraceError
from millrace.executions.adapter import Execution
from millrace.executions.incident_outcome import SyncCounts, advice, cause_in_words, incident_outcome_of
from millrace.executions.sync_outcome import COUNTED, CoveringJob
from millrace.executions.view import RunView, Status
from millrace.executions.watching import Pace, follow
from millrace.functions import INVOKE_SETTINGS
from millrace.incidents.runs import start_run
from millrace.incidents.waiting import WaitsFor
from millrace.mcp_server import results
from millrace.mcp_server.batches import BatchSync, moment, passes
from millrace.mcp_server.telling import sentence_of
from millrace.mcp_server.waiting import Wait

SET_ASIDE_SHOWN = 20
INGEST = "Ingest"  # the state that waits for a job
LISTED = (Workflow.INCIDENT_SYNC, Workflow.KB_SYNC)


class RunFailed(MillraceError):
    """The run ended without success; the message says why and what to do."""


class Answer(NamedTuple):
    """`remark` is for the reader: what the result's shape has no place for."""

    result: results.Shape
    remark: str


def force_kb_sync(context: Context, wait: Wait, wait_for_completion: bool) -> Answer:
    """Invoke the function itself: pass after pass, or once without waiting. Raises PassFailed."""
    function = context.deployment.incidents.incident_batch_sync_function
    batch = BatchSync(context.deployment.client("lambda", **INVOKE_SETTINGS), function)
    run, started_at = f"mcp-{uuid.uuid4()}", _now(context)
    if not wait_for_completion:
        result = _forced("started", function, batch.begin(run, started_at), None)
        return Answer(result, "One pass of up to 50 incidents was asked for; see what waits with kb_sync_status.")
    for worked in passes(batch, run, started_at, wait):
        wait.say(str(worked.counts))
    result = _forced("completed", function, worked.status_code, worked.counts)
    return Answer(result, f"{_remark(worked.counts)} No ingestion job was started: sync_and_ingest does that.")


def sync_and_ingest(context: Context, wait: Wait, wait_for_sync: bool, wait_for_ingestion: bool) -> Answer:
    """Run the state machine. Waiting for the ingestion includes waiting for the sync. Raises RunFailed."""
    executions = context.executions_of(Workflow.INCIDENT_SYNC)
    execution = start_run(executions)
    wait.running = f"execution {execution.name} runs on; {_look_at(execution)}"
    if not (wait_for_sync or wait_for_ingestion):
        return Answer(_run_result("started"), f"Execution {execution.name} has begun; {_look_at(execution)}.")
    wait.say(f"execution {execution.name} has begun")
    pace = Pace(every=context.seconds_between_looks, at_most=math.inf, sleep=wait.sleep)
    for view in follow(executions.history(execution.arn), pace):
        wait.say(sentence_of(view))
        if not wait_for_ingestion and _ingests(view):
            sync = incident_outcome_of(view).sync
            remark = f"{_remark(sync)} Execution {execution.name} goes on with the ingestion; {_look_at(execution)}."
            return Answer(_run_result("ingesting", sync), remark)
    return _ended(execution, view)


def kb_sync_status(context: Context) -> Answer:
    """What waits, for what and since when; the source's requests; the last run."""
    incidents = context.deployment.incidents
    backlogs = {kind: context.waiting.backlog(kind) for kind in WaitsFor}
    aside = list(islice(context.waiting.waiting(WaitsFor.PERSON), SET_ASIDE_SHOWN))
    requests = context.syncs.get(incidents.source.key)
    newest = _runs(context, Workflow.INCIDENT_SYNC, 1)
    result = results.KbSyncStatus(
        waiting=results.WaitingIncidents(
            **{kind.value: results.Waits(incidents=log.number, since=log.oldest) for kind, log in backlogs.items()}
        ),
        set_aside=[
            results.SetAside(incident_id=each.incident_id, since=each.since, reason=each.reason or "no reason is kept")
            for each in aside
        ],
        requests=results.SourceRequests(
            source=incidents.source.name,
            pending=requests.pending,
            pending_since=requests.pending_since if requests.pending else None,
            running_job=requests.job,
            last_job=requests.last_job,
        ),
        last_run=newest[0] if newest else None,
    )
    return Answer(result, _status_remark(backlogs[WaitsFor.PERSON].number))


def list_runs(context: Context, limit: int) -> Answer:
    """Executions of incident_sync and kb_sync together, newest first."""
    found = [run for workflow in LISTED for run in _runs(context, workflow, limit)]
    found.sort(key=lambda run: run.started_at, reverse=True)
    return Answer(results.Runs(runs=found[:limit]), "Look at one: millrace watch NAME --workflow WORKFLOW.")


def _now(context: Context) -> str:
    """AWS's time; STS answers everybody who has signed, without a permission."""
    said = context.client("sts").get_caller_identity()
    return moment(datetime.now(UTC), said["ResponseMetadata"]["HTTPHeaders"]["date"])


def _look_at(execution: Execution) -> str:
    watch = f"millrace watch --workflow incident_sync {execution.name}"
    return f"look with the tools list_runs and kb_sync_status, or: {watch}"


def _ingests(view: RunView) -> bool:
    """Whether all is written and the run now waits for a job; one that has nothing to ingest just ends."""
    return any(visit.name == INGEST for visit in view.visits)


def _ended(execution: Execution, view: RunView) -> Answer:
    if view.status is not Status.SUCCEEDED:
        cause = cause_in_words(view.cause)
        raise RunFailed(
            f"execution {execution.name} ended {view.status}, {view.error or 'without an error'}: {cause}; "
            f"{advice(view.error)}"
        )
    outcome = incident_outcome_of(view)
    seconds = outcome.seconds if outcome.seconds is not None else view.seconds(datetime.now(UTC))
    result = _run_result("completed", outcome.sync, outcome.job, seconds)
    return Answer(result, f"{_remark(outcome.sync)} Execution {execution.name}: {outcome.ingestion}.")


def _run_result(
    status: str, sync: SyncCounts | None = None, job: CoveringJob | None = None, seconds: float | None = None
) -> results.SyncAndIngest:
    return results.SyncAndIngest.model_validate(
        {
            "status": status,
            "sync_phase": _phase(sync),
            "ingestion_phase": _ingestion_phase(job) if job else None,
            "total_duration_seconds": seconds,
        }
    )


def _forced(status: str, function: str, status_code: int, counts: SyncCounts | None) -> results.ForceKbSync:
    invoked = results.LambdaExecution(function_name=function, status_code=status_code)
    return results.ForceKbSync.model_validate(
        {"status": status, "lambda_execution": invoked, "sync_results": _phase(counts)}
    )


def _phase(counts: SyncCounts | None) -> results.SyncCounts | None:
    if counts is None:
        return None
    done = counts.synced + counts.removed
    return results.SyncCounts(successfully_synced=done, failed=counts.failed, total_processed=done + counts.failed)


def _ingestion_phase(job: CoveringJob) -> results.IngestionPhase:
    counted = {COUNTED[name]: number for name, number in asdict(job.statistics).items()}
    statistics = results.IngestionStatistics.model_validate(counted)
    return results.IngestionPhase(job_id=job.job_id, status="COMPLETE", statistics=statistics)


def _remark(counts: SyncCounts | None) -> str:
    if counts is None:
        return ""
    left = " More wait than one run takes; call again." if counts.more else ""
    aside = " What is set aside has a reason: kb_sync_status." if counts.set_aside else ""
    return f"Incidents: {counts}.{left}{aside}"


def _status_remark(set_aside: int) -> str:
    if set_aside > SET_ASIDE_SHOWN:
        return (
            f"{SET_ASIDE_SHOWN} of {set_aside} that are set aside are shown; all: millrace incidents list --set-aside."
        )
    if set_aside:
        return (
            "An incident that is set aside is taken up again when it changes, or by: millrace incidents retry INCIDENT."
        )
    return "No incident is set aside."


def _runs(context: Context, workflow: Workflow, limit: int) -> list[results.Run]:
    return [_run(workflow, execution) for execution in context.executions_of(workflow).newest(limit)]


def _run(workflow: Workflow, execution: Execution) -> results.Run:
    return results.Run(
        workflow=workflow.value,
        name=execution.name,
        status=execution.status,
        started_at=execution.started,
        ended_at=execution.ended,
        seconds=execution.seconds,
        execution=execution.arn,
    )
