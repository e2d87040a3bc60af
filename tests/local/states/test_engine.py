"""The engine behind the embedded AWS: real requests, real services, the roles of state machines enforced."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from millrace.local.instance import Instance

pytestmark = pytest.mark.network

Run = Callable[..., dict[str, Any]]
SERVICES = [f"{name}.amazonaws.com" for name in ("states", "lambda", "events", "pipes", "scheduler")]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sts:AssumeRole"}],
}
ANYBODY_SENDS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}],
}


def until(done: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := done()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing came within {seconds} s")


class Stand:
    """Makes what one test needs, under names of its own."""

    def __init__(self, aws: Instance) -> None:
        self.aws = aws
        self.states = aws.client("stepfunctions")
        self.mark = uuid4().hex[:8]

    def role(self, *actions: str) -> str:
        name = f"role-{uuid4().hex[:8]}"
        iam = self.aws.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": list(actions) or ["s3:GetObject"], "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return str(arn)

    def machine(self, definition: dict[str, Any], *actions: str, states: Any = None, **more: Any) -> str:
        created = (states or self.states).create_state_machine(
            name=f"machine-{uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=self.role(*actions), **more
        )
        return str(created["stateMachineArn"])

    def ended(self, execution: str, states: Any = None) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            told = (states or self.states).describe_execution(executionArn=execution)
            return told if told["status"] != "RUNNING" else None

        return dict(until(look))

    def run(self, definition: dict[str, Any], actions: Sequence[str] = (), given: Any = None) -> dict[str, Any]:
        machine = self.machine(definition, *actions)
        started = self.states.start_execution(stateMachineArn=machine, input=json.dumps({} if given is None else given))
        return self.ended(started["executionArn"])

    def task(self, resource: str, parameters: dict[str, Any], *actions: str, **fields: Any) -> dict[str, Any]:
        """Run one task alone."""
        state = {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **fields}
        return self.run({"StartAt": "T", "States": {"T": state}}, actions)

    def output(self, resource: str, parameters: dict[str, Any], *actions: str) -> Any:
        told = self.task(resource, parameters, *actions)
        assert told["status"] == "SUCCEEDED", told
        return json.loads(told["output"])

    def queue(self) -> tuple[str, str]:
        """A queue's URL and ARN."""
        queues = self.aws.client("sqs")
        url = queues.create_queue(
            QueueName=f"queue-{uuid4().hex[:8]}", Attributes={"Policy": json.dumps(ANYBODY_SENDS)}
        )["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return str(url), str(arn)

    def table(self) -> str:
        name = f"table-{self.mark}"
        self.aws.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def function(self, code: str) -> str:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.py", code)
        functions = self.aws.client("lambda")
        name = f"function-{uuid4().hex[:8]}"
        arn = functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=self.role(),
            Handler="index.handler",
            Code={"ZipFile": packed.getvalue()},
            Timeout=10,
        )["FunctionArn"]
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
        return str(arn)


@pytest.fixture
def stand(embedded_aws: Instance) -> Stand:
    return Stand(embedded_aws)


DYNAMODB = "arn:aws:states:::dynamodb"
SDK = "arn:aws:states:::aws-sdk"
PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


def test_items_are_put_read_updated_and_deleted(stand: Stand) -> None:
    table = stand.table()
    key = {"id": {"S": "a"}}
    item = {**key, "flag": {"BOOL": True}, "n": {"N": "1"}}
    stand.output(f"{DYNAMODB}:putItem", {"TableName": table, "Item": item}, "dynamodb:PutItem")
    get = {"TableName": table, "Key": key}
    assert stand.output(f"{DYNAMODB}:getItem", get, "dynamodb:GetItem") == {"Item": item}
    assert stand.output(f"{SDK}:dynamodb:getItem", get, "dynamodb:GetItem")["Item"]["flag"] == {"Bool": True}
    update = {
        **get,
        "UpdateExpression": "SET n = :n",
        "ExpressionAttributeValues": {":n": {"N": "2"}},
        "ReturnValues": "UPDATED_NEW",
    }
    assert stand.output(f"{DYNAMODB}:updateItem", update, "dynamodb:UpdateItem") == {"Attributes": {"n": {"N": "2"}}}
    stand.output(f"{DYNAMODB}:deleteItem", get, "dynamodb:DeleteItem")
    assert stand.output(f"{DYNAMODB}:getItem", get, "dynamodb:GetItem") == {}


