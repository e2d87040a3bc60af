"""What starts and runs work: state machines, EventBridge rules and targets, schedules, pipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from millrace.local.terraform_provider.aws import Aws, operation
from millrace.local.terraform_provider.errors import NotTaken
from millrace.local.terraform_provider.naming import NOWHERE
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, arn_tags


class StateMachine(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": answer["stateMachineArn"], "arn": answer["stateMachineArn"]}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        """The one log group of Terraform's block is a list of structures in the service's words."""
        for logging in state.get("logging_configuration") or []:
            if logging.get("log_destination") and "loggingConfiguration" in request:
                group = {"logGroupArn": logging["log_destination"]}
                request["loggingConfiguration"]["destinations"] = [{"cloudWatchLogsLogGroup": group}]
        return request

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        for destination in answer.get("loggingConfiguration", {}).get("destinations", []):
            group = destination.get("cloudWatchLogsLogGroup", {})
            answer["loggingConfiguration"]["logDestination"] = group.get("logGroupArn")
        return answer

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {"arn": found["stateMachineArn"]}


class Target(ResourceType):
    """A target is one entry of a list that a rule has."""

    def body(self, method: str) -> Shape:
        return operation("events", "put_targets").input_shape.members["Targets"].member

    def answer(self) -> Shape:
        return self.body(self.create)

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        for entry in answer.get("FailedEntries", []):
            raise NotTaken(f"EventBridge did not take the target: {entry.get('ErrorMessage') or entry}")
        return {"id": f"{state['rule']}-{state['target_id']}"}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        rule = {"Rule": state["rule"], "EventBusName": state["event_bus_name"]}
        if method == "put_targets":
            entry = {name: value for name, value in request.items() if name not in rule}
            return {**rule, "Targets": [{**entry, "Id": state["target_id"]}]}
        return {**rule, "Ids": [state["target_id"]]} if method == "remove_targets" else rule

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        return next((target for target in answer["Targets"] if target["Id"] == state["target_id"]), None)


class Rule(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        bus = state["event_bus_name"]
        return {
            "id": state["name"] if bus == "default" else f"{bus}/{state['name']}",
            "arn": answer["RuleArn"],
        }


class Schedule(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": f"{state['group_name']}/{state['name']}", "arn": answer["ScheduleArn"]}


TYPES: dict[str, ResourceType] = {
    "aws_sfn_state_machine": StateMachine(
        "stepfunctions",
        "create_state_machine",
        "describe_state_machine",
        "delete_state_machine",
        {"stateMachineArn": "id"},
        update="update_state_machine",
        sent={"publish": NOWHERE, "version_description": NOWHERE},
        elsewhere=frozenset({"logging_configuration.log_destination"}),
        cleared={
            "encryption_configuration": {"type": "AWS_OWNED_KEY"},
            "logging_configuration": {"level": "OFF", "includeExecutionData": False},
            "tracing_configuration": {"enabled": False},
        },
        defaults={"type": "STANDARD"},
        silent={
            "encryption_configuration": [{"type": "AWS_OWNED_KEY"}],
            "logging_configuration": [{"level": "OFF"}],
        },
        volatile=("revision_id",),
        tagging=arn_tags("resourceArn"),
    ),
    "aws_cloudwatch_event_rule": Rule(
        "events",
        "put_rule",
        "describe_rule",
        "delete_rule",
        {"Name": "name", "EventBusName": "event_bus_name"},
        update="put_rule",
        defaults={"event_bus_name": "default", "state": "ENABLED"},
        tagging=arn_tags("ResourceARN"),
    ),
    "aws_cloudwatch_event_target": Target(
        "events",
        "put_targets",
        "list_targets_by_rule",
        "remove_targets",
        {"Rule": "rule", "EventBusName": "event_bus_name", "Id": "target_id"},
        update="put_targets",
        sent={"sqs_target": "SqsParameters", "input_transformer.input_paths": "InputPathsMap"},
        invented="target_id",
        defaults={"event_bus_name": "default"},
    ),
    "aws_scheduler_schedule": Schedule(
        "scheduler",
        "create_schedule",
        "get_schedule",
        "delete_schedule",
        {"Name": "name", "GroupName": "group_name"},
        update="update_schedule",
        defaults={"group_name": "default", "schedule_expression_timezone": "UTC", "state": "ENABLED"},
    ),
    "aws_pipes_pipe": ResourceType(
        "pipes",
        "create_pipe",
        "describe_pipe",
        "delete_pipe",
        {"Name": "name"},
        defaults={"desired_state": "RUNNING"},
        tagging=arn_tags("resourceArn"),
    ),
}
