from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from benchmarks import tables
from benchmarks.incident_table import (
    INDEX,
    NO_CHANGE,
    closed,
    create_table,
    mark_synced,
    plain,
    read_items,
    upload,
    word,
    write_items,
)
from incident_sync.documents import metadata_key, object_key
from shared.stream_records import SEQUENCE_DIGITS

AT = datetime(2026, 11, 22, 13, tzinfo=UTC)
PREFIX = "incidents/closed/"
SETTINGS = {"region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture
def client() -> Iterator[Any]:
    """Makes clients of one AWS."""
    with mock_aws():
        yield lambda service: boto3.client(service, **SETTINGS)


def test_each_incident_has_a_word_of_its_own() -> None:
    incidents = [closed(number) for number in range(100)]
    assert len({word(each["incident_id"]) for each in incidents}) == 100
    assert all(word(each["incident_id"]) in each["description"] for each in incidents)


def test_the_stream_of_a_table_begins_after_the_incidents_that_it_has(client: Any) -> None:
    dynamodb = client("dynamodb")
    create_table(dynamodb, "incidents", [closed(number) for number in range(60)])
    described = dynamodb.describe_table(TableName="incidents")["Table"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    streams = client("dynamodbstreams")
    (shard,) = streams.describe_stream(StreamArn=described["LatestStreamArn"])["StreamDescription"]["Shards"]
    found = streams.get_shard_iterator(
        StreamArn=described["LatestStreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    assert streams.get_records(ShardIterator=found["ShardIterator"])["Records"] == []
    asked = {"IndexName": INDEX, "KeyConditionExpression": "#s = :s", "ExpressionAttributeNames": {"#s": "status"}}
    said = dynamodb.query(TableName="incidents", **asked, ExpressionAttributeValues={":s": {"S": "CLOSED"}})
    assert said["Count"] == 60


def test_more_items_than_a_request_takes_are_written_and_read(client: Any) -> None:
    dynamodb = client("dynamodb")
    create_table(dynamodb, "incidents", [])
    incidents = {each["incident_id"]: each for each in (closed(number) for number in range(130))}
    write_items(dynamodb, "incidents", incidents.values())
    found = read_items(dynamodb, "incidents", [{"incident_id": name} for name in [*incidents, "nobody"]])
    assert {each["incident_id"]: each for each in found} == incidents


def test_objects_are_those_of_the_workflow_and_marks_those_of_a_run_that_is_over(client: Any) -> None:
    dynamodb, s3, incident = client("dynamodb"), client("s3"), closed("INC-1")
    create_table(dynamodb, "incidents", [incident])
    tables.create_table(dynamodb, "waiting", "id")
    s3.create_bucket(Bucket="data")
    upload(s3, "data", PREFIX, [incident])
    mark_synced(dynamodb, "incidents", "waiting", PREFIX, [incident], "JOB0000001", AT)
    key = object_key(PREFIX, "INC-1")
    assert json.loads(s3.get_object(Bucket="data", Key=key)["Body"].read())["title"] == incident["title"]
    metadata = json.loads(s3.get_object(Bucket="data", Key=metadata_key(key))["Body"].read())
    assert metadata["metadataAttributes"]["service"] == incident["service"]
    (marked,) = read_items(dynamodb, "incidents", [{"incident_id": "INC-1"}])
    mark = marked["kb_sync_status"]
    assert (mark["synced"], mark["searchable"], mark["job_id"], mark["object"]) == (True, True, "JOB0000001", key)
    (item,) = map(plain, dynamodb.scan(TableName="waiting")["Items"])
    assert (item["id"], item["incident_id"], "waits_for" in item) == ("incident/INC-1", "INC-1", False)


def test_any_change_that_a_stream_tells_of_is_later_than_none() -> None:
    assert len(NO_CHANGE) == SEQUENCE_DIGITS
