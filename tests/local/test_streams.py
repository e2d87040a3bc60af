"""From a change of a table to the function that its stream is mapped to, as DynamoDB and Lambda treat it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, eventually, function, invoke, name, policy

pytestmark = pytest.mark.network

# Notes each invocation in a table; `n` are the values of the items' attribute n.
NOTES = """
    import boto3, json, os, time, uuid
    notes = boto3.client("dynamodb")
    def note(event):
        key = {"id": {"S": os.environ["NOTES"]}, "sort": {"S": f"{time.time():.6f}-{uuid.uuid4()}"}}
        notes.put_item(TableName="stream-notes", Item={**key, "said": {"S": json.dumps(event["Records"])}})
    def times():
        said = {":i": {"S": os.environ["NOTES"]}}
        asked = {"TableName": "stream-notes", "KeyConditionExpression": "id = :i"}
        return notes.query(**asked, ExpressionAttributeValues=said)["Count"]
    def n_of(record):
        return record["dynamodb"]["NewImage"]["n"]["N"]
    def failures(*records):
        return {"batchItemFailures": [{"itemIdentifier": each["dynamodb"]["SequenceNumber"]} for each in records]}
    def handler(event, context):
        return work(event["Records"], event) if event["Records"] else "warm"
"""
READS = ("GetRecords", "GetShardIterator", "DescribeStream")


@pytest.fixture(scope="module")
def aws(embedded_aws: Instance) -> Instance:
    """With the table that the functions note their records in."""
    embedded_aws.client("dynamodb").create_table(
        TableName="stream-notes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "sort", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return embedded_aws


class Table:
    def __init__(self, aws: Instance, view: str = "NEW_AND_OLD_IMAGES") -> None:
        self.client = aws.client("dynamodb")
        self.name = name("table")
        self.stream = self.client.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )["TableDescription"]["LatestStreamArn"]

    def put(self, *numbers: int, key: str | None = None) -> None:
        """Write an item for each number; under one key where that is given."""
        for number in numbers:
            item = {"id": {"S": key or f"i{number}"}, "n": {"N": str(number)}}
            self.client.put_item(TableName=self.name, Item=item)


class Mapped:
    """A function that notes what it gets, mapped to a table's stream."""

    def __init__(
        self, aws: Instance, table: Table, body: str, *, settings: dict[str, Any] | None = None, **more: Any
    ) -> None:
        self.aws = aws
        self.notes = name("notes")
        lines = ["    def work(records, event):", *(f"        {line}" for line in body.strip("\n").splitlines())]
        self.function = function(
            aws,
            NOTES + "\n".join(lines),
            allow(*(f"dynamodb:{action}" for action in READS), on=table.stream),
            allow("dynamodb:ListStreams", "dynamodb:PutItem", "dynamodb:Query", "sqs:SendMessage"),
            Environment={"Variables": {"NOTES": self.notes}},
            **(settings or {}),
        )
        invoke(aws, self.function, {"Records": []})
        self.mapping = aws.client("lambda").create_event_source_mapping(
            EventSourceArn=table.stream, FunctionName=self.function, **{"StartingPosition": "TRIM_HORIZON", **more}
        )["UUID"]

    def update(self, **settings: Any) -> None:
        self.aws.client("lambda").update_event_source_mapping(UUID=self.mapping, **settings)

    def records(self) -> list[list[dict[str, Any]]]:
        """The records of each invocation, the oldest invocation first."""
        pages = self.aws.client("dynamodb").get_paginator("query")
        asked = {"TableName": "stream-notes", "KeyConditionExpression": "id = :i", "ConsistentRead": True}
        found = pages.paginate(**asked, ExpressionAttributeValues={":i": {"S": self.notes}})
        return [json.loads(item["said"]["S"]) for page in found for item in page["Items"]]

    def batches(self) -> list[list[int]]:
        return [[int(record["dynamodb"]["NewImage"]["n"]["N"]) for record in records] for records in self.records()]

    def drained(self) -> bool:
        (told,) = [each for each in self.aws.streams() if each["mapping"] == self.mapping]
        return not told["waiting"]

    def when_drained(self) -> list[list[int]]:
        eventually(self.drained, within=20)
        return self.batches()

    def outcome(self) -> str:
        mapping = self.aws.client("lambda").get_event_source_mapping(UUID=self.mapping)
        return str(mapping["LastProcessingResult"])


