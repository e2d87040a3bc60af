"""RedriveExecution: what runs again, and with what."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Any

import pytest

from millrace.local.states.errors import ApiError
from millrace.local.states.executions import Execution, redrive_refusal

from .conftest import FunctionFailed, Lab, Run, function

NOW = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)


def task(name: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": function(name), "End": True, **fields}


class Mending:
    """A function that fails until it is mended, for the inputs that are listed or for all."""

    def __init__(self, *broken: Any) -> None:
        self.broken = broken
        self.mended = False
        self.calls: list[Any] = []

    def __call__(self, event: Any) -> Any:
        self.calls.append(event)
        if not self.mended and (not self.broken or event in self.broken):
            raise FunctionFailed("Broken", f"{event}")
        return event


def redrive(lab: Lab, execution: Execution) -> Run:
    lab.api.redrive_execution({"executionArn": execution.order.arn})
    return lab.wait(execution)


def test_a_redrive_continues_at_the_failed_state_with_its_input(lab: Lab) -> None:
    first, second = Mending("never"), Mending()
    lab.services.functions.update(first=first, second=second)
    definition = {
        "StartAt": "A",
        "States": {
            "A": task("first", ResultPath="$.a") | {"Next": "B"},
            "B": task("second", ResultPath="$.b", Next="C"),
            "C": {
                "Type": "Pass",
                "Parameters": {"redrives.$": "$$.Execution.RedriveCount", "in.$": "$"},
                "End": True,
            },
        },
    }
    for state in ("A", "B"):
        del definition["States"][state]["End"]  # type: ignore[attr-defined]
    execution = lab.start(lab.create(definition), {"k": 1})
    assert lab.wait(execution).error == "Broken"
    second.mended = True
    run = redrive(lab, execution)
    assert run.status == "SUCCEEDED"
    assert run.output["redrives"] == 1
    assert run.output["in"]["k"] == 1
    assert (len(first.calls), len(second.calls)) == (1, 2)
    assert second.calls[0] == second.calls[1]


def test_the_history_goes_on_after_execution_redriven(lab: Lab) -> None:
    lab.services.functions["f"] = broken = Mending()
    execution = lab.start(lab.create({"StartAt": "A", "States": {"A": task("f")}}))
    failed = lab.wait(execution)
    broken.mended = True
    run = redrive(lab, execution)
    assert run.events[: len(failed.events)] == failed.events
    after = run.events[len(failed.events) :]
    assert after[0]["type"] == "ExecutionRedriven"
    assert after[0]["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert [event["type"] for event in after[1:]] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert [event["id"] for event in run.events] == list(range(1, len(run.events) + 1))


def test_the_description_tells_of_the_redrive(lab: Lab) -> None:
    lab.services.functions["f"] = broken = Mending()
    execution = lab.start(lab.create({"StartAt": "A", "States": {"A": task("f")}}))
    arn = {"executionArn": execution.order.arn}
    lab.wait(execution)
    described = lab.api.describe_execution(arn)
    assert (described["redriveStatus"], described["redriveCount"]) == ("REDRIVABLE", 0)
    broken.mended = True
    redrive(lab, execution)
    described = lab.api.describe_execution(arn)
    assert (described["status"], described["redriveCount"]) == ("SUCCEEDED", 1)
    assert described["redriveStatus"] == "NOT_REDRIVABLE"
    assert described["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    assert "error" not in described
    assert described["redriveDate"] >= described["startDate"]
    assert lab.statuses == ["RUNNING", "FAILED", "RUNNING", "SUCCEEDED"]


def test_iterations_that_succeeded_do_not_run_again(lab: Lab) -> None:
    lab.services.functions["f"] = work = Mending(2)
    state = {
        "Type": "Map",
        "MaxConcurrency": 1,
        "ItemProcessor": {"StartAt": "T", "States": {"T": task("f")}},
        "End": True,
    }
    execution = lab.start(lab.create({"StartAt": "M", "States": {"M": state}}), [0, 1, 2, 3])
    assert lab.wait(execution).status == "FAILED"
    assert work.calls == [0, 1, 2]
    work.mended = True
    assert redrive(lab, execution).output == [0, 1, 2, 3]
    assert work.calls == [0, 1, 2, 2, 3]


def test_an_iteration_continues_where_it_stood(lab: Lab) -> None:
    first, second = Mending("never"), Mending(1)
    lab.services.functions.update(first=first, second=second)
    states = {"A": {"Type": "Task", "Resource": function("first"), "Next": "B"}, "B": task("second")}
    state = {"Type": "Map", "ItemProcessor": {"StartAt": "A", "States": states}, "End": True}
    execution = lab.start(lab.create({"StartAt": "M", "States": {"M": state}}), [1])
    lab.wait(execution)
    second.mended = True
    assert redrive(lab, execution).output == [1]
    assert (first.calls, second.calls) == ([1], [1, 1])


def test_branches_that_succeeded_do_not_run_again(lab: Lab) -> None:
    good, bad = Mending("never"), Mending()
    lab.services.functions.update(good=good, bad=lambda event: (time.sleep(0.1), bad(event))[1])
    branches = [{"StartAt": name, "States": {name: task(name)}} for name in ("good", "bad")]
    execution = lab.start(
        lab.create({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": True}}}),
        5,
    )
    assert lab.wait(execution).status == "FAILED"
    bad.mended = True
    assert redrive(lab, execution).output == [5, 5]
    assert (len(good.calls), len(bad.calls)) == (1, 2)


def test_an_aborted_execution_is_redriven_and_its_old_task_cannot_disturb_it(lab: Lab) -> None:
    release = threading.Event()
    answers = iter(["old", "new"])

    def work(_: Any) -> str:
        answer = next(answers)
        if answer == "old":
            release.wait(5)
        return answer

    lab.services.functions["f"] = work
    execution = lab.start(lab.create({"StartAt": "A", "States": {"A": task("f")}}))
    time.sleep(0.1)
    execution.stop(None, None)
    run = redrive(lab, execution)
    release.set()
    time.sleep(0.1)
    assert run.output == "new"
    assert lab.history(execution) == run.events


def test_a_timed_out_execution_has_its_whole_time_again(lab: Lab) -> None:
    definition = {
        "TimeoutSeconds": 1,
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Next": "W"},
            "W": {"Type": "Wait", "SecondsPath": "$.s", "Next": "B"},
            "B": {"Type": "Pass", "End": True},
        },
    }
    execution = lab.start(lab.create(definition), {"s": 2})
    assert lab.wait(execution).status == "TIMED_OUT"
    lab.time_scale = 0.1
    run = redrive(lab, execution)
    assert (run.status, run.states) == ("SUCCEEDED", ["A", "W", "B"])


def test_a_fail_state_fails_again(lab: Lab) -> None:
    execution = lab.start(lab.create({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}}))
    lab.wait(execution)
    run = redrive(lab, execution)
    assert (run.status, run.error, run.states) == ("FAILED", "E", ["F", "F"])


def test_the_retries_of_a_state_begin_anew(lab: Lab) -> None:
    lab.services.functions["f"] = work = Mending()
    lab.time_scale = 0
    state = task("f", Retry=[{"ErrorEquals": ["Broken"], "MaxAttempts": 1}])
    execution = lab.start(lab.create({"StartAt": "A", "States": {"A": state}}))
    lab.wait(execution)
    redrive(lab, execution)
    assert len(work.calls) == 4


def test_a_redriven_execution_keeps_its_definition(lab: Lab) -> None:
    lab.services.functions["f"] = work = Mending()
    machine = lab.create({"StartAt": "A", "States": {"A": task("f")}})
    execution = lab.start(machine, 1)
    lab.wait(execution)
    definition = '{"StartAt": "Z", "States": {"Z": {"Type": "Succeed"}}}'
    lab.api.update_state_machine({"stateMachineArn": machine, "definition": definition})
    work.mended = True
    assert redrive(lab, execution).states == ["A"]


def test_the_same_token_is_the_same_redrive(lab: Lab) -> None:
    execution = lab.start(lab.create({"StartAt": "F", "States": {"F": {"Type": "Fail"}}}))
    lab.wait(execution)
    request = {"executionArn": execution.order.arn, "clientToken": "once"}
    first = lab.api.redrive_execution(request)
    lab.wait(execution)
    assert lab.api.redrive_execution(request) == first
    assert execution.redrives == 1


@pytest.mark.parametrize(
    ("status", "stopped", "events", "redrives", "reason"),
    [
        ("FAILED", NOW, 10, 0, None),
        ("ABORTED", NOW - dt.timedelta(days=14), 10, 0, None),
        ("TIMED_OUT", NOW, 10, 999, None),
        ("RUNNING", None, 10, 0, "Execution is RUNNING and cannot be redriven"),
        ("SUCCEEDED", NOW, 10, 0, "Execution is SUCCEEDED and cannot be redriven"),
        ("FAILED", NOW - dt.timedelta(days=14, seconds=1), 10, 0, "Execution redrivable period exceeded"),
        ("FAILED", NOW, 25_000, 0, "Execution history event limit exceeded"),
        ("FAILED", NOW, 10, 1000, "Execution redrive limit exceeded"),
    ],
)
def test_an_execution_is_redriven_only_where_documented(
    status: str, stopped: dt.datetime | None, events: int, redrives: int, reason: str | None
) -> None:
    assert redrive_refusal(status, stopped, events, redrives, NOW) == reason


def test_a_running_execution_is_not_redriven(lab: Lab) -> None:
    state = {"Type": "Wait", "Seconds": 60, "End": True}
    execution = lab.start(lab.create({"StartAt": "W", "States": {"W": state}}))
    with pytest.raises(ApiError) as refused:
        lab.api.redrive_execution({"executionArn": execution.order.arn})
    assert refused.value.code == "ExecutionNotRedrivable"
    execution.stop(None, None)
