"""Tasks: what reaches the service, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.local.task_caller import TaskCaller

from .conftest import Lab, function


def task(resource: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, "End": True}


@pytest.mark.parametrize(
    ("resource", "parameters", "operation"),
    [
        ("aws-sdk:kendra:batchPutDocument", {"IndexId": "i", "Documents": []}, "BatchPutDocument"),
        ("dynamodb:getItem", {"TableName": "t", "Key": {}}, "GetItem"),
        ("sns:publish", {"TopicArn": "t", "Message": "m"}, "Publish"),
        ("sqs:sendMessage", {"QueueUrl": "q", "MessageBody": "m"}, "SendMessage"),
        ("states:startExecution", {"StateMachineArn": "a", "Input": "{}"}, "StartExecution"),
    ],
)
def test_a_service_task_calls_its_operation_with_all_its_parameters(
    lab: Lab, resource: str, parameters: dict[str, Any], operation: str
) -> None:
    lab.services.answers[operation] = lambda given: {"Got": given}
    assert lab.state(task(resource, parameters)).output == {"Got": parameters}


def test_a_call_says_which_task_of_which_execution_makes_it(lab: Lab) -> None:
    lab.services.answers["DeleteTable"] = lambda given: given
    lab.state(task("aws-sdk:dynamodb:deleteTable", {"TableName": "t"}))
    [execution] = lab.api.executions
    assert [caller.task for caller in lab.services.callers] == [TaskCaller(execution, "It")]


def test_the_events_that_a_task_puts_name_its_machine_and_execution(lab: Lab) -> None:
    lab.services.answers["PutEvents"] = lambda given: {"FailedEntryCount": 0, "Entries": given["Entries"]}
    entry = {"Source": "s", "DetailType": "d", "Detail": {"a": 1}}
    [put] = lab.state(task("events:putEvents", {"Entries": [entry]})).output["Entries"]
    assert [arn.split(":")[5] for arn in put["Resources"]] == ["stateMachine", "execution"]


def test_an_event_that_is_refused_fails_the_task(lab: Lab) -> None:
    lab.services.answers["PutEvents"] = lambda _: {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "E"}]}
    run = lab.state(task("events:putEvents", {"Entries": []}))
    assert (run.status, run.error) == ("FAILED", "EventBridge.FailedEntry")
    assert '"ErrorCode":"E"' in (run.cause or "")


def test_no_parameter_of_an_invocation_is_dropped(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def invoke(_: Any, parameters: dict[str, Any], __: Any) -> dict[str, Any]:
        seen.append(parameters)
        return {"StatusCode": 202, "Payload": {}}

    monkeypatch.setattr(lab.services, "invoke", invoke)
    parameters = {"FunctionName": function("f"), "InvocationType": "Event", "Qualifier": "1"}
    assert lab.state(task("lambda:invoke", parameters)).output["StatusCode"] == 202
    assert seen == [parameters]


def test_a_function_gets_the_whole_input_without_parameters(lab: Lab) -> None:
    lab.services.functions["f"] = lambda event: event
    state = {"Type": "Task", "Resource": function("f"), "End": True}
    assert lab.state(state, {"a": [1, None]}).output == {"a": [1, None]}
