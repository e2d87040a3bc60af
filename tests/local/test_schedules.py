"""Schedules that call their targets, as EventBridge Scheduler does it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance, InstanceError
from tests.fakes.deployed import allow, eventually, function, name, role

pytestmark = pytest.mark.network

PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})


class Machine:
    def __init__(self, aws: Instance) -> None:
        self.states = aws.client("stepfunctions")
        made = self.states.create_state_machine(name=name("machine"), definition=PASS, roleArn=role(aws, "states"))
        self.arn = made["stateMachineArn"]

    def inputs(self) -> list[Any]:
        found = self.states.list_executions(stateMachineArn=self.arn)["executions"]
        told = [self.states.describe_execution(executionArn=each["executionArn"]) for each in found]
        return [json.loads(each["input"]) for each in told]


def schedule(aws: Instance, expression: str, target: str, action: str, **more: Any) -> str:
    """A schedule whose role may do this with its target; its name."""
    called = name("schedule")
    group = f"arn:aws:scheduler:{aws.region}:{aws.account}:schedule-group/default"
    condition = {"ArnEquals": {"aws:SourceArn": group}, "StringEquals": {"aws:SourceAccount": aws.account}}
    caller = role(aws, "scheduler", allow(action, on=target), condition=condition)
    aws.client("scheduler").create_schedule(
        Name=called,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target, "RoleArn": caller, **more.pop("Target", {})},
        **more,
    )
    return called


def told(aws: Instance, called: str) -> dict[str, Any]:
    (one,) = [each for each in aws.schedules() if each["name"] == called]
    return one


@pytest.fixture(autouse=True)
def schedules_are_removed(embedded_aws: Instance) -> Iterator[None]:
    yield
    scheduler = embedded_aws.client("scheduler")
    for each in scheduler.list_schedules()["Schedules"]:
        scheduler.delete_schedule(Name=each["Name"])


def test_a_schedule_calls_its_target_in_time_and_once(embedded_aws: Instance):
    machine = Machine(embedded_aws)
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    called = schedule(
        embedded_aws,
        f"at({due:%Y-%m-%dT%H:%M:%S})",
        machine.arn,
        "states:StartExecution",
        Target={"Input": '{"at": "<aws.scheduler.scheduled-time>"}'},
        ActionAfterCompletion="DELETE",
    )
    assert eventually(machine.inputs) == [{"at": f"{due:%Y-%m-%dT%H:%M:%SZ}"}]
    assert time.time() - due.timestamp() < 1.5
    with pytest.raises(ClientError, match="does not exist"):
        embedded_aws.client("scheduler").get_schedule(Name=called)


def test_a_test_fires_a_schedule_when_it_likes(embedded_aws: Instance):
    machine = Machine(embedded_aws)
    called = schedule(
        embedded_aws, "rate(5 minutes)", machine.arn, "states:StartExecution", Target={"Input": "{}"}, State="DISABLED"
    )
    embedded_aws.fire_schedule(called)
    eventually(machine.inputs)
    embedded_aws.fire_schedule(called)
    eventually(lambda: len(machine.inputs()) == 2)
    assert (told(embedded_aws, called)["fired"], told(embedded_aws, called)["nextAt"]) == (2, None)
    with pytest.raises(InstanceError, match="there is no schedule"):
        embedded_aws.fire_schedule("nobody")


def test_a_changed_schedule_is_due_at_its_new_time(embedded_aws: Instance):
    machine = Machine(embedded_aws)
    called = schedule(embedded_aws, "rate(1 day)", machine.arn, "states:StartExecution")
    scheduler = embedded_aws.client("scheduler")
    assert told(embedded_aws, called)["nextAt"] > time.time() + 86_000
    target = scheduler.get_schedule(Name=called)["Target"]
    scheduler.update_schedule(
        Name=called,
        ScheduleExpression=f"at({datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    (event,) = eventually(machine.inputs)
    assert event["source"] == "aws.scheduler"


def test_a_function_gets_its_input(embedded_aws: Instance):
    sqs = embedded_aws.client("sqs")
    noted = sqs.create_queue(QueueName=name("queue"))["QueueUrl"]
    code = f"""
        import boto3, json
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl="{noted}", MessageBody=json.dumps(event))
    """
    called = function(embedded_aws, code, allow("sqs:SendMessage"))
    arn = f"arn:aws:lambda:{embedded_aws.region}:{embedded_aws.account}:function:{called}"
    tick = schedule(embedded_aws, "rate(1 hour)", arn, "lambda:InvokeFunction", Target={"Input": '{"tick": true}'})
    embedded_aws.fire_schedule(tick)
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=noted).get("Messages"), within=20)
    assert json.loads(message["Body"]) == {"tick": True}


@pytest.mark.parametrize("fault", ["no permission", "another service", "another group"])
def test_a_role_that_does_not_fit_calls_nothing(embedded_aws: Instance, fault):
    machine = Machine(embedded_aws)
    called = schedule(embedded_aws, "rate(1 hour)", machine.arn, "states:StartExecution")
    scheduler = embedded_aws.client("scheduler")
    group = f"arn:aws:scheduler:{embedded_aws.region}:{embedded_aws.account}:schedule-group/another"
    caller = role(
        embedded_aws,
        "events" if fault == "another service" else "scheduler",
        allow("states:StartExecution" if fault != "no permission" else "states:StopExecution"),
        condition={"ArnEquals": {"aws:SourceArn": group}} if fault == "another group" else None,
    )
    scheduler.update_schedule(
        Name=called,
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine.arn, "RoleArn": caller},
    )
    embedded_aws.fire_schedule(called)
    assert "PROBLEM" in eventually(lambda: told(embedded_aws, called)["outcome"])
    assert machine.inputs() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ScheduleExpression": "rate(5 seconds)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Mars"}, "Timezone"),
        ({"Target": {"Arn": "arn:aws:sns:us-east-1:123456789012:t", "RoleArn": "r" * 20}}, "call state machines"),
    ],
    ids=str,
)
def test_what_a_schedule_cannot_be_is_refused(embedded_aws: Instance, wrong, said):
    asked = {
        "Name": name("schedule"),
        "ScheduleExpression": "rate(5 minutes)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:m", "RoleArn": "r" * 20},
    }
    with pytest.raises(ClientError, match=said):
        embedded_aws.client("scheduler").create_schedule(**{**asked, **wrong})
