"""Compaction deployed on the embedded AWS, beside a store that is as small as can be: what was put under the collection
is a delta, and the pointer names those that are in. The function takes one delta a call, so that others are left, and
moves the pointer only from the version that it has read, as docs/vector_store.md has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.deployed import function, name
from tests.single_flight.calls import Call
from tests.single_flight.definitions import Change, Definition, as_it_is, compaction
from tests.single_flight.stage import BUCKET, Cloud, Stage, Target

COLLECTION = "lines"
COMPACT = """
import os

import boto3

bucket, table = os.environ["BUCKET"], os.environ["STORE"]
s3, store = boto3.client("s3"), boto3.client("dynamodb")


def handler(event, context):
    key = {"id": {"S": event["collection"]}}
    read = store.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    version, taken = int(read.get("version", {"N": "0"})["N"]), set(read.get("deltas", {"SS": []})["SS"])
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=event["collection"] + "/").get("Contents", [])
    pending = sorted({each["Key"] for each in listed} - taken)
    if pending:
        try:
            store.put_item(
                TableName=table,
                Item={**key, "version": {"N": str(version + 1)}, "deltas": {"SS": sorted({*taken, pending[0]})}},
                ConditionExpression="attribute_not_exists(version) OR version = :read",
                ExpressionAttributeValues={":read": {"N": str(version)}},
            )
        except store.exceptions.ConditionalCheckFailedException:
            return {"status": "IN_PROGRESS", "version": version, "deltas": 0, "text": "another one was faster"}
        version += 1
    left = len(pending) > 1
    done = len(pending[:1])
    return {
        "status": "IN_PROGRESS" if left else "COMPLETE", "version": version, "deltas": done, "text": event["job"]
    }
"""


@dataclass(frozen=True)
class Collection:
    """The collection, empty."""

    key: str = COLLECTION
    prefix: str = f"{COLLECTION}/"

    @property
    def ids(self) -> dict[str, str]:
        return {"collection": self.key}


class CompactionStage(Stage):
    """The plays of a stage share one collection, each after the other."""

    def __init__(self, cloud: Cloud, change: Change = as_it_is) -> None:
        self.lambdas = cloud.instance.client("lambda")
        self.store = name("store")
        cloud.dynamodb.create_table(
            TableName=self.store,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        variables = {"BUCKET": BUCKET, "STORE": self.store}
        self.compact = function(cloud.instance, COMPACT, Environment={"Variables": variables})
        super().__init__(cloud, change)

    def definition(self, topic: str, change: Change) -> Definition:
        arn = self.lambdas.get_function(FunctionName=self.compact)["Configuration"]["FunctionArn"]
        return compaction(self.name, topic, arn, change)

    def make(self, call: Call, source: Target) -> None:
        if call.action == "lambda:InvokeFunction":
            self.lambdas.invoke(FunctionName=self.compact, Payload=call.body)
        else:
            super().make(call, source)

    def source(self) -> Collection:
        for each in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{COLLECTION}/").get("Contents", []):
            self.s3.delete_object(Bucket=BUCKET, Key=each["Key"])
        self.dynamodb.delete_item(TableName=self.store, Key={"id": {"S": COLLECTION}})
        return Collection()

    def jobs(self, source: Target) -> list[dict[str, Any]]:
        """What is published counts, whichever call has published it."""
        key = {"id": {"S": source.key}}
        item = self.dynamodb.get_item(TableName=self.store, Key=key, ConsistentRead=True).get("Item", {})
        return [{"status": "COMPLETE", "covered": [{"key": delta} for delta in item.get("deltas", {"SS": []})["SS"]]}]

    def release_jobs(self, source: Target) -> int:
        """A call has ended when it is answered."""
        return 0
