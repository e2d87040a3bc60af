"""Tasks that hand their token to a function and wait for somebody to answer it."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, eventually, function, name, role
from tests.substrate import MOCKS, configure

pytestmark = pytest.mark.network

INVOKE = "arn:aws:states:::lambda:invoke.waitForTaskToken"
ANSWERS = """
    import boto3, json
    states = boto3.client("stepfunctions")
    def handler(event, context):
        states.send_task_success(taskToken=event["token"], output=json.dumps({"told": event["job"]}))
        return {"ignored": True}
"""
FAILS = """
    import boto3
    states = boto3.client("stepfunctions")
    def handler(event, context):
        states.send_task_failure(taskToken=event["token"], error="TooLate", cause="it was late")
"""
SILENT = "def handler(event, context): return {'accepted': event['job']}"
BREAKS = """
    class Broken(Exception): pass
    def handler(event, context): raise Broken('at once')
"""


class Waiting:
    """A machine of one task that waits for its token, and the function that the task invokes."""

    def __init__(self, aws: Instance, code: str, *statements: dict[str, Any], **fields: Any) -> None:
        self.aws = aws
        self.states = aws.client("stepfunctions", read_timeout=30)
        self.called = name("machine")
        self.arn = f"arn:aws:states:{aws.region}:{aws.account}:stateMachine:{self.called}"
        self.answering = allow("states:SendTaskSuccess", "states:SendTaskFailure", on=self.arn)
        self.function = function(aws, code, *(statements or (self.answering,)))
        self.function_arn = f"arn:aws:lambda:{aws.region}:{aws.account}:function:{self.function}"
        self.role = role(aws, "states", allow("lambda:InvokeFunction", on=self.function_arn))
        task = {
            "Type": "Task",
            "Resource": INVOKE,
            "Parameters": {
                "FunctionName": self.function_arn,
                "Payload": {"job.$": "$.job", "token.$": "$$.Task.Token"},
            },
            "End": True,
            **fields,
        }
        definition = {"StartAt": "Wait", "States": {"Wait": task}}
        self.states.create_state_machine(name=self.called, definition=json.dumps(definition), roleArn=self.role)

    def start(self, case: str = "") -> str:
        arn = f"{self.arn}#{case}" if case else self.arn
        return str(self.states.start_execution(stateMachineArn=arn, input='{"job": "j"}')["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            told: dict[str, Any] = self.states.describe_execution(executionArn=execution)
            return told if told["status"] != "RUNNING" else {}

        return eventually(look, within=20)

    def run(self, case: str = "") -> tuple[str, dict[str, Any]]:
        execution = self.start(case)
        return execution, self.ended(execution)

    def events(self, execution: str, kind: str = "") -> list[dict[str, Any]]:
        told = self.states.get_execution_history(executionArn=execution, includeExecutionData=True)["events"]
        return [event for event in told if event["type"].startswith(kind)]

    def tokens(self, execution: str, count: int = 1) -> list[str]:
        """The tokens that were handed to the function, once it has taken that many."""

        def look() -> list[dict[str, Any]]:
            submitted = self.events(execution, "TaskSubmitted")
            return self.events(execution, "TaskScheduled") if len(submitted) >= count else []

        return [token_of(event) for event in eventually(look, within=20)]

    def answer(self, token: str, output: Any = "done") -> None:
        self.states.send_task_success(taskToken=token, output=json.dumps(output))


def token_of(scheduled: dict[str, Any]) -> str:
    return str(json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Payload"]["token"])


def refused(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_the_answer_is_the_states_output_and_the_functions_own_answer_is_not(embedded_aws: Instance):
    _, told = Waiting(embedded_aws, ANSWERS).run()
    assert told["status"] == "SUCCEEDED", told
    assert json.loads(told["output"]) == {"told": "j"}


def test_a_failure_that_is_told_has_its_error_and_cause(embedded_aws: Instance):
    _, told = Waiting(embedded_aws, FAILS).run()
    assert (told["status"], told["error"], told["cause"]) == ("FAILED", "TooLate", "it was late")


def test_the_events_are_those_of_a_callback_task(embedded_aws: Instance):
    machine = Waiting(embedded_aws, SILENT, TimeoutSeconds=60)
    execution = machine.start()
    (token,) = machine.tokens(execution)
    machine.answer(token, {"answer": 1})
    machine.ended(execution)
    events = machine.events(execution, "Task")
    events = [event for event in events if "State" not in event["type"]]
    assert [event["type"] for event in events] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    named = {"resourceType": "lambda", "resource": "invoke.waitForTaskToken"}
    for event in events:
        details = event[f"{event['type'][0].lower()}{event['type'][1:]}EventDetails"]
        assert named.items() <= details.items()
    assert events[0]["taskScheduledEventDetails"]["timeoutInSeconds"] == 60
    submitted = json.loads(events[2]["taskSubmittedEventDetails"]["output"])
    assert (submitted["Payload"], submitted["StatusCode"]) == ({"accepted": "j"}, 200)
    assert json.loads(events[3]["taskSucceededEventDetails"]["output"]) == {"answer": 1}


def test_a_token_is_answered_once(embedded_aws: Instance):
    machine = Waiting(embedded_aws, SILENT)
    execution = machine.start()
    (token,) = machine.tokens(execution)

    def answer(number: int) -> bool:
        try:
            machine.answer(token, number)
        except machine.states.exceptions.TaskTimedOut:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        accepted = [number for number, first in enumerate(pool.map(answer, range(16))) if first]
    assert len(accepted) == 1
    assert json.loads(machine.ended(execution)["output"]) == accepted[0]
    assert not answer(17)


def test_what_is_no_token_is_refused(embedded_aws: Instance):
    states = embedded_aws.client("stepfunctions")
    for junk in ("junk", "AQCAAAAAKgAAAAMAAAAA", "a" * 1024):
        with pytest.raises(ClientError) as error:
            states.send_task_success(taskToken=junk, output="1")
        assert refused(error) == "InvalidToken"


def test_an_error_of_the_invoked_function_fails_the_state_and_its_token(embedded_aws: Instance):
    machine = Waiting(embedded_aws, BREAKS)
    execution, told = machine.run()
    assert (told["status"], told["error"]) == ("FAILED", "Broken")
    with pytest.raises(ClientError) as error:
        machine.answer(token_of(machine.events(execution, "TaskScheduled")[0]))
    assert refused(error) == "TaskTimedOut"


def test_a_retry_has_a_new_token_and_the_old_one_no_longer_counts(embedded_aws: Instance):
    code = """
        import os, pathlib
        seen = pathlib.Path(os.environ["TMPDIR"], "seen")
        class Broken(Exception): pass
        def handler(event, context):
            if not seen.exists():
                seen.touch()
                raise Broken
    """
    retry = [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    machine = Waiting(embedded_aws, code, Retry=retry)
    execution = machine.start()
    old, new = machine.tokens(execution)
    assert old != new
    with pytest.raises(ClientError) as error:
        machine.answer(old)
    assert refused(error) == "TaskTimedOut"
    machine.answer(new, "new")
    assert json.loads(machine.ended(execution)["output"]) == "new"


def test_an_answer_that_came_before_the_function_failed_counts(embedded_aws: Instance):
    code = ANSWERS.replace('return {"ignored": True}', "raise ValueError('after it had answered')")
    _, told = Waiting(embedded_aws, code).run()
    assert (told["status"], json.loads(told["output"])) == ("SUCCEEDED", {"told": "j"})


def test_a_state_that_waits_too_long_times_out_and_its_token_with_it(embedded_aws: Instance):
    machine = Waiting(embedded_aws, SILENT, TimeoutSeconds=1)
    execution, told = machine.run()
    assert (told["status"], told["error"]) == ("FAILED", "States.Timeout")
    assert machine.events(execution, "TaskTimedOut")
    with pytest.raises(ClientError) as error:
        machine.answer(token_of(machine.events(execution, "TaskScheduled")[0]))
    assert refused(error) == "TaskTimedOut"


def test_a_timeout_can_be_retried_with_a_new_token_while_the_function_still_runs(embedded_aws: Instance):
    code = "import time\ndef handler(e, c): time.sleep(3)"
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    machine = Waiting(embedded_aws, code, TimeoutSeconds=1, Retry=retry)
    execution = machine.start()
    eventually(lambda: len(machine.events(execution, "TaskScheduled")) == 2)
    old = token_of(machine.events(execution, "TaskScheduled")[0])
    with pytest.raises(ClientError) as error:
        machine.answer(old)
    assert refused(error) == "TaskTimedOut"


def test_stopping_ends_the_wait_at_once_and_a_redrive_invokes_again(embedded_aws: Instance):
    machine = Waiting(embedded_aws, SILENT)
    execution = machine.start()
    (old,) = machine.tokens(execution)
    began = time.monotonic()
    machine.states.stop_execution(executionArn=execution)
    assert machine.ended(execution)["status"] == "ABORTED"
    assert time.monotonic() - began < 1
    machine.states.redrive_execution(executionArn=execution)
    _, new = machine.tokens(execution, 2)
    with pytest.raises(ClientError) as error:
        machine.answer(old)
    assert refused(error) == "TaskTimedOut"
    machine.answer(new, "redriven")
    told = machine.ended(execution)
    assert (told["status"], json.loads(told["output"])) == ("SUCCEEDED", "redriven")


def test_the_token_may_be_answered_by_who_is_allowed_to_for_that_machine(embedded_aws: Instance):
    other = f"arn:aws:states:{embedded_aws.region}:{embedded_aws.account}:stateMachine:another"
    embedded_aws.forget_calls()
    denied = Waiting(embedded_aws, ANSWERS, allow("states:SendTaskSuccess", on=other))
    _, told = denied.run()
    assert (told["status"], told["error"]) == ("FAILED", "ClientError")
    assert "AccessDenied" in told["cause"]
    allowed = Waiting(embedded_aws, ANSWERS)
    assert allowed.run()[1]["status"] == "SUCCEEDED"
    answered = [
        (call["resource"], call["allowed"])
        for call in embedded_aws.calls()
        if call["action"] == "states:SendTaskSuccess"
    ]
    assert answered == [(denied.arn, False), (allowed.arn, True)]
    invoked = {call["resource"] for call in embedded_aws.calls() if call["action"] == "lambda:InvokeFunction"}
    assert invoked == {denied.function_arn, allowed.function_arn}


def test_a_machine_that_may_not_invoke_fails(embedded_aws: Instance):
    machine = Waiting(embedded_aws, SILENT)
    embedded_aws.client("iam").delete_role_policy(RoleName=machine.role.rpartition("/")[2], PolicyName="p")
    _, told = machine.run()
    assert (told["status"], told["error"]) == ("FAILED", "Lambda.AWSLambdaException")


def test_a_lost_answer_of_send_task_success_has_had_its_effect(embedded_aws: Instance):
    machine = Waiting(embedded_aws, SILENT)
    execution = machine.start()
    (token,) = machine.tokens(execution)
    embedded_aws.order_fault("states:SendTaskSuccess", when="after", code="InternalFailure", nth=[1])
    try:
        with pytest.raises(ClientError) as error:
            machine.answer(token)
        assert refused(error) == "InternalFailure"
    finally:
        embedded_aws.forget_faults()
    assert machine.ended(execution)["status"] == "SUCCEEDED"


def test_a_mocked_answer_takes_the_place_of_function_and_token(embedded_aws: Instance, mocked: Any):
    machine = Waiting(embedded_aws, SILENT)
    mocked(machine.called, {"Return": {"counted": 3}})
    _, told = machine.run("Case")
    assert (told["status"], json.loads(told["output"])) == ("SUCCEEDED", {"counted": 3})
    mocked(machine.called, {"Throw": {"Error": "Lost", "Cause": "by order"}})
    _, told = machine.run("Case")
    assert (told["status"], told["error"], told["cause"]) == ("FAILED", "Lost", "by order")


@pytest.fixture
def mocked(embedded_aws: Instance) -> Any:
    def order(machine: str, answer: dict[str, Any]) -> None:
        configuration = {
            "StateMachines": {machine: {"TestCases": {"Case": {"Wait": "answer"}}}},
            "MockedResponses": {"answer": {"0": answer}},
        }
        configure(embedded_aws, {MOCKS: configuration})

    yield order
    configure(embedded_aws, {MOCKS: {}})


def test_a_long_wait_costs_no_processor_time(embedded_aws: Instance):
    machine = Waiting(embedded_aws, SILENT, TimeoutSeconds=600)
    executions = [machine.start() for _ in range(4)]
    for execution in executions:
        machine.tokens(execution)
    before = processor_seconds(embedded_aws.process.pid)
    threading.Event().wait(2)
    spent = processor_seconds(embedded_aws.process.pid) - before
    for execution in executions:
        machine.states.stop_execution(executionArn=execution)
    assert spent < 0.1


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / 100
