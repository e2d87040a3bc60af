"""From an upload to what EventBridge delivers, or does not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, eventually, function, name, policy, role

pytestmark = pytest.mark.network

PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})


class Rule:
    """A bucket whose events a rule hands to one target, and a dead-letter queue."""

    def __init__(self, aws: Instance, *, versioned: bool = False, queue_policy: bool = True) -> None:
        self.aws = aws
        self.bucket = name("bucket")
        self.called = name("rule")
        self.dead_letters = self.queue(allowed=queue_policy)
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=self.bucket)
        if versioned:
            s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [self.bucket]}}}
        aws.client("events").put_rule(Name=self.called, EventPattern=json.dumps(pattern))

    @property
    def arn(self) -> str:
        return f"arn:aws:events:{self.aws.region}:{self.aws.account}:rule/{self.called}"

    def queue(self, *, allowed: bool) -> tuple[str, str]:
        """A queue that this rule may send to, or not: its URL and ARN."""
        sqs = self.aws.client("sqs")
        url = sqs.create_queue(QueueName=name("queue"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if allowed:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": self.arn}},
            }
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
        return url, arn

    def target(self, arn: str, **more: object) -> None:
        target = {"Id": "t", "Arn": arn, "DeadLetterConfig": {"Arn": self.dead_letters[1]}, **more}
        answer = self.aws.client("events").put_targets(Rule=self.called, Targets=[target])
        assert answer["FailedEntryCount"] == 0

    def upload(self, key: str = "a/manifest.json", body: bytes = b"12345") -> dict:
        return self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    def messages(self, url: str, within: float = 10) -> list[dict]:
        sqs = self.aws.client("sqs")
        request = {"QueueUrl": url, "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10}
        return eventually(lambda: sqs.receive_message(**request).get("Messages"), within=within)


def machine(aws: Instance) -> str:
    created = aws.client("stepfunctions").create_state_machine(
        name=name("machine"), definition=PASS, roleArn=role(aws, "states")
    )
    return created["stateMachineArn"]


def test_an_upload_is_told_with_all_its_fields(embedded_aws: Instance):
    rule = Rule(embedded_aws, versioned=True)
    url, arn = rule.queue(allowed=True)
    rule.target(arn)
    put = rule.upload()
    event = json.loads(rule.messages(url)[0]["Body"])
    detail = event["detail"]
    assert event["source"] == "aws.s3"
    assert event["detail-type"] == "Object Created"
    assert event["resources"] == [f"arn:aws:s3:::{rule.bucket}"]
    assert detail["version"] == "0"
    assert detail["bucket"] == {"name": rule.bucket}
    assert detail["reason"] == "PutObject"
    assert detail["request-id"]
    assert detail["requester"] == embedded_aws.account
    assert {**detail["object"], "sequencer": ""} == {
        "key": "a/manifest.json",
        "size": 5,
        "etag": put["ETag"].strip('"'),
        "version-id": put["VersionId"],
        "sequencer": "",
    }


def test_sequencers_of_one_key_grow_with_its_uploads(embedded_aws: Instance):
    rule = Rule(embedded_aws)
    url, arn = rule.queue(allowed=True)
    rule.target(arn)
    etags = [rule.upload(body=str(number).encode())["ETag"].strip('"') for number in range(5)]
    told: dict[str, str] = {}
    while len(told) < 5:
        for message in rule.messages(url):
            described = json.loads(message["Body"])["detail"]["object"]
            told[described["sequencer"]] = described["etag"]
    assert [told[sequencer] for sequencer in sorted(told)] == etags


def test_each_of_many_uploads_at_once_is_told(embedded_aws: Instance):
    rule = Rule(embedded_aws)
    url, arn = rule.queue(allowed=True)
    rule.target(arn)
    keys = {f"a/{number}" for number in range(60)}
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(rule.upload, keys))
    told: set[str] = set()
    while told < keys:
        told |= {json.loads(message["Body"])["detail"]["object"]["key"] for message in rule.messages(url)}
    assert told == keys


def test_an_input_transformer_gives_the_machine_its_input(embedded_aws: Instance):
    rule = Rule(embedded_aws)
    arn = machine(embedded_aws)
    transformer = {
        "InputPathsMap": {"key": "$.detail.object.key", "sequencer": "$.detail.object.sequencer"},
        "InputTemplate": '{"key": <key>, "sequencer": <sequencer>}',
    }
    starter = role(embedded_aws, "events", allow("states:StartExecution", on=arn))
    rule.target(arn, RoleArn=starter, InputTransformer=transformer)
    rule.upload('a/"quoted" ü.json')
    states = embedded_aws.client("stepfunctions")
    (execution,) = eventually(lambda: states.list_executions(stateMachineArn=arn)["executions"])
    given = json.loads(states.describe_execution(executionArn=execution["executionArn"])["input"])
    assert given["key"] == 'a/"quoted" ü.json'
    assert int(given["sequencer"], 16) > 0


@pytest.mark.parametrize("fault", ["no permission", "no trust", "no role"])
def test_a_machine_that_may_not_be_started_leaves_a_dead_letter(embedded_aws: Instance, fault):
    rule = Rule(embedded_aws)
    arn = machine(embedded_aws)
    if fault == "no permission":
        more = {"RoleArn": role(embedded_aws, "events", allow("states:StartExecution", on=arn + "-another"))}
    elif fault == "no trust":
        more = {"RoleArn": role(embedded_aws, "lambda", allow("states:StartExecution", on=arn))}
    else:
        more = {"RoleArn": f"arn:aws:iam::{embedded_aws.account}:role/nobody"}
    rule.target(arn, **more)
    rule.upload()
    (message,) = rule.messages(rule.dead_letters[0])
    told = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert told["ERROR_CODE"] == "NO_PERMISSIONS"
    assert told["RULE_ARN"] == rule.arn
    assert told["TARGET_ARN"] == arn
    assert json.loads(message["Body"])["detail"]["object"]["key"] == "a/manifest.json"
    assert embedded_aws.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"] == []


def test_a_machine_that_is_gone_leaves_a_dead_letter(embedded_aws: Instance):
    rule = Rule(embedded_aws)
    arn = machine(embedded_aws)
    starter = role(embedded_aws, "events", allow("states:StartExecution", on=arn))
    rule.target(arn, RoleArn=starter)
    embedded_aws.client("stepfunctions").delete_state_machine(stateMachineArn=arn)
    rule.upload()
    (message,) = rule.messages(rule.dead_letters[0])
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"


def test_a_dead_letter_queue_that_does_not_allow_the_rule_gets_nothing(embedded_aws: Instance):
    rule = Rule(embedded_aws, queue_policy=False)
    arn = machine(embedded_aws)
    rule.target(arn, RoleArn=role(embedded_aws, "events"))
    rule.upload()
    with pytest.raises(AssertionError, match="nothing within"):
        rule.messages(rule.dead_letters[0], within=0.5)


def test_a_queue_that_does_not_allow_the_rule_is_not_reached(embedded_aws: Instance):
    rule = Rule(embedded_aws)
    _, arn = rule.queue(allowed=False)
    rule.target(arn)
    rule.upload()
    (message,) = rule.messages(rule.dead_letters[0])
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


TRANSFORMER = {
    "InputPathsMap": {
        "bucket": "$.detail.bucket.name",
        "key": "$.detail.object.key",
        "sequencer": "$.detail.object.sequencer",
        "event": "$.detail-type",
    },
    "InputTemplate": '{"bucket": <bucket>, "key": <key>, "sequencer": <sequencer>, "event": <event>}',
}


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_uploads_and_deletions_come_into_a_queue_as_its_transformer_says(embedded_aws: Instance, versioned):
    rule = Rule(embedded_aws, versioned=versioned)
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {"bucket": {"name": [rule.bucket]}, "object": {"key": [{"prefix": "docs/"}]}},
    }
    embedded_aws.client("events").put_rule(Name=rule.called, EventPattern=json.dumps(pattern))
    url, arn = rule.queue(allowed=True)
    rule.target(arn, InputTransformer=TRANSFORMER)
    rule.upload("other/a.txt")
    rule.upload('docs/"a" ü.txt')
    s3 = embedded_aws.client("s3")
    s3.delete_object(Bucket=rule.bucket, Key='docs/"a" ü.txt')
    rule.upload("docs/b.txt")
    s3.delete_objects(Bucket=rule.bucket, Delete={"Objects": [{"Key": "docs/b.txt"}]})
    told: list[dict] = []
    while len(told) < 4:
        told += [json.loads(message["Body"]) for message in rule.messages(url)]
    told.sort(key=lambda event: event["sequencer"])
    assert [(event["event"], event["key"]) for event in told] == [
        ("Object Created", 'docs/"a" ü.txt'),
        ("Object Deleted", 'docs/"a" ü.txt'),
        ("Object Created", "docs/b.txt"),
        ("Object Deleted", "docs/b.txt"),
    ]
    assert {event["bucket"] for event in told} == {rule.bucket}


FAIL = json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}})


def test_the_end_of_an_execution_reaches_a_function_and_a_machine_unless_its_name_is_excluded(embedded_aws: Instance):
    aws, states, events, sqs = embedded_aws, *(embedded_aws.client(each) for each in ("stepfunctions", "events", "sqs"))
    failing = states.create_state_machine(name=name("fails"), definition=FAIL, roleArn=role(aws, "states"))
    sweeper = machine(aws)
    noted = sqs.create_queue(QueueName=name("queue"))["QueueUrl"]
    code = f"""
        import boto3, json
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl="{noted}", MessageBody=json.dumps(event["detail"]))
    """
    function_name = function(aws, code, allow("sqs:SendMessage"))
    detail = {"stateMachineArn": [failing["stateMachineArn"]], "status": ["FAILED", "TIMED_OUT", "ABORTED"]}
    ended = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {**detail, "name": [{"anything-but": {"prefix": "sweep-"}}]},
    }
    called = name("rule")
    rule_arn = events.put_rule(Name=called, EventPattern=json.dumps(ended))["RuleArn"]
    aws.client("lambda").add_permission(
        FunctionName=function_name,
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule_arn,
    )
    targets = [
        {"Id": "f", "Arn": f"arn:aws:lambda:{aws.region}:{aws.account}:function:{function_name}"},
        {"Id": "m", "Arn": sweeper, "RoleArn": role(aws, "events", allow("states:StartExecution", on=sweeper))},
    ]
    assert events.put_targets(Rule=called, Targets=targets)["FailedEntryCount"] == 0
    for execution in ("sweep-1", "plain-1"):
        states.start_execution(stateMachineArn=failing["stateMachineArn"], name=execution)
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=noted).get("Messages"), within=20)
    assert {key: json.loads(message["Body"])[key] for key in ("name", "status", "error")} == {
        "name": "plain-1",
        "status": "FAILED",
        "error": "E",
    }
    (started,) = eventually(lambda: states.list_executions(stateMachineArn=sweeper)["executions"])
    given = json.loads(states.describe_execution(executionArn=started["executionArn"])["input"])
    assert given["detail"]["executionArn"].endswith(":plain-1")
    assert "Messages" not in sqs.receive_message(QueueUrl=noted)


def test_a_function_that_does_not_allow_the_rule_is_not_called(embedded_aws: Instance):
    rule = Rule(embedded_aws)
    code = "def handler(event, context): return None"
    called = function(embedded_aws, code)
    rule.target(f"arn:aws:lambda:{embedded_aws.region}:{embedded_aws.account}:function:{called}")
    rule.upload()
    (message,) = rule.messages(rule.dead_letters[0])
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
