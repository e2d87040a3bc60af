"""How a job that has not finished is taken up again: a decision, of what Step Functions and the jobs table say.

A redrive goes on with the state that ended the execution. After a failure that the state machine handled, that is its
Fail state, and going on with it is nothing; a new execution for the same upload is what goes on there, because the plan
and every outcome belong to the upload (docs/architecture.md, "Places").
"""

from __future__ import annotations

from enum import Enum

from millrace.executions.adapter import Execution
from millrace.executions.view import RunView

NOTIFY = "Notify"  # the one state whose error nothing catches: the job is done by then
FINISHED, STOPPED = "FINISHED", "STOPPED"


class Way(Enum):
    """How to go on."""

    WAIT = "running"
    """It is running: there is nothing to take up."""

    REDRIVE = "redriven"
    """By RedriveExecution."""

    START = "started"
    """By a new execution with the same bucket and key."""

    NOTHING = "finished"
    """The job is finished."""


def way_on(status: str | None, last: Execution, view: RunView) -> Way:
    """Decide by the job's status, the execution that acted for it last, and that one's view."""
    if last.running:
        return Way.WAIT
    if status == STOPPED:
        return Way.START
    at_notify = bool(view.visits) and view.visits[-1].name == NOTIFY
    unhandled = last.status in ("ABORTED", "TIMED_OUT") or (last.status == "FAILED" and at_notify)
    if unhandled and last.redrivable:
        return Way.REDRIVE
    return Way.NOTHING if status == FINISHED or last.status == "SUCCEEDED" else Way.START
