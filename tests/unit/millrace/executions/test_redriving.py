from __future__ import annotations

from typing import Any

import pytest

from millrace.executions.adapter import Execution
from millrace.executions.redriving import Way, way_on
from millrace.executions.view import view_of
from tests.fakes.operator.histories import BEGAN, HistoryWriter


def last(status: str, *, redrivable: bool = True) -> Execution:
    return Execution("arn:one", "one", status, BEGAN, redrivable=redrivable)


def history_that_ends_in(*states: str) -> list[dict[str, Any]]:
    writer = HistoryWriter()
    writer.start()
    for state in states:
        writer.enter(state)
    return writer.events


@pytest.mark.parametrize(
    ("job", "execution", "state", "way"),
    [
        ("RUNNING", "RUNNING", "Verify", Way.WAIT),
        ("RUNNING", "PENDING_REDRIVE", "Verify", Way.WAIT),
        ("STOPPED", "RUNNING", "Notify", Way.WAIT),
        ("RUNNING", "ABORTED", "ProcessBatches", Way.REDRIVE),
        ("RUNNING", "TIMED_OUT", "Verify", Way.REDRIVE),
        ("FINISHED", "FAILED", "Notify", Way.REDRIVE),
        ("FINISHED", "ABORTED", "Notify", Way.REDRIVE),
        ("FAILED", "FAILED", "Failed", Way.START),
        ("STOPPED", "SUCCEEDED", "Notify", Way.START),
        ("STOPPED", "FAILED", "Notify", Way.START),
        ("FINISHED", "SUCCEEDED", "Notify", Way.NOTHING),
    ],
)
def test_the_way_on_follows_from_how_the_job_stands(job: str, execution: str, state: str, way: Way) -> None:
    assert way_on(job, last(execution), view_of(history_that_ends_in("LoadManifest", state))) is way


def test_what_step_functions_would_not_redrive_starts_anew() -> None:
    view = view_of(history_that_ends_in("Verify"))
    assert way_on("RUNNING", last("ABORTED", redrivable=False), view) is Way.START


def test_a_finished_job_whose_notification_cannot_be_redriven_is_finished() -> None:
    view = view_of(history_that_ends_in("Notify"))
    assert way_on("FINISHED", last("FAILED", redrivable=False), view) is Way.NOTHING


def test_an_execution_without_any_visit_is_no_failure_at_notify() -> None:
    assert way_on("FAILED", last("FAILED"), view_of([])) is Way.START
