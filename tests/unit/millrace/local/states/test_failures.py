"""Retry, Catch, timeouts and heartbeats on the mended interpreter."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from millrace.local.states.calls import CallFailed
from millrace.local.states.errors import ApiError
from millrace.local.states.matching import matches

from .conftest import FunctionFailed, Lab, function


def task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": function("f"), "End": True, **fields}


def retry(*errors: str, **fields: Any) -> dict[str, Any]:
    return {"ErrorEquals": list(errors), "IntervalSeconds": 1, "MaxAttempts": 3, **fields}


def catch(*errors: str) -> list[dict[str, Any]]:
    return [{"ErrorEquals": list(errors), "ResultPath": "$.failure", "Next": "Caught"}]


class Failing:
    """A function that fails `times` times with the same error, and then answers."""

    def __init__(self, error: str, times: int = 1_000_000) -> None:
        self.error = error
        self.times = times
        self.calls = 0

    def __call__(self, _: Any) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise FunctionFailed(self.error, "no")
        return "done"


@pytest.mark.parametrize(
    ("listed", "error", "answers"),
    [
        (["A"], "A", True),
        (["A"], "B", False),
        (["States.ALL"], "A", True),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.Runtime", False),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
        (["States.Runtime"], "States.Runtime", False),
        (["States.TaskFailed"], "A", True),
        (["States.TaskFailed"], "States.Permissions", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.ALL"], None, True),
    ],
)
def test_an_error_list_answers_to_the_documented_errors(listed: list[str], error: str, answers: bool) -> None:
    assert matches(listed, error) is answers


def test_a_retry_runs_the_task_again_until_it_succeeds(lab: Lab) -> None:
    lab.services.functions["f"] = failing = Failing("Busy", times=2)
    lab.time_scale = 0
    run = lab.state(task(Retry=[retry("Busy")]))
    assert (run.output, failing.calls) == ("done", 3)
    assert run.types.count("LambdaFunctionFailed") == 2


def test_a_retry_gives_up_after_its_attempts(lab: Lab) -> None:
    lab.services.functions["f"] = failing = Failing("Busy")
    lab.time_scale = 0
    run = lab.state(task(Retry=[retry("Busy", MaxAttempts=2)]))
    assert (run.status, run.error, failing.calls) == ("FAILED", "Busy", 3)


def test_each_retrier_counts_its_own_attempts(lab: Lab) -> None:
    errors = iter(["A", "B", "A", "B"])

    def fail(_: Any) -> str:
        if (error := next(errors, None)) is not None:
            raise FunctionFailed(error)
        return "done"

    lab.services.functions["f"] = fail
    lab.time_scale = 0
    run = lab.state(task(Retry=[retry("A", MaxAttempts=2), retry("B", MaxAttempts=2)]))
    assert run.output == "done"


def test_a_retrier_with_no_attempts_goes_straight_to_catch(lab: Lab) -> None:
    lab.services.functions["f"] = failing = Failing("Refused")
    lab.time_scale = 0
    state = task(Retry=[retry("Refused", MaxAttempts=0), retry("States.ALL")], Catch=catch("Refused"))
    run = lab.state(state)
    assert (run.states, failing.calls) == (["It", "Caught"], 1)


def test_the_retry_count_is_in_the_context_object(lab: Lab) -> None:
    seen: list[int] = []

    def fail(event: dict[str, Any]) -> str:
        seen.append(event["n"])
        if len(seen) < 3:
            raise FunctionFailed("Busy")
        return "done"

    lab.services.functions["f"] = fail
    lab.time_scale = 0
    lab.state(task(Parameters={"n.$": "$$.State.RetryCount"}, Retry=[retry("Busy")]))
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"BackoffRate": 2}, [1, 2, 4]),
        ({"BackoffRate": 10, "MaxDelaySeconds": 5}, [1, 5, 5]),
        ({"IntervalSeconds": 3, "BackoffRate": 1}, [3, 3, 3]),
    ],
)
def test_retries_wait_longer_each_time_up_to_the_maximum(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], expected: list[int]
) -> None:
    rested = watch_rests(monkeypatch)
    lab.services.functions["f"] = Failing("Busy", times=3)
    lab.state(task(Retry=[retry("Busy", **fields)]))
    assert rested == expected


def test_full_jitter_waits_between_nothing_and_the_interval(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    rested = watch_rests(monkeypatch)
    lab.services.functions["f"] = Failing("Busy", times=20)
    lab.state(task(Retry=[retry("Busy", MaxAttempts=20, BackoffRate=1, IntervalSeconds=100, JitterStrategy="FULL")]))
    assert all(0 <= seconds <= 100 for seconds in rested)
    assert min(rested) < 50 < max(rested)


def watch_rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    from millrace.local.states.frames import Frame

    rested: list[float] = []
    monkeypatch.setattr(Frame, "rest", lambda _, seconds: rested.append(seconds))
    return rested


@pytest.mark.parametrize("resource", [function("f"), "arn:aws:states:::lambda:invoke"])
def test_a_function_error_without_a_type_is_lambda_unknown(lab: Lab, resource: str) -> None:
    from millrace.local.states.calls import function_failure

    def crash(_: Any) -> None:
        raise function_failure({"errorMessage": "it died"})

    lab.services.functions["f"] = crash
    parameters = {} if resource == function("f") else {"Parameters": {"FunctionName": function("f")}}
    run = lab.state({"Type": "Task", "Resource": resource, "End": True, **parameters})
    assert run.error == "Lambda.Unknown"
    assert "it died" in (run.cause or "")


@pytest.mark.parametrize("error", ["Lambda.ServiceException", "Lambda.TooManyRequestsException"])
def test_an_error_of_the_lambda_service_is_caught_by_its_name(lab: Lab, error: str) -> None:
    def refuse(_: Any) -> None:
        raise CallFailed(error, "try later")

    lab.services.functions["f"] = refuse
    run = lab.state(task(Catch=catch(error)), {})
    assert run.output["failure"] == {"Error": error, "Cause": "try later"}
    assert "LambdaFunctionFailed" in run.types


def test_an_optimized_task_tells_its_resource_when_it_fails(lab: Lab) -> None:
    def refuse(_: Any) -> None:
        raise CallFailed("DynamoDB.ConditionalCheckFailedException", "no")

    lab.services.answers["PutItem"] = refuse
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "t", "Item": {}},
        "Catch": catch("DynamoDB.ConditionalCheckFailedException"),
        "End": True,
    }
    run = lab.state(state, {})
    assert run.states == ["It", "Caught"]
    failed = next(event for event in run.events if event["type"] == "TaskFailed")
    assert failed["taskFailedEventDetails"] == {
        "resource": "putItem",
        "resourceType": "dynamodb",
        "error": "DynamoDB.ConditionalCheckFailedException",
        "cause": "no",
    }


def test_a_runtime_error_is_caught_by_nothing(lab: Lab) -> None:
    lab.services.functions["f"] = lambda _: 1
    run = lab.state(task(Parameters={"x.$": "$.no"}, Retry=[retry("States.ALL")], Catch=catch("States.ALL")), {})
    assert (run.status, run.error) == ("FAILED", "States.Runtime")
    assert run.states == ["It"]


def test_a_task_that_takes_too_long_is_a_timeout_and_its_later_answer_leaves_no_trace(lab: Lab) -> None:
    release = threading.Event()
    lab.services.functions["f"] = lambda _: release.wait(5)
    state = task(TimeoutSeconds=1, Catch=catch("States.Timeout"))
    definition = {
        "StartAt": "It",
        "States": {
            "It": state,
            "Caught": {"Type": "Wait", "Seconds": 1, "Next": "Last"},
            "Last": {"Type": "Pass", "End": True},
        },
    }
    execution = lab.start(lab.create(definition))
    time.sleep(1.3)
    release.set()
    run = lab.wait(execution)
    assert run.states == ["It", "Caught", "Last"]
    assert "LambdaFunctionTimedOut" in run.types
    assert "LambdaFunctionSucceeded" not in run.types


def test_a_timeout_is_not_task_failed(lab: Lab) -> None:
    lab.services.functions["f"] = lambda _: time.sleep(1.5)
    state = task(TimeoutSeconds=1, Catch=[*catch("States.TaskFailed"), *catch("States.ALL")])
    state["Catch"][0]["Next"] = "No"
    assert lab.state(state, {}).states == ["It", "Caught"]


def test_a_machine_that_takes_too_long_times_out(lab: Lab) -> None:
    definition = {
        "TimeoutSeconds": 1,
        "StartAt": "W",
        "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}},
    }
    run = lab.run(definition)
    assert run.status == "TIMED_OUT"
    assert run.types[-1] == "ExecutionTimedOut"


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Wait", "Seconds": 60, "End": True},
        task(Retry=[retry("Busy", IntervalSeconds=60)]),
        {
            "Type": "Map",
            "ItemProcessor": {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}},
            "End": True,
        },
    ],
    ids=["in a Wait", "between retries", "in a Map"],
)
def test_a_stopped_execution_is_aborted_at_once(lab: Lab, state: dict[str, Any]) -> None:
    lab.services.functions["f"] = Failing("Busy")
    threads = threading.active_count()
    execution = lab.start(lab.create({"StartAt": "It", "States": {"It": state}}), [1, 2])
    time.sleep(0.1)
    execution.stop("Why", "because")
    run = lab.wait(execution, 5)
    assert (run.status, run.error, run.cause) == ("ABORTED", "Why", "because")
    assert run.types[-1] == "ExecutionAborted"
    deadline = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= threads


def test_a_stopped_execution_stays_aborted_whatever_its_task_does_later(lab: Lab) -> None:
    release = threading.Event()

    def fail_late(_: Any) -> None:
        release.wait(5)
        raise FunctionFailed("Late")

    lab.services.functions["f"] = fail_late
    execution = lab.start(lab.create({"StartAt": "It", "States": {"It": task()}}))
    time.sleep(0.1)
    execution.stop(None, None)
    before = lab.history(execution)
    release.set()
    time.sleep(0.1)
    assert execution.status == "ABORTED"
    assert lab.history(execution) == before


WAITING = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}},
    "End": True,
}


def send_tokens_to(lab: Lab, tokens: list[str]) -> None:
    def send(parameters: dict[str, Any]) -> dict[str, str]:
        tokens.append(parameters["MessageBody"]["token"])
        return {"MessageId": "m"}

    lab.services.answers["SendMessage"] = send


def first_of(tokens: list[str], number: int = 0) -> str:
    deadline = time.monotonic() + 5
    while len(tokens) <= number and time.monotonic() < deadline:
        time.sleep(0.01)
    return tokens[number]


def test_a_task_token_ends_the_task_with_its_output(lab: Lab) -> None:
    tokens: list[str] = []
    send_tokens_to(lab, tokens)
    execution = lab.start(lab.create({"StartAt": "It", "States": {"It": WAITING}}))
    lab.api.send_task_success({"taskToken": first_of(tokens), "output": '{"a": 1}'})
    run = lab.wait(execution)
    assert run.output == {"a": 1}
    assert "TaskSubmitted" in run.types


@pytest.mark.parametrize("resource", ["sqs:sendMessage", "lambda:invoke"])
def test_a_task_token_fails_the_task_with_its_error(lab: Lab, resource: str) -> None:
    tokens: list[str] = []
    send_tokens_to(lab, tokens)
    lab.services.functions["f"] = lambda event: tokens.append(event["token"])
    parameters = {"FunctionName": function("f"), "Payload": {"token.$": "$$.Task.Token"}}
    state = {
        **WAITING,
        "Resource": f"arn:aws:states:::{resource}.waitForTaskToken",
        **({"Parameters": parameters} if resource == "lambda:invoke" else {}),
        "Catch": catch("Refused"),
    }
    definition = {"StartAt": "It", "States": {"It": state, "Caught": {"Type": "Pass", "End": True}}}
    execution = lab.start(lab.create(definition))
    lab.api.send_task_failure({"taskToken": first_of(tokens), "error": "Refused", "cause": "why"})
    assert lab.wait(execution).output["failure"] == {"Error": "Refused", "Cause": "why"}


def test_a_token_that_is_used_up_is_timed_out(lab: Lab) -> None:
    tokens: list[str] = []
    send_tokens_to(lab, tokens)
    lab.state({**WAITING, "HeartbeatSeconds": 1, "Catch": catch("States.Timeout")}, {})
    with pytest.raises(ApiError) as refused:
        lab.api.send_task_success({"taskToken": tokens[0], "output": "{}"})
    assert refused.value.code == "TaskTimedOut"


def test_each_attempt_has_a_task_token_of_its_own(lab: Lab) -> None:
    tokens: list[str] = []
    send_tokens_to(lab, tokens)
    lab.time_scale = 0
    state = {**WAITING, "Retry": [retry("Try again")]}
    execution = lab.start(lab.create({"StartAt": "It", "States": {"It": state}}))
    lab.api.send_task_failure({"taskToken": first_of(tokens), "error": "Try again"})
    lab.api.send_task_success({"taskToken": first_of(tokens, 1), "output": "2"})
    assert lab.wait(execution).output == 2
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("error", ["States.Timeout", "States.HeartbeatTimeout"])
def test_a_missing_heartbeat_is_a_timeout_by_either_name(lab: Lab, error: str) -> None:
    tokens: list[str] = []
    send_tokens_to(lab, tokens)
    run = lab.state({**WAITING, "HeartbeatSeconds": 1, "Catch": catch(error)}, {})
    assert run.states == ["It", "Caught"]
    assert "TaskTimedOut" in run.types


def test_heartbeats_keep_a_task_waiting(lab: Lab) -> None:
    tokens: list[str] = []
    send_tokens_to(lab, tokens)
    execution = lab.start(lab.create({"StartAt": "It", "States": {"It": {**WAITING, "HeartbeatSeconds": 1}}}))
    token = first_of(tokens)
    for _ in range(3):
        time.sleep(0.5)
        lab.api.send_task_heartbeat({"taskToken": token})
    lab.api.send_task_success({"taskToken": token, "output": "1"})
    assert lab.wait(execution).output == 1


def test_a_heartbeat_without_a_timeout_does_not_limit_the_task(lab: Lab) -> None:
    definition = {"StartAt": "It", "States": {"It": {**WAITING, "HeartbeatSeconds": 5}}}
    program = lab.api.engine.parse(json.dumps(definition)).program
    assert program is not None
    assert program.states.states["It"].timeout.timeout_seconds == 99_999_999


def test_a_caught_failure_leaves_no_noise_in_the_log(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.services.functions["f"] = Failing("Refused")
    assert lab.state(task(Catch=catch("Refused")), {}).status == "SUCCEEDED"
    assert caplog.text == ""


BIG = "x" * 262_142  # its JSON text, with two quotes, has 262,144 bytes


@pytest.mark.parametrize(("size", "status"), [(0, "SUCCEEDED"), (1, "FAILED")])
def test_a_state_output_may_have_262144_bytes(lab: Lab, size: int, status: str) -> None:
    lab.services.functions["f"] = lambda _: {"a": BIG[: 262_144 - 8 + size]}
    run = lab.state(task(Catch=catch("States.ALL")), {})
    assert run.status == status
    if status == "FAILED":
        assert run.error == "States.DataLimitExceeded"


def test_the_limit_counts_utf8_bytes(lab: Lab) -> None:
    lab.services.functions["f"] = lambda _: {"a": "é" * 131_000}
    assert lab.state(task(), {}).status == "SUCCEEDED"


def test_a_loop_ends_at_25000_events(lab: Lab) -> None:
    definition = {
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}},
    }
    run = lab.wait(lab.start(lab.create(definition)), 60)
    assert (run.status, len(run.events), run.types[-1]) == ("FAILED", 25_000, "ExecutionFailed")
    assert "maximum number of history events" in (run.cause or "")


def test_a_task_calls_as_the_role_and_in_the_region_of_its_machine(lab: Lab) -> None:
    lab.services.answers["GetItem"] = lambda _: {}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:getItem",
        "Parameters": {"TableName": "t", "Key": {}},
        "End": True,
    }
    lab.state(state)
    [caller] = lab.services.callers
    assert (caller.region, caller.role, caller.account) == (
        "eu-west-1",
        "arn:aws:iam::123456789012:role/machine",
        "123456789012",
    )
