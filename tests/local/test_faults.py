"""Faults and the record of calls, ordered and read over HTTP. An instance of its own: a fault hits every caller."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance, InstanceError
from tests.fakes.deployed import allow, eventually, function, invoke, name, role

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance.start(tmp_path_factory.mktemp("faults"))
    yield instance
    instance.stop()


@pytest.fixture
def bucket(aws: Instance) -> Iterator[str]:
    called = name("bucket")
    aws.client("s3").create_bucket(Bucket=called)
    yield called
    aws.forget_faults()


def keys(aws: Instance, bucket: str) -> list[str]:
    return [each["Key"] for each in aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_an_error_before_the_effect_leaves_nothing_behind(aws: Instance, bucket):
    aws.order_fault("s3:PutObject", nth=[2], code="SlowDown", status=503)
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="first")
    with pytest.raises(ClientError, match="SlowDown") as raised:
        s3.put_object(Bucket=bucket, Key="second")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    s3.put_object(Bucket=bucket, Key="third")
    assert keys(aws, bucket) == ["first", "third"]
    (told,) = aws.faults()
    assert (told["seen"], told["applied"]) == (3, 1)


def test_a_lost_answer_hides_an_effect_that_took_place(aws: Instance, bucket):
    aws.order_fault("s3:PutObject", when="after", code="InternalError")
    with pytest.raises(ClientError, match="InternalError"):
        aws.client("s3").put_object(Bucket=bucket, Key="there")
    assert keys(aws, bucket) == ["there"]


@pytest.mark.usefixtures("bucket")
def test_an_error_of_a_json_service_is_the_sdks_own_exception(aws: Instance):
    table = name("table")
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.order_fault("dynamodb:PutItem", code="ConditionalCheckFailedException", status=400)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}})


def test_a_delay_delays(aws: Instance, bucket):
    aws.order_fault("s3:PutObject", delay_seconds=0.5)
    began = time.monotonic()
    aws.client("s3").put_object(Bucket=bucket, Key="late")
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize(("when", "left"), [("before", []), ("after", ["from-a-function"])])
def test_a_function_dies_at_its_own_call_on_either_side_of_the_effect(aws: Instance, bucket, when, left):
    code = """
        import boto3
        s3 = boto3.client("s3")
        def handler(event, context):
            s3.put_object(Bucket=event, Key="from-a-function", Body=b"x")
            return "done"
    """
    called = function(aws, code, allow("s3:PutObject"))
    aws.order_fault("s3:PutObject", nth=[1], kill=True, when=when)
    answer, failed = invoke(aws, called, bucket)
    assert failed
    assert answer["errorType"] == "Runtime.ExitError"
    assert keys(aws, bucket) == left
    assert invoke(aws, called, bucket) == ("done", False)


@pytest.mark.parametrize(("when", "left"), [("before", ["part-1"]), ("after", ["part-1", "part-2"])])
def test_a_function_of_an_event_source_mapping_dies_at_its_second_part(aws: Instance, bucket, when, left):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name("queue"), Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{url.rpartition('/')[2]}"
    code = """
        import boto3
        s3 = boto3.client("s3")
        def handler(event, context):
            (record,) = event["Records"]
            bucket, number = record["body"].split()
            attempt = record["attributes"]["ApproximateReceiveCount"]
            s3.put_object(Bucket=bucket, Key=f"other-{number}-{attempt}", Body=b"x")
            s3.put_object(Bucket=bucket, Key=f"part-{number}", Body=b"x")
            s3.put_object(Bucket=bucket, Key=f"counted-{number}", Body=b"x")
    """
    reading = allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=arn)
    called = function(aws, code, allow("s3:PutObject"), reading, Timeout=2)
    aws.order_fault("s3:PutObject", function=called, resource="*/part-*", nth=[2], kill=True, when=when)
    aws.client("s3").put_object(Bucket=bucket, Key="part-0")
    aws.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=called, BatchSize=1)
    sqs.send_message(QueueUrl=url, MessageBody=f"{bucket} 1")
    eventually(lambda: "counted-1" in keys(aws, bucket))
    sqs.send_message(QueueUrl=url, MessageBody=f"{bucket} 2")
    eventually(lambda: aws.faults()[0]["applied"])
    parts = [key for key in keys(aws, bucket) if key.startswith("part-")]
    assert parts == ["part-0", *left]
    eventually(lambda: "counted-2" in keys(aws, bucket))
    assert "other-2-2" in keys(aws, bucket)


def test_a_function_of_a_state_machine_dies_and_the_state_is_tried_again(aws: Instance, bucket):
    code = """
        import boto3
        s3 = boto3.client("s3")
        def handler(event, context):
            s3.put_object(Bucket=event["bucket"], Key="k", Body=b"x")
            return "done"
    """
    called = function(aws, code, allow("s3:PutObject"))
    another = function(aws, code, allow("s3:PutObject"))
    retry = [{"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 1}]
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Retry": retry, "End": True}
    parameters = {"FunctionName": called, "Payload.$": "$"}
    definition = {"StartAt": "T", "States": {"T": {**task, "Parameters": parameters}}}
    states = aws.client("stepfunctions")
    machine = states.create_state_machine(
        name=name("machine"),
        definition=json.dumps(definition),
        roleArn=role(aws, "states", allow("lambda:InvokeFunction")),
    )["stateMachineArn"]
    aws.order_fault("s3:PutObject", function=called, nth=[1], kill=True, when="after")
    assert invoke(aws, another, {"bucket": bucket}) == ("done", False)
    given = json.dumps({"bucket": bucket})
    execution = states.start_execution(stateMachineArn=machine, input=given)["executionArn"]
    eventually(lambda: states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")
    events = [event["type"] for event in states.get_execution_history(executionArn=execution)["events"]]
    assert events.count("TaskFailed") == 1
    assert events.count("TaskSucceeded") == 1


def test_an_executions_call_is_held_let_go_with_trouble_and_tried_again(aws: Instance, bucket):
    states = aws.client("stepfunctions")
    arn = machine(aws, bucket, Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}])
    aws.order_fault("s3:PutObject", execution=f"*:{arn.rpartition(':')[2]}:*", state="T", hold=True)
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    (call,) = aws.at_rest(execution)["held"]
    assert (call["action"], call["execution"], call["state"]) == ("s3:PutObject", execution, "T")
    assert keys(aws, bucket) == []
    aws.let_go(call["id"], code="InternalError", when="after")
    assert keys(aws, bucket) == ["k"]
    (again,) = aws.at_rest(execution)["held"]
    assert aws.held_calls() == [again]
    aws.let_go(again["id"])
    assert aws.at_rest(execution) == {"status": "SUCCEEDED", "held": []}


def test_an_executions_invocation_of_a_function_is_held_and_what_the_function_does_is_not(aws: Instance, bucket):
    code = f"""
        import boto3
        def handler(event, context):
            boto3.client("s3").put_object(Bucket="{bucket}", Key="k", Body=b"x")
    """
    called = function(aws, code, allow("s3:PutObject"))
    resource = aws.client("lambda").get_function(FunctionName=called)["Configuration"]["FunctionArn"]
    states = aws.client("stepfunctions")
    arn = states.create_state_machine(
        name=name("machine"),
        definition=json.dumps({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": True}}}),
        roleArn=role(aws, "states", allow("lambda:InvokeFunction")),
    )["stateMachineArn"]
    aws.order_fault("*", execution=f"*:{arn.rpartition(':')[2]}:*", hold=True)
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    (call,) = aws.at_rest(execution)["held"]
    assert (call["action"], call["execution"], call["state"]) == ("lambda:InvokeFunction", execution, "T")
    assert keys(aws, bucket) == []
    aws.let_go(call["id"])
    assert aws.at_rest(execution) == {"status": "SUCCEEDED", "held": []}
    assert keys(aws, bucket) == ["k"]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({"action": "s3:PutObject", "when": "before"}, []),
        ({"action": "s3:PutObject", "when": "after"}, ["k"]),
        ({"action": "history:TaskStateEntered"}, []),
    ],
)
def test_an_execution_dies_where_a_rule_says(aws: Instance, bucket, rule, left):
    states = aws.client("stepfunctions")
    arn = machine(aws, bucket)
    aws.order_fault(**rule, execution=f"*:{arn.rpartition(':')[2]}:*", kill=True)
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    assert aws.at_rest(execution)["status"] == "ABORTED"
    eventually(lambda: keys(aws, bucket) == left)


def machine(aws: Instance, bucket: str, **task: Any) -> str:
    """A machine whose one task puts an object."""
    put = {"Bucket": bucket, "Key": "k", "Body": "x"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject", "Parameters": put, "End": True}
    definition = {"StartAt": "Begin", "States": {"Begin": {"Type": "Pass", "Next": "T"}, "T": {**state, **task}}}
    made = aws.client("stepfunctions").create_state_machine(
        name=name("machine"),
        definition=json.dumps(definition),
        roleArn=role(aws, "states", allow("s3:PutObject")),
    )
    return str(made["stateMachineArn"])


def test_a_rule_that_makes_no_sense_is_refused(aws: Instance):
    with pytest.raises(InstanceError, match="needs a code"):
        aws.order_fault("s3:*")


def test_the_record_says_who_did_what_and_what_was_denied(aws: Instance, bucket):
    code = """
        import boto3, botocore
        s3 = boto3.client("s3")
        def handler(event, context):
            for _ in range(2):
                s3.put_object(Bucket=event, Key="k", Body=b"x")
            try:
                s3.get_object(Bucket=event, Key="k")
            except botocore.exceptions.ClientError:
                return "denied"
    """
    called = function(aws, code, allow("s3:PutObject"))
    role = aws.client("lambda").get_function_configuration(FunctionName=called)["Role"].rsplit("/", 1)[-1]
    aws.forget_calls()
    assert invoke(aws, called, bucket) == ("denied", False)
    resource = f"arn:aws:s3:::{bucket}/k"
    assert [call for call in aws.calls() if call["principal"] == role] == [
        {"principal": role, "action": "s3:PutObject", "resource": resource, "allowed": True, "count": 2},
        {"principal": role, "action": "s3:GetObject", "resource": resource, "allowed": False, "count": 1},
    ]