def test_a_failed_condition_has_the_name_of_its_integration(stand: Stand) -> None:
    table = stand.table()
    put = {"TableName": table, "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_exists(id)"}
    optimized = stand.task(f"{DYNAMODB}:putItem", put, "dynamodb:PutItem")
    assert optimized["error"] == "DynamoDB.ConditionalCheckFailedException"
    assert "Service: AmazonDynamoDBv2; Status Code: 400" in optimized["cause"]
    sdk = stand.task(f"{SDK}:dynamodb:putItem", put, "dynamodb:PutItem")
    assert sdk["error"] == "DynamoDb.ConditionalCheckFailedException"


def test_a_call_that_the_role_may_not_make_is_denied(stand: Stand) -> None:
    told = stand.task(f"{DYNAMODB}:getItem", {"TableName": "any", "Key": {"id": {"S": "a"}}}, "dynamodb:PutItem")
    assert (told["status"], told["error"]) == ("FAILED", "DynamoDB.AmazonDynamoDBException")
    assert "not authorized to perform: dynamodb:GetItem" in told["cause"]


def test_objects_are_put_copied_and_read(stand: Stand) -> None:
    bucket = f"bucket-{stand.mark}"
    stand.aws.client("s3").create_bucket(Bucket=bucket)
    actions = ("s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket")
    stand.output(f"{SDK}:s3:putObject", {"Bucket": bucket, "Key": "a", "Body": {"a": "é"}}, *actions)
    copy = {"Bucket": bucket, "Key": "b", "CopySource": f"{bucket}/a"}
    assert "LastModified" in stand.output(f"{SDK}:s3:copyObject", copy, *actions)["CopyObjectResult"]
    assert stand.output(f"{SDK}:s3:getObject", {"Bucket": bucket, "Key": "b"}, *actions)["Body"] == '{"a":"é"}'
    listed = stand.output(f"{SDK}:s3:listObjectsV2", {"Bucket": bucket}, *actions)["Contents"]
    assert [item["Key"] for item in listed] == ["a", "b"]
    missing = stand.task(f"{SDK}:s3:getObject", {"Bucket": bucket, "Key": "no"}, *actions)
    assert missing["error"] == "S3.NoSuchKeyException"
    denied = stand.task(f"{SDK}:s3:getObject", {"Bucket": bucket, "Key": "a"}, "s3:PutObject")
    assert denied["error"] == "S3.S3Exception"


def test_a_message_is_published_and_a_message_is_sent(stand: Stand) -> None:
    queues = stand.aws.client("sqs")
    queue, queue_arn = stand.queue()
    topics = stand.aws.client("sns")
    topic = topics.create_topic(Name=f"topic-{stand.mark}")["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    published = {"TopicArn": topic, "Subject": "s", "Message": {"a": 1}}
    assert "MessageId" in stand.output("arn:aws:states:::sns:publish", published, "sns:Publish")
    sent = {"QueueUrl": queue, "MessageBody": {"b": 2}}
    assert "MD5OfMessageBody" in stand.output("arn:aws:states:::sqs:sendMessage", sent, "sqs:SendMessage")
    bodies: list[Any] = []

    def receive() -> list[Any] | None:
        answer = queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        bodies.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return bodies if len(bodies) >= 2 else None

    assert sorted(until(receive), key=str) == [{"a": 1}, {"b": 2}]


def test_the_state_machine_asks_about_an_execution(stand: Stand) -> None:
    owner = stand.ended(stand.states.start_execution(stateMachineArn=stand.machine(PASS))["executionArn"])
    describe = {"ExecutionArn": owner["executionArn"]}
    told = stand.output(f"{SDK}:sfn:describeExecution", describe, "states:DescribeExecution")
    assert (told["Status"], told["StartDate"][-1]) == ("SUCCEEDED", "Z")
    unknown = stand.task(
        f"{SDK}:sfn:describeExecution", {"ExecutionArn": owner["executionArn"] + "x"}, "states:DescribeExecution"
    )
    assert unknown["error"] == "Sfn.ExecutionDoesNotExistException"


FUNCTION = """
class ManifestInvalid(Exception):
    pass

def handler(event, context):
    if event.get("fail"):
        raise ManifestInvalid("field jobId")
    return {"got": event}
"""


def test_a_function_answers_by_its_arn_and_by_invoke(stand: Stand) -> None:
    arn = stand.function(FUNCTION)
    assert stand.output(arn, {"a": "é"}, "lambda:InvokeFunction") == {"got": {"a": "é"}}
    invoked = stand.output(
        "arn:aws:states:::lambda:invoke", {"FunctionName": arn, "Payload": {"a": 1}}, "lambda:InvokeFunction"
    )
    assert (invoked["Payload"], invoked["StatusCode"]) == ({"got": {"a": 1}}, 200)


@pytest.mark.parametrize("invoke", [True, False])
def test_the_exception_of_a_function_is_caught_by_its_name(stand: Stand, invoke: bool) -> None:
    arn = stand.function(FUNCTION)
    payload = {"fail": True}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke" if invoke else arn,
        "Parameters": {"FunctionName": arn, "Payload": payload} if invoke else payload,
        "Catch": [{"ErrorEquals": ["ManifestInvalid"], "Next": "Caught"}],
        "End": True,
    }
    caught = {"Type": "Pass", "Parameters": {"cause.$": "States.StringToJson($.Cause)"}, "End": True}
    told = stand.run({"StartAt": "T", "States": {"T": state, "Caught": caught}}, ["lambda:InvokeFunction"])
    assert told["status"] == "SUCCEEDED", told
    cause = json.loads(told["output"])["cause"]
    assert (cause["errorType"], cause["errorMessage"]) == ("ManifestInvalid", "field jobId")


