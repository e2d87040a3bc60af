"""Faults and the record of calls, ordered and read over HTTP. An instance of its own: a fault hits every caller."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance, InstanceError
from tests.fakes.deployed import allow, function, invoke, name

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
