"""Nested executions: a Task that waits for one ends as it does, and takes it along when its own end comes first."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from millrace.local.states.calls import CallFailed
from millrace.local.states.executions import Execution
from millrace.local.states.mends import nested
from millrace.local.states.shapes import capitalized
from millrace.local.task_caller import TaskCaller
from tests.fakes.deployed import eventually

from .conftest import FunctionFailed, Lab, Run, function

THROTTLED = CallFailed("StepFunctions.AWSStepFunctionsException", "Rate exceeded")
LOOK, START, STOP = "DescribeExecution", "StartExecution", "StopExecution"


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "FIRST_LOOK_SECONDS", 0.005)
    monkeypatch.setattr(nested, "MOST_SECONDS_BETWEEN_LOOKS", 0.005)


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """A lab whose Step Functions calls reach its own."""

    def reach(operation: Callable[[Any], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def answer(given: dict[str, Any]) -> dict[str, Any]:
            told = operation({key[:1].lower() + key[1:]: value for key, value in given.items()})
            return {capitalized(key): value for key, value in told.items()}

        return answer

    lab.services.answers |= {
        START: reach(lab.api.start_execution),
        LOOK: reach(lab.api.describe_execution),
        STOP: reach(lab.api.stop_execution),
    }
    return lab


def child(lab: Lab, state: dict[str, Any]) -> str:
    """A machine of one state."""
    return lab.create({"StartAt": "Only", "States": {"Only": state}}, name="child")


SAYS = {"Type": "Pass", "Result": {"said": [1, None]}, "End": True}
FAILS = {"Type": "Fail", "Error": "Broken", "Cause": "beyond repair"}
STAYS = {"Type": "Wait", "Seconds": 3_600, "End": True}


def waiting_for(machine: str, pattern: str = "sync:2", **more: Any) -> dict[str, Any]:
    resource = f"arn:aws:states:::states:startExecution.{pattern}"
    parameters = {"StateMachineArn": machine, "Input": {"asked": True}}
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **more}


def parent(lab: Lab, task: dict[str, Any], **more: Any) -> Execution:
    return lab.start(lab.create({"StartAt": "It", "States": {"It": task}, **more}))


def children(lab: Lab) -> list[Execution]:
    return [execution for execution in lab.api.executions.values() if execution.order.machine_name == "child"]


def the_child(lab: Lab) -> Execution:
    """The one nested execution, once it has begun."""
    eventually(lambda: children(lab))
    (only,) = children(lab)
    return only


def aborted(lab: Lab, execution: Execution) -> Run:
    run = lab.wait(execution)
    assert run.status == "ABORTED"
    return run


@pytest.mark.parametrize(
    ("pattern", "asked", "said"),
    [("sync:2", {"asked": True}, {"said": [1, None]}), ("sync", '{"asked":true}', '{"said":[1,null]}')],
)
def test_the_task_gives_what_its_nested_execution_was_asked_and_says(
    lab: Lab, pattern: str, asked: Any, said: Any
) -> None:
    run = lab.wait(parent(lab, waiting_for(child(lab, SAYS), pattern)))
    told = {name: run.output[name] for name in ("ExecutionArn", "Status", "Input", "Output")}
    assert told == {"ExecutionArn": the_child(lab).order.arn, "Status": "SUCCEEDED", "Input": asked, "Output": said}
    assert run.types[2:7] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited"]


def test_looks_and_stops_are_calls_of_the_task_that_waits(lab: Lab) -> None:
    execution = parent(lab, waiting_for(child(lab, STAYS)))
    the_child(lab)
    execution.stop(None, None)
    eventually(lambda: the_child(lab).status == "ABORTED")
    assert {caller.task for caller in lab.services.callers} == {TaskCaller(execution.order.arn, "It")}


def test_a_nested_failure_is_a_failed_task_whose_cause_describes_the_nested_execution(lab: Lab) -> None:
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]
    states = {"It": waiting_for(child(lab, FAILS), Catch=catch), "Caught": {"Type": "Pass", "End": True}}
    run = lab.run({"StartAt": "It", "States": states})
    assert run.output["Error"] == "States.TaskFailed"
    cause = json.loads(run.output["Cause"])
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "Broken", "beyond repair")


def test_a_cause_is_cut_at_the_longest_that_a_cause_may_be(lab: Lab) -> None:
    long = {**FAILS, "Cause": "x" * 32_768}
    run = lab.wait(parent(lab, waiting_for(child(lab, long))))
    assert (run.error, len(run.cause or "")) == ("States.TaskFailed", 32_768)


def test_a_long_nested_execution_is_waited_for(lab: Lab) -> None:
    execution = parent(lab, waiting_for(child(lab, {"Type": "Wait", "Seconds": 1, "End": True})))
    assert not execution.ended.wait(0.5)
    assert lab.wait(execution).status == "SUCCEEDED"


def test_a_look_that_fails_is_repeated(lab: Lab) -> None:
    look, looks = lab.services.answers[LOOK], itertools.count()

    def answer(given: dict[str, Any]) -> Any:
        if next(looks) < 3:
            raise THROTTLED
        return look(given)

    lab.services.answers[LOOK] = answer
    assert lab.wait(parent(lab, waiting_for(child(lab, SAYS)))).status == "SUCCEEDED"


def test_who_may_not_look_fails_after_some_looks_and_takes_the_nested_execution_along(lab: Lab) -> None:
    def refuse(_: dict[str, Any]) -> Any:
        raise CallFailed("StepFunctions.AWSStepFunctionsException", "not authorized")

    lab.services.answers[LOOK] = refuse
    run = lab.wait(parent(lab, waiting_for(child(lab, STAYS))))
    assert (run.error, run.cause) == ("StepFunctions.AWSStepFunctionsException", "not authorized")
    aborted(lab, the_child(lab))


def test_an_execution_that_is_stopped_stops_the_one_that_it_waits_for(lab: Lab) -> None:
    execution = parent(lab, waiting_for(child(lab, STAYS)))
    the_child(lab)
    execution.stop(None, None)
    aborted(lab, the_child(lab))
    aborted(lab, execution)


def test_an_execution_that_is_stopped_while_it_starts_one_stops_that_one(lab: Lab) -> None:
    """A call that is on its way is made."""
    begin, asked, go_on = lab.services.answers[START], threading.Event(), threading.Event()

    def slowly(given: dict[str, Any]) -> Any:
        asked.set()
        assert go_on.wait(10)
        return begin(given)

    lab.services.answers[START] = slowly
    execution = parent(lab, waiting_for(child(lab, STAYS)))
    assert asked.wait(10)
    execution.stop(None, None)
    go_on.set()
    aborted(lab, the_child(lab))


@pytest.mark.parametrize(
    ("of_task", "of_machine", "status", "error"),
    [({"TimeoutSeconds": 1}, {}, "FAILED", "States.Timeout"), ({}, {"TimeoutSeconds": 1}, "TIMED_OUT", None)],
)
def test_whoever_waits_too_long_stops_what_it_waited_for(
    lab: Lab, of_task: dict[str, Any], of_machine: dict[str, Any], status: str, error: str | None
) -> None:
    run = lab.wait(parent(lab, waiting_for(child(lab, STAYS), **of_task), **of_machine))
    assert (run.status, run.error) == (status, error)
    aborted(lab, the_child(lab))


def test_a_branch_that_fails_stops_what_the_others_wait_for(lab: Lab) -> None:
    def wait_for_the_other(_: Any) -> None:
        the_child(lab)
        raise FunctionFailed("Broken")

    lab.services.functions["f"] = wait_for_the_other
    tasks = [waiting_for(child(lab, STAYS)), {"Type": "Task", "Resource": function("f"), "End": True}]
    branches = [{"StartAt": f"B{n}", "States": {f"B{n}": task}} for n, task in enumerate(tasks)]
    assert lab.state({"Type": "Parallel", "Branches": branches, "End": True}).error == "Broken"
    aborted(lab, the_child(lab))


def test_an_execution_that_may_not_stop_what_it_waits_for_is_aborted_without_it(lab: Lab) -> None:
    asked = threading.Event()

    def refuse(_: dict[str, Any]) -> Any:
        asked.set()
        raise CallFailed("StepFunctions.AWSStepFunctionsException", "not authorized")

    stop, lab.services.answers[STOP] = lab.services.answers[STOP], refuse
    execution = parent(lab, waiting_for(child(lab, STAYS)))
    the_child(lab)
    execution.stop(None, None)
    aborted(lab, execution)
    assert asked.wait(10)
    assert the_child(lab).status == "RUNNING"
    stop({"ExecutionArn": the_child(lab).order.arn})


def test_an_execution_that_only_starts_another_lets_it_run(lab: Lab) -> None:
    start = {**waiting_for(child(lab, STAYS)), "Resource": "arn:aws:states:::states:startExecution"}
    assert lab.wait(parent(lab, start)).status == "SUCCEEDED"
    assert the_child(lab).status == "RUNNING"
    the_child(lab).stop(None, None)


@pytest.mark.parametrize("ends", ["fails", "is stopped"])
def test_a_redrive_starts_another_nested_execution(lab: Lab, ends: str) -> None:
    breaks = [True]

    def work(_: Any) -> str:
        if breaks:
            raise FunctionFailed("Broken")
        return "mended"

    lab.services.functions["f"] = work
    states = {
        "First": {"Type": "Wait", "Seconds": 0 if ends == "fails" else 1, "Next": "Work"},
        "Work": {"Type": "Task", "Resource": function("f"), "End": True},
    }
    machine = lab.create({"StartAt": "First", "States": states}, name="child")
    execution = parent(lab, waiting_for(machine))
    if ends == "is stopped":
        the_child(lab)
        execution.stop(None, None)
    lab.wait(execution)
    breaks.clear()
    execution.redrive(None, dt.datetime.now(dt.UTC))
    run = lab.wait(execution)
    assert (run.status, run.output["Output"]) == ("SUCCEEDED", "mended")
    assert len(children(lab)) == 2
    assert run.output["ExecutionArn"] == children(lab)[-1].order.arn