def test_a_function_that_is_not_there_is_named(stand: Stand) -> None:
    arn = f"arn:aws:lambda:{stand.aws.region}:{stand.aws.account}:function:nowhere"
    told = stand.run(
        {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": arn, "End": True}}}, ["lambda:InvokeFunction"]
    )
    assert told["error"] == "Lambda.ResourceNotFoundException"


NESTING = ("states:StartExecution", "states:DescribeExecution", "states:StopExecution", "events:*")


def test_a_nested_execution_is_waited_for(stand: Stand) -> None:
    inner = stand.machine({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"r": 1}, "End": True}}})
    asked = {"StateMachineArn": inner, "Input": {"a": 1}}
    started = stand.output("arn:aws:states:::states:startExecution", asked, *NESTING)
    assert set(started) == {"ExecutionArn", "StartDate"}
    parsed = stand.output("arn:aws:states:::states:startExecution.sync:2", asked, *NESTING)
    assert (parsed["Output"], parsed["Input"], parsed["Status"]) == ({"r": 1}, {"a": 1}, "SUCCEEDED")
    raw = stand.output("arn:aws:states:::states:startExecution.sync", asked, *NESTING)
    assert json.loads(raw["Output"]) == {"r": 1}


def test_a_nested_execution_that_fails_is_task_failed(stand: Stand) -> None:
    inner = stand.machine({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}})
    told = stand.task("arn:aws:states:::states:startExecution.sync:2", {"StateMachineArn": inner}, *NESTING)
    assert told["error"] == "States.TaskFailed"
    cause = json.loads(told["cause"])
    assert (cause["Error"], cause["Status"]) == ("E", "FAILED")


def test_eventbridge_starts_an_execution(stand: Stand) -> None:
    machine = stand.machine(PASS)
    events = stand.aws.client("events")
    events.put_rule(Name=f"rule-{stand.mark}", EventPattern=json.dumps({"source": [f"test.{stand.mark}"]}))
    target = {"Id": "t", "Arn": machine, "RoleArn": stand.role("states:StartExecution"), "InputPath": "$.detail"}
    events.put_targets(Rule=f"rule-{stand.mark}", Targets=[target])
    events.put_events(Entries=[{"Source": f"test.{stand.mark}", "DetailType": "d", "Detail": '{"k": 1}'}])
    [execution] = until(lambda: stand.states.list_executions(stateMachineArn=machine)["executions"] or None)
    assert json.loads(stand.ended(execution["executionArn"])["input"]) == {"k": 1}


def test_a_status_change_is_an_event(stand: Stand) -> None:
    machine = stand.machine(PASS)
    queues, events = stand.aws.client("sqs"), stand.aws.client("events")
    queue, queue_arn = stand.queue()
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine], "status": ["SUCCEEDED"]}}
    events.put_rule(Name=f"statuses-{stand.mark}", EventPattern=json.dumps(pattern))
    events.put_targets(Rule=f"statuses-{stand.mark}", Targets=[{"Id": "q", "Arn": queue_arn}])
    execution = stand.states.start_execution(stateMachineArn=machine)["executionArn"]
    [message] = until(lambda: queues.receive_message(QueueUrl=queue).get("Messages"))
    told = json.loads(message["Body"])
    assert (told["resources"], told["detail"]["output"]) == ([execution], "{}")


