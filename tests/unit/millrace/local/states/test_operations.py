"""The API's operations, asked through the door: every request and every answer is held against the API's model."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from millrace.local.states import executions
from millrace.local.states.door import Door

from .conftest import ACCOUNT, REGION, ROLE, FunctionFailed, Lab, function

DEFINITION = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
WAITING = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}})
LOGGING = {
    "level": "ERROR",
    "includeExecutionData": True,
    "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/g:*"}}],
}


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(lab: Lab) -> Ask:
    class One:
        def of(self, account: str, region: str) -> Any:
            assert (account, region) == (ACCOUNT, REGION)
            return lab.api

    door = Door(One)  # type: ignore[arg-type]

    def ask_door(operation: str, **request: Any) -> dict[str, Any]:
        status, _, body = door.do(operation, request, ACCOUNT, REGION)
        answer = json.loads(body)
        if status >= 400:
            raise Refused(answer["__type"], answer["message"])
        return dict(answer)

    return ask_door


@pytest.fixture
def machine(ask: Ask) -> str:
    return str(ask("CreateStateMachine", name="m", definition=DEFINITION, roleArn=ROLE)["stateMachineArn"])


def ended(ask: Ask, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        told = ask("DescribeExecution", executionArn=execution)
        if told["status"] != "RUNNING":
            return told
        time.sleep(0.005)
    raise AssertionError("still running")


def test_a_machine_is_described_as_it_was_created(ask: Ask) -> None:
    arn = ask(
        "CreateStateMachine",
        name="m",
        definition=DEFINITION,
        roleArn=ROLE,
        loggingConfiguration=LOGGING,
        tracingConfiguration={"enabled": True},
        tags=[{"key": "k", "value": "v"}],
    )["stateMachineArn"]
    assert arn == "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
    told = ask("DescribeStateMachine", stateMachineArn=arn)
    del told["creationDate"]
    assert told == {
        "stateMachineArn": arn,
        "name": "m",
        "status": "ACTIVE",
        "definition": DEFINITION,
        "roleArn": ROLE,
        "type": "STANDARD",
        "loggingConfiguration": LOGGING,
        "tracingConfiguration": {"enabled": True},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    }
    assert ask("ListTagsForResource", resourceArn=arn) == {"tags": [{"key": "k", "value": "v"}]}


def test_creating_the_same_machine_again_is_idempotent(ask: Ask, machine: str) -> None:
    again = ask("CreateStateMachine", name="m", definition=DEFINITION, roleArn=ROLE)
    assert again["stateMachineArn"] == machine
    with pytest.raises(Refused, match="StateMachineAlreadyExists"):
        ask("CreateStateMachine", name="m", definition=WAITING, roleArn=ROLE)


@pytest.mark.parametrize("name", ["with space", "a/b", "a:b", "a*", "a#b"])
def test_a_name_that_is_not_allowed_is_refused(ask: Ask, name: str) -> None:
    with pytest.raises(Refused, match="InvalidName"):
        ask("CreateStateMachine", name=name, definition=DEFINITION, roleArn=ROLE)


def test_a_name_of_81_characters_is_refused(ask: Ask, machine: str) -> None:
    with pytest.raises(Refused, match="ValidationException"):
        ask("StartExecution", stateMachineArn=machine, name="x" * 81)


@pytest.mark.parametrize(
    "definition",
    [
        "{",
        "[]",
        '{"States": {"A": {"Type": "Succeed"}}}',
        '{"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}',
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}',
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Nonsense": 1}}}',
    ],
)
def test_a_broken_definition_is_refused_at_creation_and_at_update(ask: Ask, machine: str, definition: str) -> None:
    with pytest.raises(Refused, match="InvalidDefinition"):
        ask("CreateStateMachine", name="n", definition=definition, roleArn=ROLE)
    with pytest.raises(Refused, match="InvalidDefinition"):
        ask("UpdateStateMachine", stateMachineArn=machine, definition=definition)
    assert ask("ValidateStateMachineDefinition", definition=definition)["result"] == "FAIL"
    assert ask("DescribeStateMachine", stateMachineArn=machine)["definition"] == DEFINITION


def test_a_good_definition_is_valid(ask: Ask) -> None:
    assert ask("ValidateStateMachineDefinition", definition=DEFINITION) == {
        "result": "OK",
        "diagnostics": [],
        "truncated": False,
    }


def test_an_update_gives_a_new_revision_and_later_executions_run_it(ask: Ask, machine: str) -> None:
    updated = ask("UpdateStateMachine", stateMachineArn=machine, definition=WAITING, loggingConfiguration=LOGGING)
    told = ask("DescribeStateMachine", stateMachineArn=machine)
    assert told["revisionId"] == updated["revisionId"]
    assert (told["definition"], told["loggingConfiguration"]) == (WAITING, LOGGING)
    execution = ask("StartExecution", stateMachineArn=machine)["executionArn"]
    assert ask("DescribeStateMachineForExecution", executionArn=execution)["definition"] == WAITING
    same = ask("UpdateStateMachine", stateMachineArn=machine, definition=WAITING)
    assert same["revisionId"] == updated["revisionId"]
    ask("StopExecution", executionArn=execution)


def test_an_execution_keeps_the_definition_that_it_was_started_with(ask: Ask) -> None:
    arn = ask("CreateStateMachine", name="w", definition=WAITING, roleArn=ROLE)["stateMachineArn"]
    execution = ask("StartExecution", stateMachineArn=arn)["executionArn"]
    ask("UpdateStateMachine", stateMachineArn=arn, definition=DEFINITION)
    assert ask("DescribeStateMachineForExecution", executionArn=execution)["definition"] == WAITING
    ask("StopExecution", executionArn=execution)


def test_an_update_of_nothing_is_refused(ask: Ask, machine: str) -> None:
    with pytest.raises(Refused, match="MissingRequiredParameter"):
        ask("UpdateStateMachine", stateMachineArn=machine)


def test_logging_without_a_destination_is_refused(ask: Ask) -> None:
    with pytest.raises(Refused, match="InvalidLoggingConfiguration"):
        ask(
            "CreateStateMachine",
            name="n",
            definition=DEFINITION,
            roleArn=ROLE,
            loggingConfiguration={"level": "ALL"},
        )


def test_a_deleted_machine_is_gone_and_its_executions_stop(ask: Ask, lab: Lab) -> None:
    arn = ask("CreateStateMachine", name="w", definition=WAITING, roleArn=ROLE)["stateMachineArn"]
    execution = lab.api.executions[ask("StartExecution", stateMachineArn=arn)["executionArn"]]
    assert ask("DeleteStateMachine", stateMachineArn=arn) == {}
    assert ask("DeleteStateMachine", stateMachineArn=arn) == {}
    assert execution.status == "ABORTED"
    with pytest.raises(Refused, match="StateMachineDoesNotExist"):
        ask("DescribeStateMachine", stateMachineArn=arn)
    assert ask("ListStateMachines") == {"stateMachines": []}


def test_machines_are_listed_in_pages(ask: Ask) -> None:
    for name in ("a", "b", "c"):
        ask("CreateStateMachine", name=name, definition=DEFINITION, roleArn=ROLE)
    first = ask("ListStateMachines", maxResults=2)
    second = ask("ListStateMachines", maxResults=2, nextToken=first["nextToken"])
    names = [item["name"] for item in first["stateMachines"] + second["stateMachines"]]
    assert (names, "nextToken" in second) == (["a", "b", "c"], False)
    with pytest.raises(Refused, match="InvalidToken"):
        ask("ListStateMachines", nextToken="nonsense")


def test_tags_are_merged_and_taken_away(ask: Ask, machine: str) -> None:
    ask("TagResource", resourceArn=machine, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    ask("TagResource", resourceArn=machine, tags=[{"key": "a", "value": "3"}])
    ask("UntagResource", resourceArn=machine, tagKeys=["b", "never there"])
    assert ask("ListTagsForResource", resourceArn=machine) == {"tags": [{"key": "a", "value": "3"}]}


def test_no_resource_has_more_than_50_tags(ask: Ask, machine: str) -> None:
    with pytest.raises(Refused, match="TooManyTags"):
        ask("TagResource", resourceArn=machine, tags=[{"key": f"k{n}", "value": ""} for n in range(51)])


def test_a_published_version_keeps_its_revision(ask: Ask, machine: str) -> None:
    version = ask("PublishStateMachineVersion", stateMachineArn=machine, description="one")["stateMachineVersionArn"]
    assert version == f"{machine}:1"
    assert ask("PublishStateMachineVersion", stateMachineArn=machine)["stateMachineVersionArn"] == version
    ask("UpdateStateMachine", stateMachineArn=machine, definition=WAITING)
    second = ask("PublishStateMachineVersion", stateMachineArn=machine)["stateMachineVersionArn"]
    listed = ask("ListStateMachineVersions", stateMachineArn=machine)["stateMachineVersions"]
    assert [item["stateMachineVersionArn"] for item in listed] == [second, version]
    assert ask("DescribeStateMachine", stateMachineArn=version)["definition"] == DEFINITION
    execution = ask("StartExecution", stateMachineArn=version)["executionArn"]
    assert ended(ask, execution)["stateMachineVersionArn"] == version
    ask("DeleteStateMachineVersion", stateMachineVersionArn=second)
    with pytest.raises(Refused, match="StateMachineDoesNotExist"):
        ask("DescribeStateMachine", stateMachineArn=second)


def test_an_execution_is_described_with_its_input_and_output(ask: Ask, machine: str) -> None:
    started = ask("StartExecution", stateMachineArn=machine, name="one", input='{"a": 1}', traceHeader="Root=1")
    told = ended(ask, started["executionArn"])
    assert told["startDate"] == started["startDate"]
    assert told["stopDate"] >= told["startDate"]
    del told["startDate"], told["stopDate"]
    assert told == {
        "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:m:one",
        "stateMachineArn": machine,
        "name": "one",
        "status": "SUCCEEDED",
        "input": '{"a": 1}',
        "inputDetails": {"included": True},
        "output": '{"a":1}',
        "outputDetails": {"included": True},
        "traceHeader": "Root=1",
        "redriveCount": 0,
        "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
    }


def test_a_failed_execution_tells_error_and_cause_and_no_output(ask: Ask, lab: Lab) -> None:
    def fail(_: Any) -> None:
        raise FunctionFailed("Broken", "why")

    lab.services.functions["f"] = fail
    state = {"Type": "Task", "Resource": function("f"), "End": True}
    arn = lab.create({"StartAt": "A", "States": {"A": state}})
    told = ended(ask, ask("StartExecution", stateMachineArn=arn)["executionArn"])
    assert (told["status"], told["error"], "output" in told) == ("FAILED", "Broken", False)
    assert "why" in told["cause"]


def test_starting_the_running_execution_again_with_the_same_input_is_idempotent(ask: Ask) -> None:
    arn = ask("CreateStateMachine", name="w", definition=WAITING, roleArn=ROLE)["stateMachineArn"]
    first = ask("StartExecution", stateMachineArn=arn, name="one", input='{"a": 1}')
    assert ask("StartExecution", stateMachineArn=arn, name="one", input='{"a": 1}') == first
    with pytest.raises(Refused, match="ExecutionAlreadyExists"):
        ask("StartExecution", stateMachineArn=arn, name="one", input='{"a": 2}')
    ask("StopExecution", executionArn=first["executionArn"])
    with pytest.raises(Refused, match="ExecutionAlreadyExists"):
        ask("StartExecution", stateMachineArn=arn, name="one", input='{"a": 1}')


def test_an_input_that_is_not_json_is_refused(ask: Ask, machine: str) -> None:
    with pytest.raises(Refused, match="InvalidExecutionInput"):
        ask("StartExecution", stateMachineArn=machine, input="{")


@pytest.mark.parametrize(("text", "accepted"), [("x" * 262_142, True), ("x" * 262_143, False), ("é" * 131_072, False)])
def test_an_input_may_have_262144_bytes(ask: Ask, machine: str, text: str, accepted: bool) -> None:
    given = json.dumps(text, ensure_ascii=False)
    if accepted:
        assert ended(ask, ask("StartExecution", stateMachineArn=machine, input=given)["executionArn"])["input"] == given
    else:
        with pytest.raises(Refused, match="ValidationException"):
            ask("StartExecution", stateMachineArn=machine, input=given)


def test_executions_are_listed_newest_first_by_status_and_in_pages(ask: Ask, machine: str) -> None:
    names = [f"run-{number}" for number in range(5)]
    for name in names:
        ended(ask, ask("StartExecution", stateMachineArn=machine, name=name)["executionArn"])
    first = ask("ListExecutions", stateMachineArn=machine, maxResults=3)
    second = ask("ListExecutions", stateMachineArn=machine, maxResults=3, nextToken=first["nextToken"])
    assert [item["name"] for item in first["executions"] + second["executions"]] == names[::-1]
    assert len(ask("ListExecutions", stateMachineArn=machine, statusFilter="SUCCEEDED")["executions"]) == 5
    assert ask("ListExecutions", stateMachineArn=machine, statusFilter="RUNNING")["executions"] == []
    assert ask("ListExecutions", stateMachineArn=machine, redriveFilter="REDRIVEN")["executions"] == []


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        (
            "DescribeExecution",
            {"executionArn": f"arn:aws:states:{REGION}:{ACCOUNT}:execution:m:no"},
            "ExecutionDoesNotExist",
        ),
        ("DescribeExecution", {"executionArn": "nonsense"}, "InvalidArn"),
        (
            "StopExecution",
            {"executionArn": f"arn:aws:states:{REGION}:{ACCOUNT}:execution:m:no"},
            "ExecutionDoesNotExist",
        ),
        (
            "StartExecution",
            {"stateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:no"},
            "StateMachineDoesNotExist",
        ),
        ("ListExecutions", {}, "ValidationException"),
        ("SendTaskSuccess", {"taskToken": "t", "output": "{}"}, "InvalidToken"),
        ("SendTaskSuccess", {"taskToken": "t", "output": "{"}, "InvalidOutput"),
        (
            "ListTagsForResource",
            {"resourceArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:no"},
            "ResourceNotFound",
        ),
        ("StartExecution", {}, "ValidationException"),
        ("TestState", {"definition": "{}"}, "UnsupportedOperation"),
        ("Nonsense", {}, "UnknownOperationException"),
    ],
)
def test_what_is_not_there_or_not_offered_is_refused_by_name(
    ask: Ask, operation: str, request_: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        ask(operation, **request_)
    assert refused.value.code == code


def test_a_history_is_read_in_pages_in_both_orders(ask: Ask, machine: str) -> None:
    execution = ask("StartExecution", stateMachineArn=machine, input='{"a": 1}')["executionArn"]
    ended(ask, execution)

    def pages(**more: Any) -> list[dict[str, Any]]:
        events, token = [], {}
        while True:
            page = ask("GetExecutionHistory", executionArn=execution, maxResults=2, **token, **more)
            events += page["events"]
            if "nextToken" not in page:
                return events
            token = {"nextToken": page["nextToken"]}

    forwards = pages()
    assert [event["type"] for event in forwards] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert pages(reverseOrder=True) == forwards[::-1]
    entered = pages()[1]
    del entered["timestamp"]
    assert entered == {
        "type": "PassStateEntered",
        "id": 2,
        "previousEventId": 0,
        "stateEnteredEventDetails": {"name": "A", "input": '{"a":1}', "inputDetails": {"truncated": False}},
    }


def test_a_history_without_data_hides_inputs(ask: Ask, machine: str) -> None:
    execution = ask("StartExecution", stateMachineArn=machine, input='{"secret": 1}')["executionArn"]
    ended(ask, execution)
    assert "secret" not in json.dumps(ask("GetExecutionHistory", executionArn=execution, includeExecutionData=False))


def test_a_long_history_is_paged_quickly(ask: Ask, lab: Lab) -> None:
    definition = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "B"},
            "B": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericLessThan": 1000, "Next": "A"}],
                "Default": "Z",
            },
            "Z": {"Type": "Succeed"},
        },
    }
    before = time.process_time()
    execution = lab.start(lab.create(definition), {"n": 0})
    lab.wait(execution, 60)
    assert time.process_time() - before < 5
    before = time.process_time()
    page = ask("GetExecutionHistory", executionArn=execution.order.arn, maxResults=1000)
    assert (len(page["events"]), time.process_time() - before < 1) == (1000, True)


def test_a_sync_execution_answers_with_its_output(ask: Ask) -> None:
    arn = ask("CreateStateMachine", name="x", definition=DEFINITION, roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
    told = ask("StartSyncExecution", stateMachineArn=arn, input='{"a": 1}')
    assert (told["status"], told["output"]) == ("SUCCEEDED", '{"a":1}')


def test_a_standard_machine_has_no_sync_execution(ask: Ask, machine: str) -> None:
    with pytest.raises(Refused, match="StateMachineTypeNotSupported"):
        ask("StartSyncExecution", stateMachineArn=machine)


def test_a_mocked_case_answers_in_place_of_the_services(ask: Ask, lab: Lab) -> None:
    state = {
        "Type": "Task",
        "Resource": function("f"),
        "Retry": [{"ErrorEquals": ["Busy"]}],
        "Next": "Again",
    }
    definition = {
        "StartAt": "T",
        "States": {
            "T": state,
            "Again": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.done", "BooleanEquals": False, "Next": "T"}],
                "Default": "Z",
            },
            "Z": {"Type": "Succeed"},
        },
    }
    lab.time_scale = 0
    arn = lab.create(definition, name="mocked")
    lab.mocks = {
        "StateMachines": {"mocked": {"TestCases": {"Loop": {"T": "Answers"}}}},
        "MockedResponses": {
            "Answers": {
                "0": {"Throw": {"Error": "Busy", "Cause": "later"}},
                "1-2": {"Return": {"done": False}},
                "3": {"Return": {"done": True}},
            }
        },
    }
    told = ended(ask, ask("StartExecution", stateMachineArn=f"{arn}#Loop")["executionArn"])
    assert (told["status"], told["output"]) == ("SUCCEEDED", '{"done":true}')
    with pytest.raises(Refused, match="has no test case Nonsense"):
        ask("StartExecution", stateMachineArn=f"{arn}#Nonsense")


def test_a_mocked_case_that_runs_out_of_answers_says_so(ask: Ask, lab: Lab) -> None:
    state = {"Type": "Task", "Resource": function("f"), "Next": "T"}
    arn = lab.create({"StartAt": "T", "States": {"T": state}}, name="mocked")
    lab.mocks = {
        "StateMachines": {"mocked": {"TestCases": {"Short": {"T": "Answers"}}}},
        "MockedResponses": {"Answers": {"0": {"Return": {}}}},
    }
    told = ended(ask, ask("StartExecution", stateMachineArn=f"{arn}#Short")["executionArn"])
    assert (told["status"], told["error"]) == ("FAILED", "States.Runtime")
    assert "no mocked response for invocation 1 of state T" in told["cause"]


def test_an_execution_that_is_just_ending_is_told_whole(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ending, looked = threading.Event(), threading.Event()

    class SlowClock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            if threading.current_thread().name.startswith("execution "):
                ending.set()
                looked.wait(0.3)
            return dt.datetime.now(tz)

    machine = lab.create({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    monkeypatch.setattr(executions, "dt", SimpleNamespace(datetime=SlowClock, UTC=dt.UTC))
    execution = lab.start(machine, {"a": 1})
    assert ending.wait(10)
    said = lab.api.describe_execution({"executionArn": execution.order.arn})
    looked.set()
    assert (said["status"], said.get("output")) in [("RUNNING", None), ("SUCCEEDED", '{"a":1}')]
    lab.wait(execution)