def a_queue(aws: Instance) -> str:
    """The ARN of a new queue, which refuses who does not come by TLS."""
    called = name("queue")
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{called}"
    denied = {**allow("sqs:*", on=arn), "Effect": "Deny", "Principal": "*"}
    tls_only = policy({**denied, "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    aws.client("sqs").create_queue(QueueName=called, Attributes={"Policy": tls_only})
    return arn


def received(aws: Instance, queue: str) -> list[dict[str, Any]]:
    """The JSON of the messages of the queue."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue.rsplit(":", 1)[-1])["QueueUrl"]
    return [json.loads(each["Body"]) for each in sqs.receive_message(QueueUrl=url).get("Messages", [])]


REPORTS: dict[str, Any] = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
BISECTS: dict[str, Any] = {"BisectBatchOnFunctionError": True}


def test_records_have_the_shape_of_dynamodbs(aws: Instance) -> None:
    table = Table(aws)
    table.put(1)
    table.put(1)
    table.put(2, key="i1")
    table.client.delete_item(TableName=table.name, Key={"id": {"S": "i1"}})
    mapped = Mapped(aws, table, "note(event)")
    eventually(mapped.drained)
    ((insert, modify, remove),) = mapped.records()
    one, two = ({"id": {"S": "i1"}, "n": {"N": number}} for number in "12")
    change = insert["dynamodb"]
    assert abs(change.pop("ApproximateCreationDateTime") - time.time()) < 60
    number = change.pop("SequenceNumber")
    assert change == {
        "Keys": {"id": {"S": "i1"}},
        "NewImage": one,
        "SizeBytes": 11,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    del insert["dynamodb"]
    assert len(insert.pop("eventID")) == 32
    assert insert == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": aws.region,
        "eventSourceARN": table.stream,
    }
    assert (modify["eventName"], modify["dynamodb"]["OldImage"], modify["dynamodb"]["NewImage"]) == ("MODIFY", one, two)
    assert (remove["eventName"], remove["dynamodb"]["OldImage"]) == ("REMOVE", two)
    assert "NewImage" not in remove["dynamodb"]
    numbers = [number, modify["dynamodb"]["SequenceNumber"], remove["dynamodb"]["SequenceNumber"]]
    assert all(21 <= len(each) <= 40 and not each.startswith("0") for each in numbers)
    assert numbers == sorted(set(numbers))


def test_records_in_flight_when_the_process_dies_are_delivered_again(aws: Instance) -> None:
    table = Table(aws)
    table.put(1, 2)
    mapped = Mapped(aws, table, "note(event)\nif times() == 1: os._exit(1)")
    assert mapped.when_drained() == [[1, 2], [1, 2]]


def test_a_process_that_a_fault_kills_gets_its_records_again(aws: Instance) -> None:
    table = Table(aws)
    table.put(1)
    mapped = Mapped(aws, table, "note(event)", Enabled=False)
    fault = aws.order_fault(
        "dynamodb:PutItem", function=mapped.function, nth=[1], when="after", kill=True, redeliver_seconds=0
    )
    mapped.update(Enabled=True)
    assert mapped.when_drained() == [[1], [1]]
    aws.forget_fault(fault)


def test_a_reported_record_is_singled_out_where_the_mapping_bisects(aws: Instance) -> None:
    table, queue = Table(aws), a_queue(aws)
    table.put(*range(4))
    code = """
note(event)
return failures(*(each for each in records if n_of(each) == "1"))
"""
    destination = {"OnFailure": {"Destination": queue}}
    more = {"MaximumRetryAttempts": 1, "DestinationConfig": destination, **BISECTS, **REPORTS}
    mapped = Mapped(aws, table, code, **more)
    assert mapped.when_drained() == [[0, 1, 2, 3], [1, 2, 3], [1, 2], [1], [1], [2], [3]]
    (told,) = eventually(lambda: received(aws, queue))
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1
    assert told["responseContext"]["functionError"] is None


def test_a_mapping_begins_with_what_is_written_after_it_and_takes_what_its_filters_leave(aws: Instance) -> None:
    table = Table(aws)
    table.put(1)
    filters = [{"Pattern": json.dumps({"eventName": ["INSERT"]})}]
    mapped = Mapped(aws, table, "note(event)", StartingPosition="LATEST", FilterCriteria={"Filters": filters})
    table.put(2)
    table.put(3, key="i2")
    eventually(mapped.batches)
    assert mapped.when_drained() == [[2]]


def refusal(aws: Instance, stream: str, function_name: str, **settings: Any) -> str:
    with pytest.raises(ClientError) as refused:
        aws.client("lambda").create_event_source_mapping(EventSourceArn=stream, FunctionName=function_name, **settings)
    return str(refused.value)


def test_lambda_tells_the_settings_of_a_mapping_and_refuses_what_cannot_be_with_its_words(aws: Instance) -> None:
    table = Table(aws)
    mapped = Mapped(aws, table, "note(event)")
    told = aws.client("lambda").get_event_source_mapping(UUID=mapped.mapping)
    assert (told["BatchSize"], told["MaximumRetryAttempts"], told["MaximumRecordAgeInSeconds"]) == (100, -1, -1)
    assert (told["BisectBatchOnFunctionError"], told["ParallelizationFactor"]) == (False, 1)
    assert told["DestinationConfig"] == {"OnFailure": {}}

    nowhere = f"arn:aws:dynamodb:{aws.region}:{aws.account}:table/nowhere/stream/2026-01-01T00:00:00.000"
    latest = {"StartingPosition": "LATEST"}
    assert "Value null at 'startingPosition'" in refusal(aws, table.stream, mapped.function)
    assert f"Stream not found: {nowhere}" in refusal(aws, nowhere, mapped.function, **latest)
    twice = refusal(aws, table.stream, mapped.function, **latest)
    assert "ResourceConflictException" in twice
    assert f"with UUID {mapped.mapping}" in twice

    other = Table(aws)
    assert f"Cannot access stream {other.stream}. Please ensure the role can perform the GetRecords" in refusal(
        aws, other.stream, mapped.function, **latest
    )
    updating = {"UUID": mapped.mapping, "MaximumRecordAgeInSeconds": 59}
    with pytest.raises(ClientError, match="must be -1 or between 60 and 604800"):
        aws.client("lambda").update_event_source_mapping(**updating)
