"""The functions that read a published store, with the environment that Terraform gives them, on AWS's own requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from benchmarks.tables import create_table
from tests.fakes import compaction
from tests.fakes.compaction import BUCKET, TABLE, World
from tests.fakes.embedding import DIMENSION, FakeBedrock
from tests.fakes.histories import at, vector
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.receipts import create_receipts_table
from vector_store import assembly, check, embed_assembly, overdue, search
from vector_store.changes import Change, VectorRow
from vector_store.deltas import ASIDE_INDEX, INDEX
from vector_store.errors import EventInvalid

pytestmark = pytest.mark.usefixtures("quiet")

RECEIPTS = "millrace-receipts"
CLIENTS = (assembly.dynamodb, assembly.s3, assembly.sqs, assembly.step_functions, search._kept, search._titan)
"""Kept by a container from one call to the next."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A receipt with one line, published, and everything that the functions call."""
    keys = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    place = {
        "VECTOR_STORE_TABLE": TABLE,
        "RECEIPTS_TABLE": RECEIPTS,
        "STORE_BUCKET": BUCKET,
        "EMBED_DIMENSION": str(DIMENSION),
        "OVERDUE_SECONDS": "900",
        "SETTLE_SECONDS": "1",
    }
    for name, value in (place | keys).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(compaction, "DIMENSION", DIMENSION)
    monkeypatch.setattr(embed_assembly, "bedrock_runtime", FakeBedrock)
    with mock_aws():
        machine = boto3.client("stepfunctions").create_state_machine(
            name="compaction",
            definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}),
            roleArn="arn:aws:iam::123456789012:role/r",
        )
        queue = boto3.client("sqs").create_queue(QueueName="embed.fifo", Attributes={"FifoQueue": "true"})
        monkeypatch.setenv("COMPACTION_MACHINE_ARN", machine["stateMachineArn"])
        monkeypatch.setenv("EMBED_NDJSON_QUEUE_URL", queue["QueueUrl"])
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        dynamodb = boto3.client("dynamodb")
        create_table(dynamodb, TABLE, "id", {INDEX: ("pending", "since"), ASIDE_INDEX: ("aside", "since")})
        create_receipts_table(dynamodb, RECEIPTS)
        put("RECEIPT")
        put("LINE#00001", text={"S": "Milk 1.29"}, x={"N": "0.5"}, picture={"B": b"\xff"})
        world = World()
        world.s3, world.dynamodb = assembly.s3(), assembly.dynamodb()
        line = Change("R1/00001", at(1), born=True, set={"text": "Milk 1.29", "x": 0.5})
        world.tell(line, VectorRow("R1/00001", at(1), "Milk 1.29", vector(*[1.0] * DIMENSION)))
        world.finish()
        yield world
    search._kept("lines").close()
    for kept in CLIENTS:
        kept.cache_clear()


def put(sort: str, **attributes: Any) -> None:
    item = {"pk": {"S": "RECEIPT#R1"}, "sk": {"S": sort}, **attributes}
    boto3.client("dynamodb").put_item(TableName=RECEIPTS, Item=item)


def test_a_published_store_is_searched_checked_and_mended(store: World) -> None:
    context = FakeLambdaContext()
    question = {"collection": "lines", "text": "milk", "where": {"x": 0.5, "line": 1}}
    (hit,) = search.handler(question, context)["hits"]
    assert (hit["id"], hit["document"]) == ("R1/00001", "Milk 1.29")
    assert search.handler({"collection": "words", "text": "milk"}, context) == {"version": 0, "hits": []}

    put("LINE#00001", text={"S": "Milk 1.49"}, x={"N": "0.5"})
    put("LINE#00002", text={"S": "Bread"}, address={"S": "no attribute of a line's"})
    found = check.handler({"collections": ["lines"], "repair": True}, context)["collections"]["lines"]
    assert [it["what"] for it in found["examples"]] == ["different: text", "missing"]
    assert (found["repaired"], found["exported"]) == (2, 1)
    (message,) = boto3.client("sqs").receive_message(QueueUrl=assembly.setting("EMBED_NDJSON_QUEUE_URL"))["Messages"]
    export = json.loads(message["Body"])
    body = assembly.s3().get_object(Bucket=export["bucket"], Key=export["key"])["Body"].read()
    assert json.loads(body)["text"] == "Bread"
    executions = boto3.client("stepfunctions").list_executions
    assert len(executions(stateMachineArn=assembly.setting("COMPACTION_MACHINE_ARN"))["executions"]) == 1

    assert overdue.handler({}, context)["asked"] == [], "it has just been asked for"
    store.finish()
    assert search.handler(question, context)["hits"][0]["document"] == "Milk 1.49"
    found = check.handler({"collections": ["lines"]}, context)["collections"]["lines"]
    assert (found["examples"], found["withoutVector"]) == ([], 1)


def test_what_makes_no_sense_is_refused_by_name() -> None:
    for handler, event in ((search.handler, {"collection": "lines"}), (check.handler, {"repair": 1})):
        with pytest.raises(EventInvalid):
            handler(event, FakeLambdaContext())
