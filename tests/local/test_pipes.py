"""From a queue through a pipe to its target, as EventBridge Pipes does it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, eventually, function, invoke, name, role

pytestmark = pytest.mark.network

PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
READS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
ASYNCHRONOUS = {"StepFunctionStateMachineParameters": {"InvocationType": "FIRE_AND_FORGET"}}


class Queue:
    def __init__(self, aws: Instance, *, fifo: bool = False, **attributes: str) -> None:
        self.sqs = aws.client("sqs")
        self.name = name("queue") + (".fifo" if fifo else "")
        kind = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        given = {**kind, "VisibilityTimeout": "30", **attributes}
        self.url = self.sqs.create_queue(QueueName=self.name, Attributes=given)["QueueUrl"]
        self.arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{self.name}"

    def send(self, *bodies: Any, group: str | None = None) -> None:
        grouped = {"MessageGroupId": group} if group else {}
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(at), "MessageBody": body if isinstance(body, str) else json.dumps(body), **grouped}
                for at, body in enumerate(bodies[start : start + 10])
            ]
            assert not self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def bodies(self) -> list[str]:
        """What is there, which is deleted."""
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in found]

    def left(self) -> int:
        """How many are there, visible or not."""
        asked = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=asked)["Attributes"]
        return sum(map(int, told.values()))

    def empty(self) -> bool:
        return self.left() == 0


class Machine:
    def __init__(self, aws: Instance, *, kind: str = "STANDARD", definition: str = PASS) -> None:
        self.states = aws.client("stepfunctions")
        made = self.states.create_state_machine(
            name=name("machine"), definition=definition, roleArn=role(aws, "states"), type=kind
        )
        self.arn = made["stateMachineArn"]

    def inputs(self) -> list[Any]:
        """The inputs of its executions, the oldest first."""
        found = self.states.list_executions(stateMachineArn=self.arn)["executions"]
        told = [self.states.describe_execution(executionArn=each["executionArn"]) for each in reversed(found)]
        return [json.loads(each["input"]) for each in told]


def pipe_role(aws: Instance, queue: Queue, *actions: str, on: str) -> str:
    return role(aws, "pipes", allow(*READS, on=queue.arn), allow(*actions, on=on))


def create(aws: Instance, queue: Queue, target: str, role_arn: str, *, settled: str = "RUNNING", **more: Any) -> str:
    """A pipe that has come to this state; its name."""
    pipes, called = aws.client("pipes"), name("pipe")
    made = pipes.create_pipe(Name=called, Source=queue.arn, Target=target, RoleArn=role_arn, **more)
    assert made["CurrentState"] == "CREATING"
    reach(aws, called, settled)
    return called


def reach(aws: Instance, pipe: str, state: str) -> dict[str, Any]:
    pipes = aws.client("pipes")

    def settled() -> dict[str, Any] | None:
        told = pipes.describe_pipe(Name=pipe)
        return told if told["CurrentState"] not in ("CREATING", "UPDATING", "STARTING", "STOPPING") else None

    told = eventually(settled)
    assert told is not None
    assert told["CurrentState"] == state, told
    return told


@pytest.fixture(autouse=True)
def pipes_are_removed(embedded_aws: Instance) -> Iterator[None]:
    yield
    pipes = embedded_aws.client("pipes")
    for pipe in pipes.list_pipes()["Pipes"]:
        pipes.delete_pipe(Name=pipe["Name"])
    eventually(lambda: not pipes.list_pipes()["Pipes"])


def starting(aws: Instance, queue: Queue, machine: Machine, **more: Any) -> str:
    """A pipe that starts executions; its name."""
    starter = pipe_role(aws, queue, "states:StartExecution", on=machine.arn)
    target = {**ASYNCHRONOUS, **more.pop("TargetParameters", {})}
    return create(aws, queue, machine.arn, starter, TargetParameters=target, **more)


def source(batch: int, window: int = 0, *patterns: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "SqsQueueParameters": {"BatchSize": batch, **({"MaximumBatchingWindowInSeconds": window} if window else {})}
    }
    if patterns:
        parameters["FilterCriteria"] = {"Filters": [{"Pattern": json.dumps(each)} for each in patterns]}
    return parameters


def test_a_batch_starts_one_execution_with_what_the_template_makes_of_each_message(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    template = '{"key": <$.body.key>, "from": "<aws.pipes.pipe-name>", "all": "<$.body.tags>", "none": <$.body.no>}'
    pipe = starting(
        embedded_aws, queue, machine, SourceParameters=source(3, 30), TargetParameters={"InputTemplate": template}
    )
    queue.send({"key": "ü", "tags": ["a", "b"]}, {"key": 7}, {"key": {"a": [None]}})
    (given,) = eventually(machine.inputs)
    told = sorted(given, key=str)
    assert {"key": "ü", "from": pipe, "all": "[a, b]", "none": None} in told
    assert {"key": 7, "from": pipe, "all": "", "none": None} in told
    assert {"key": {"a": [None]}, "from": pipe, "all": "", "none": None} in told
    eventually(queue.empty)


def test_a_thousand_uploads_of_a_constant_template_are_one_execution(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    source_of_data = {"knowledgeBaseId": "KB12345678", "dataSourceId": "DS12345678"}
    starting(
        embedded_aws,
        queue,
        machine,
        SourceParameters=source(1000, 30),
        TargetParameters={"InputTemplate": json.dumps(source_of_data)},
    )
    queue.send(*(f"upload {number}" for number in range(1000)))
    (given,) = eventually(machine.inputs)
    assert given == [source_of_data] * 1000
    eventually(queue.empty)
    assert len(machine.inputs()) == 1


def test_what_is_there_goes_off_when_the_window_is_over(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    starting(embedded_aws, queue, machine, SourceParameters=source(100, 1))
    began = time.monotonic()
    queue.send("a", "b")
    (given,) = eventually(machine.inputs)
    assert 0.9 < time.monotonic() - began < 5
    assert sorted(record["body"] for record in given) == ["a", "b"]
    assert given[0]["eventSourceARN"] == queue.arn
    assert given[0]["attributes"]["ApproximateReceiveCount"] == "1"


def test_a_fifo_queue_keeps_the_order_of_a_group(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws, fifo=True), Machine(embedded_aws)
    starting(embedded_aws, queue, machine, SourceParameters=source(4))
    queue.send(*(str(number) for number in range(12)), group="g")
    eventually(queue.empty)
    bodies = [record["body"] for given in machine.inputs() for record in given]
    assert bodies == [str(number) for number in range(12)]


def test_what_the_filter_leaves_out_is_gone(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    wanted = {"body": {"kind": [{"prefix": "up"}], "size": [{"numeric": [">", 3]}]}}
    starting(embedded_aws, queue, machine, SourceParameters=source(10, 1, wanted, {"body": ["plain"]}))
    queue.send({"kind": "upload", "size": 9}, {"kind": "upload", "size": 1}, {"kind": "delete"}, "plain", "other")
    (given,) = eventually(machine.inputs)
    assert sorted(record["body"] for record in given) == ["plain", '{"kind": "upload", "size": 9}']
    eventually(queue.empty)


def test_what_the_machine_does_not_take_comes_back_and_ends_as_a_dead_letter(embedded_aws: Instance):
    dead = Queue(embedded_aws)
    redrive = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2}
    queue = Queue(embedded_aws, VisibilityTimeout="1", RedrivePolicy=json.dumps(redrive))
    machine = Machine(embedded_aws)
    starting(embedded_aws, queue, machine)
    queue.send("x" * 300_000)
    assert eventually(dead.bodies) == ["x" * 300_000]
    assert machine.inputs() == []


def test_a_fault_of_the_start_delivers_the_batch_again(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws, VisibilityTimeout="1"), Machine(embedded_aws)
    starting(embedded_aws, queue, machine)
    embedded_aws.order_fault("states:StartExecution", resource=machine.arn, code="ThrottlingException", nth=[1])
    try:
        queue.send("a")
        ((record,),) = eventually(machine.inputs)
        assert record["attributes"]["ApproximateReceiveCount"] == "2"
    finally:
        embedded_aws.forget_faults()
    eventually(queue.empty)


def test_a_role_that_may_not_start_the_machine_leaves_the_messages(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    starter = pipe_role(embedded_aws, queue, "states:StartExecution", on=f"{machine.arn}-another")
    create(embedded_aws, queue, machine.arn, starter, TargetParameters=ASYNCHRONOUS)
    embedded_aws.forget_calls()
    queue.send("a")
    asked = eventually(lambda: [call for call in embedded_aws.calls() if call["action"] == "states:StartExecution"])
    assert (asked[0]["resource"], asked[0]["allowed"]) == (machine.arn, False)
    assert not queue.empty()
    assert machine.inputs() == []


@pytest.mark.parametrize("fault", ["no permission", "no trust", "no queue"])
def test_a_pipe_that_cannot_read_its_queue_is_not_created(embedded_aws: Instance, fault):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    allowed = READS[:2] if fault == "no permission" else READS
    starter = role(embedded_aws, "events" if fault == "no trust" else "pipes", allow(*allowed, on=queue.arn))
    if fault == "no queue":
        queue.sqs.delete_queue(QueueUrl=queue.url)
    pipe = create(embedded_aws, queue, machine.arn, starter, TargetParameters=ASYNCHRONOUS, settled="CREATE_FAILED")
    reason = embedded_aws.client("pipes").describe_pipe(Name=pipe)["StateReason"]
    assert {"no permission": "sqs:GetQueueAttributes", "no trust": "trust", "no queue": "exist"}[fault] in reason


def test_a_stopped_pipe_takes_nothing_until_it_is_started(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    pipe = starting(embedded_aws, queue, machine)
    pipes = embedded_aws.client("pipes")
    assert pipes.stop_pipe(Name=pipe)["CurrentState"] == "STOPPING"
    reach(embedded_aws, pipe, "STOPPED")
    queue.send("a")
    time.sleep(0.3)
    assert machine.inputs() == []
    pipes.start_pipe(Name=pipe)
    reach(embedded_aws, pipe, "RUNNING")
    eventually(machine.inputs)


def test_an_update_changes_what_it_names_and_keeps_the_rest(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    pipe = starting(
        embedded_aws,
        queue,
        machine,
        SourceParameters=source(5, 0, {"body": ["a"]}),
        Description="one",
        Tags={"project": "x"},
    )
    pipes = embedded_aws.client("pipes")
    before = pipes.describe_pipe(Name=pipe)
    changed = {"InputTemplate": '"fixed"'}
    pipes.update_pipe(
        Name=pipe, RoleArn=before["RoleArn"], TargetParameters=changed, SourceParameters={"SqsQueueParameters": {}}
    )
    told = reach(embedded_aws, pipe, "RUNNING")
    assert told["Description"] == "one"
    assert told["TargetParameters"] == {**ASYNCHRONOUS, **changed}
    assert told["SourceParameters"]["SqsQueueParameters"] == {"BatchSize": 10}
    assert told["SourceParameters"]["FilterCriteria"] == before["SourceParameters"]["FilterCriteria"]
    queue.send("a")
    assert eventually(machine.inputs) == [["fixed"]]
    arn = told["Arn"]
    pipes.tag_resource(resourceArn=arn, tags={"team": "y"})
    pipes.untag_resource(resourceArn=arn, tagKeys=["project"])
    assert pipes.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "y"}


def test_an_express_machine_is_waited_for_and_names_what_failed(embedded_aws: Instance):
    queue = Queue(embedded_aws, VisibilityTimeout="1")
    failing = {
        "StartAt": "P",
        "States": {
            "P": {
                "Type": "Pass",
                "Parameters": {"batchItemFailures": [{"itemIdentifier.$": "$[1].messageId"}]},
                "End": True,
            }
        },
    }
    machine = Machine(embedded_aws, kind="EXPRESS", definition=json.dumps(failing))
    starter = pipe_role(embedded_aws, queue, "states:StartSyncExecution", on=machine.arn)
    create(embedded_aws, queue, machine.arn, starter, SourceParameters=source(2, 5))
    queue.send("a", "b")
    eventually(lambda: queue.left() == 1)  # who took them to look would take them from the pipe
    assert len(eventually(queue.bodies)) == 1
    assert queue.empty()


def test_a_standard_machine_cannot_be_waited_for(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    starter = pipe_role(embedded_aws, queue, "states:StartSyncExecution", "states:StartExecution", on=machine.arn)
    create(embedded_aws, queue, machine.arn, starter)
    queue.send("a")
    eventually(lambda: "StateMachineTypeNotSupported" in embedded_aws.log.read_text())
    assert machine.inputs() == []


def test_each_message_is_sent_on_to_a_queue(embedded_aws: Instance):
    queue, target = Queue(embedded_aws), Queue(embedded_aws, fifo=True)
    sender = pipe_role(embedded_aws, queue, "sqs:SendMessage", on=target.arn)
    parameters = {"SqsQueueParameters": {"MessageGroupId": "$.body.group"}, "InputTemplate": '{"it": <$.body.it>}'}
    create(embedded_aws, queue, target.arn, sender, TargetParameters=parameters)
    queue.send({"group": "a", "it": 1}, {"group": "b", "it": 2})
    told: list[str] = []
    while len(told) < 2:
        told += eventually(target.bodies)
    assert sorted(told) == ['{"it": 1}', '{"it": 2}']
    eventually(queue.empty)


@pytest.mark.parametrize("kind", ["REQUEST_RESPONSE", "FIRE_AND_FORGET"])
def test_a_function_gets_the_batch_and_says_what_failed(embedded_aws: Instance, kind):
    queue, noted = Queue(embedded_aws, VisibilityTimeout="3"), Queue(embedded_aws)
    code = f"""
        import boto3, json
        def handler(events, context):
            if not events:
                return "warm"
            told = json.dumps([event["body"] for event in events])
            boto3.client("sqs").send_message(QueueUrl="{noted.url}", MessageBody=told)
            failed = [e["messageId"] for e in events if e["attributes"]["ApproximateReceiveCount"] == "1"]
            return {{"batchItemFailures": [{{"itemIdentifier": one}} for one in failed[1:]]}}
    """
    called = function(embedded_aws, code, allow("sqs:SendMessage", on=noted.arn))
    invoke(embedded_aws, called, [])
    arn = f"arn:aws:lambda:{embedded_aws.region}:{embedded_aws.account}:function:{called}"
    invoker = pipe_role(embedded_aws, queue, "lambda:InvokeFunction", on=arn)
    create(
        embedded_aws,
        queue,
        arn,
        invoker,
        SourceParameters=source(2, 1),
        TargetParameters={"LambdaFunctionParameters": {"InvocationType": kind}},
    )
    queue.send("a", "b")
    (first,) = eventually(noted.bodies, within=20)
    assert sorted(json.loads(first)) == ["a", "b"]
    if kind == "REQUEST_RESPONSE":
        (second,) = eventually(noted.bodies, within=20)
        assert len(json.loads(second)) == 1
    eventually(queue.empty)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"SourceParameters": source(11)}, "window"),
        ({"SourceParameters": source(1, 0, {"body": "no list"})}, "Event pattern is not valid"),
        ({"TargetParameters": {"InputTemplate": '{"a": <$.body.a>'}}, "InputTemplate"),
        ({"TargetParameters": {"InputTemplate": '{"a": <b>}'}}, "<b>"),
        ({"TargetParameters": {"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}}}, "Lambda"),
        ({"Enrichment": "arn:aws:lambda:us-east-1:123456789012:function:f"}, "Enrichment"),
        ({"LogConfiguration": {"Level": "ERROR"}}, "LogConfiguration"),
        ({"Source": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1"}, "queues"),
        ({"Source": "arn:aws:sqs:eu-west-1:123456789012:q"}, "cross-region"),
        ({"Target": "arn:aws:sns:us-east-1:123456789012:t"}, "deliver to"),
        ({"DesiredState": "PAUSED"}, "enum value set"),
    ],
    ids=str,
)
def test_what_a_pipe_cannot_do_is_refused(embedded_aws: Instance, wrong, told):
    asked = {
        "Name": name("pipe"),
        "Source": f"arn:aws:sqs:{embedded_aws.region}:{embedded_aws.account}:q",
        "Target": f"arn:aws:states:{embedded_aws.region}:{embedded_aws.account}:stateMachine:m",
        "RoleArn": f"arn:aws:iam::{embedded_aws.account}:role/r",
    }
    with pytest.raises(ClientError, match=told) as error:
        embedded_aws.client("pipes").create_pipe(**{**asked, **wrong})
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_pipe_exists_once_and_only_while_it_does(embedded_aws: Instance):
    queue, machine = Queue(embedded_aws), Machine(embedded_aws)
    pipe = starting(embedded_aws, queue, machine, DesiredState="STOPPED", settled="STOPPED")
    pipes = embedded_aws.client("pipes")
    with pytest.raises(pipes.exceptions.ConflictException):
        pipes.create_pipe(Name=pipe, Source=queue.arn, Target=machine.arn, RoleArn="arn:aws:iam::123456789012:role/r")
    assert [each["Name"] for each in pipes.list_pipes(NamePrefix=pipe)["Pipes"]] == [pipe]
    assert pipes.list_pipes(CurrentState="RUNNING")["Pipes"] == []
    assert pipes.delete_pipe(Name=pipe)["CurrentState"] == "DELETING"
    eventually(lambda: not pipes.list_pipes(NamePrefix=pipe)["Pipes"])
    with pytest.raises(pipes.exceptions.NotFoundException):
        pipes.describe_pipe(Name=pipe)
