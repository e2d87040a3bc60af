"""Executions that end right after an event of their history, as a fault has it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .conftest import Lab, function

TWO_STATES = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Task", "Resource": function("f"), "End": True},
    },
}


class Death:
    """Comes at the `nth` event that is heard of."""

    def __init__(self, nth: int) -> None:
        self.nth = nth
        self.heard: list[str] = []

    def comes_at(self, _execution: str, event: str) -> bool:
        self.heard.append(event)
        return len(self.heard) == self.nth


@pytest.mark.parametrize(
    ("nth", "last"),
    [(1, "PassStateEntered"), (2, "PassStateExited"), (3, "TaskStateEntered"), (6, "LambdaFunctionSucceeded")],
)
def test_nothing_is_written_after_the_event_of_the_death(lab: Lab, nth: int, last: str) -> None:
    lab.services.functions["f"] = lambda event: event
    death = Death(nth)
    lab.api.engine.dies_at = death.comes_at
    run = lab.run(TWO_STATES)
    assert run.status == "ABORTED"
    assert run.types[-2:] == [last, "ExecutionAborted"]
    assert len(death.heard) == nth


def test_a_task_that_has_begun_takes_effect_though_its_execution_has_ended(lab: Lab) -> None:
    called: list[Any] = []
    lab.services.answers["DeleteTable"] = called.append
    lab.api.engine.dies_at = lambda _, event: event == "TaskStarted"
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:deleteTable",
        "Parameters": {"TableName": "t"},
        "End": True,
    }
    assert lab.state(state).status == "ABORTED"
    assert eventually_equal(called, [{"TableName": "t"}])


def test_who_died_goes_on_where_it_stood_when_it_is_redriven(lab: Lab) -> None:
    lab.services.functions["f"] = lambda event: event
    lab.api.engine.dies_at = Death(2).comes_at
    execution = lab.start(lab.create(TWO_STATES), {"n": 1})
    assert lab.wait(execution).status == "ABORTED"
    lab.api.redrive_execution({"executionArn": execution.order.arn})
    run = lab.wait(execution)
    assert (run.status, run.output, run.states) == ("SUCCEEDED", {"n": 1}, ["A", "B"])


def eventually_equal(found: list[Any], wanted: list[Any]) -> bool:
    deadline = time.monotonic() + 10
    while found != wanted and time.monotonic() < deadline:
        time.sleep(0.005)
    return found == wanted
