"""What starts and runs work: state machines, EventBridge rules and targets, schedules, pipes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from millrace.local.terraform_provider.aws import Aws, operation
from millrace.local.terraform_provider.errors import NotTaken
from millrace.local.terraform_provider.naming import NOWHERE
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, arn_tags

ON_ITS_WAY = frozenset({"CREATING", "UPDATING", "DELETING", "STARTING", "STOPPING"})
SETTLE_SECONDS = 60.0
SETTLE_PAUSE_SECONDS = 0.02


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


class Pipe(ResourceType):
    """A pipe is on its way for a while after each change, and so is one that is deleted."""

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        """UpdatePipe keeps what a request leaves out of the parameters; the configuration means that it is gone."""
        if method == self.update:
            source, target = request.get("SourceParameters", {}), request.get("TargetParameters", {})
            request["SourceParameters"] = {"FilterCriteria": {}, "SqsQueueParameters": {}, **source}
            request["TargetParameters"] = {"InputTemplate": "", **target}
        return request

    def finish(self, state: State, prior: State | None, aws: Aws) -> None:
        told = self._settled(state["name"], aws)
        if told is None or told["CurrentState"] != state["desired_state"]:
            failed = f"{told['CurrentState']}: {told.get('StateReason', '')}" if told else "gone"
            raise NotTaken(f"pipe {state['name']} is {failed}")

    def destroy(self, state: State, aws: Aws) -> None:
        super().destroy(state, aws)
        self._settled(state["name"], aws)

    def _settled(self, name: str, aws: Aws) -> dict[str, Any] | None:
        """The pipe when it has come where it goes; None when it is gone. Raises NotTaken when that takes too long."""
        client, deadline = aws.client("pipes"), time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            try:
                told: dict[str, Any] = client.describe_pipe(Name=name)
            except client.exceptions.NotFoundException:
                return None
            if told["CurrentState"] not in ON_ITS_WAY:
                return told
            time.sleep(SETTLE_PAUSE_SECONDS)
        raise NotTaken(f"pipe {name} is still {told['CurrentState']} after {SETTLE_SECONDS:.0f} s")


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
    "aws_pipes_pipe": Pipe(
        "pipes",
        "create_pipe",
        "describe_pipe",
        "delete_pipe",
        {"Name": "name"},
        update="update_pipe",
        defaults={"desired_state": "RUNNING", "description": "Managed by Terraform"},
        silent={"source_parameters": [{"sqs_queue_parameters": [{"batch_size": 10}]}]},
        tagging=arn_tags("resourceArn"),
    ),
}
