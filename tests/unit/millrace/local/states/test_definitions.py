from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.local.states.definitions import check

END = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:f", "End": True}


def found(states: dict[str, Any], start: str = "A") -> list[str]:
    return [str(flaw) for flaw in check(json.dumps({"StartAt": start, "States": states}))]


def service(resource: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, "End": True}


@pytest.mark.parametrize(
    "states",
    [
        {"A": END},
        {
            "A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}], "Default": "B"},
            "B": END,
        },
        {"A": {**TASK, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]}, "B": {"Type": "Fail"}},
        {"A": {"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": END}}], "End": True}},
        {"A": {"Type": "Map", "ItemProcessor": {"StartAt": "B", "States": {"B": END}}, "End": True}},
        {"A": service("dynamodb:getItem", {"TableName": "t", "Key.$": "$.key"})},
        {"A": service("aws-sdk:sfn:describeExecution", {"ExecutionArn.$": "$.arn"})},
        {"A": service("aws-sdk:bedrockagent:startIngestionJob", {"KnowledgeBaseId": "k", "DataSourceId": "d"})},
        {"A": service("aws-sdk:cloudwatchlogs:describeLogGroups", {})},
        {"A": service("aws-sdk:eventbridge:putEvents", {"Entries": []})},
        {"A": service("states:startExecution.sync:2", {"StateMachineArn": "a", "Input": {}})},
    ],
)
def test_a_definition_without_errors_has_none(states: dict[str, Any]) -> None:
    assert found(states) == []


@pytest.mark.parametrize(
    ("states", "flaw"),
    [
        ({"A": {"Type": "Pass", "Next": "B"}}, "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next"),
        ({"B": END}, "MISSING_TRANSITION_TARGET: Missing 'StartAt' target: A at /StartAt"),
        ({"A": END, "B": END}, 'MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B'),
        (
            {"A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "A"}], "Default": "B"}},
            "MISSING_TRANSITION_TARGET: Missing 'Default' target: B at /States/A/Default",
        ),
        (
            {"A": {**TASK, "Catch": [{"ErrorEquals": ["E"], "Next": "B"}]}},
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Catch[0]/Next",
        ),
        ({"A": {"Type": "Nap", "End": True}}, "at /States/A/Type"),
        ({"A": {"Type": "Pass"}}, "A state has either Next, or End with the value true at /States/A"),
        ({"A": {"Type": "Pass", "Next": "A", "End": True}}, "either Next, or End"),
        ({"A": {"Type": "Succeed", "End": True}}, "A Succeed state has neither Next nor End"),
        ({"A": {"Type": "Choice", "Choices": []}}, "at least one rule"),
        ({"A": {**TASK, "Retry": [{"ErrorEquals": []}]}}, "at least one name at /States/A/Retry[0]/ErrorEquals"),
        ({"A": {**TASK, "Retry": [{"ErrorEquals": ["States.ALL", "E"]}]}}, "States.ALL must appear alone"),
        (
            {"A": {**TASK, "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]}},
            "States.ALL must be in the last entry",
        ),
        (
            {"A": {**TASK, "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 9, "MaxDelaySeconds": 5}]}},
            "MaxDelaySeconds must be greater than IntervalSeconds",
        ),
        ({"A": {**TASK, "TimeoutSeconds": 5, "HeartbeatSeconds": 5}}, "HeartbeatSeconds must be smaller"),
        ({"A": service("dynamodb:getItem", {"TableName": "t", "Key": {}, "No": 1})}, 'The field "No" is not supported'),
        ({"A": service("dynamodb:getItem", {"TableName": "t"})}, 'The field "Key" is required but was missing'),
        ({"A": service("aws-sdk:dynamodb:getItem", {"tableName": "t", "Key": {}})}, 'The field "tableName" is not'),
        ({"A": service("aws-sdk:dynamodb:fetchItem", {})}, "is not recognized"),
        ({"A": service("aws-sdk:nonsense:get", {})}, "is not recognized"),
        ({"A": service("aws-sdk:logs:describeLogGroups", {})}, "is not recognized"),
        ({"A": service("dynamodb:query", {})}, "is not recognized"),
        ({"A": service("dynamodb:getItem.sync", {})}, "is not recognized"),
        ({"A": service("glue:startJobRun", {})}, "does not run the optimized integration"),
        ({"A": {**TASK, "Resource": "arn:aws:states:eu-west-1:123456789012:activity:a"}}, "does not run activities"),
        (
            {
                "A": {
                    "Type": "Map",
                    "ItemProcessor": {
                        "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                        "StartAt": "B",
                        "States": {"B": END},
                    },
                    "End": True,
                }
            },
            "does not run Distributed Map",
        ),
        (
            {
                "A": {
                    "Type": "Parallel",
                    "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "A"}}}],
                    "End": True,
                }
            },
            "Missing 'Next' target: A at /States/A/Branches[0]/States/B/Next",
        ),
        (
            {"A": {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": END}}], "End": True}},
            "DUPLICATE_STATE_NAME: The state name 'A' is used 2 times",
        ),
        ({"A" * 81: END}, "A state's name may have 80 characters, this has 81"),
    ],
)
def test_an_error_is_named_with_its_place(states: dict[str, Any], flaw: str) -> None:
    assert any(flaw in line for line in found(states)), found(states)


def test_what_is_not_json_is_said_to_be_so() -> None:
    [flaw] = check('{"StartAt": ')
    assert flaw.code == "INVALID_JSON_DESCRIPTION"