def test_the_region_follows_the_request(stand: Stand) -> None:
    elsewhere = "eu-central-1"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    session = boto3.session.Session(region_name=elsewhere, **keys)
    states = session.client("stepfunctions", endpoint_url=stand.aws.url, config=Config(inject_host_prefix=False))
    machine = stand.machine(PASS, states=states)
    assert machine.split(":")[3] == elsewhere
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    assert stand.ended(execution, states)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
        stand.states.describe_state_machine(stateMachineArn=machine)


def test_a_broken_definition_is_refused_over_http(stand: Stand) -> None:
    broken = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}
    with pytest.raises(stand.states.exceptions.InvalidDefinition, match="Missing 'Next' target: Nowhere"):
        stand.machine(broken)


def test_a_failed_execution_is_redriven_over_http(stand: Stand) -> None:
    table = stand.table()
    put = {"TableName": table, "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_exists(id)"}
    state = {"Type": "Task", "Resource": f"{DYNAMODB}:putItem", "Parameters": put, "End": True}
    machine = stand.machine({"StartAt": "T", "States": {"T": state}}, "dynamodb:PutItem")
    execution = stand.states.start_execution(stateMachineArn=machine)["executionArn"]
    assert stand.ended(execution)["redriveStatus"] == "REDRIVABLE"
    stand.aws.client("dynamodb").put_item(TableName=table, Item={"id": {"S": "a"}})
    stand.states.redrive_execution(executionArn=execution)
    assert (stand.ended(execution)["status"], stand.ended(execution)["redriveCount"]) == ("SUCCEEDED", 1)
    with pytest.raises(stand.states.exceptions.ExecutionNotRedrivable, match="SUCCEEDED and cannot be redriven"):
        stand.states.redrive_execution(executionArn=execution)


def test_hundreds_of_transitions_take_less_than_a_second(stand: Stand) -> None:
    count = 300
    states: dict[str, Any] = {f"S{count}": {"Type": "Succeed"}}
    for number in range(count):
        following = f"S{number + 1}"
        rule = {"Variable": "$.n", "NumericEquals": 1, "Next": following}
        states[f"S{number}"] = (
            {"Type": "Pass", "Parameters": {"n.$": "$.n"}, "Next": following}
            if number % 2
            else {"Type": "Choice", "Choices": [rule], "Default": following}
        )
    told = stand.run({"StartAt": "S0", "States": states}, given={"n": 1})
    assert told["status"] == "SUCCEEDED"
    assert (told["stopDate"] - told["startDate"]).total_seconds() < 1


def test_twenty_executions_work_side_by_side(stand: Stand) -> None:
    table = stand.table()
    get = {"TableName": table, "Key": {"id": {"S.$": "$.id"}}}
    wait = {"Type": "Wait", "Seconds": 1, "Next": "T"}
    states = {"W": wait, "T": {"Type": "Task", "Resource": f"{DYNAMODB}:getItem", "Parameters": get, "End": True}}
    machine = stand.machine({"StartAt": "W", "States": states}, "dynamodb:GetItem")
    started = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        start = stand.states.start_execution
        arns = list(
            threads.map(lambda n: start(stateMachineArn=machine, input=f'{{"id": "{n}"}}')["executionArn"], range(20))
        )
    assert {stand.ended(arn)["status"] for arn in arns} == {"SUCCEEDED"}
    assert time.monotonic() - started < 10


def test_an_idle_engine_uses_no_processor(stand: Stand) -> None:
    machine = stand.machine({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
    arns = [stand.states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(50)]
    time.sleep(0.5)
    before = processor_seconds(stand.aws.process.pid)
    if before is None:
        pytest.skip("this system does not tell a process's processor time in /proc")
    time.sleep(2)
    after = processor_seconds(stand.aws.process.pid)
    assert after is not None
    assert after - before < 0.5
    for arn in arns:
        stand.states.stop_execution(executionArn=arn)


def processor_seconds(pid: int) -> float | None:
    import os
    from pathlib import Path

    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
