"""What the embedding worker works on, in an embedded AWS: an export whose message waits, tables and a bucket."""

from __future__ import annotations

import json
from typing import Any

from millrace.local.instance import Instance
from tests.fakes.deployed import name

LINES, WORDS, DIMENSION = 20, 120, 256
STOP_SECONDS = 4
"""Half of it is for the part that is under way: at 40 calls a second, too little for the words."""


class Surroundings:
    """One queue, with one export of one receipt."""

    def __init__(self, aws: Instance) -> None:
        self._aws = aws
        self.s3, self.sqs, self.dynamodb = (aws.client(service) for service in ("s3", "sqs", "dynamodb"))
        self.bucket, self.receipts, self.store = name("store"), name("receipts"), name("vector-store")
        self.s3.create_bucket(Bucket=self.bucket)
        for table, keys in ((self.receipts, ("pk", "sk")), (self.store, ("id",))):
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            )
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self.queue, self.dead_letters = (
            self.sqs.create_queue(QueueName=f"{name(what)}.fifo", Attributes=fifo)["QueueUrl"]
            for what in ("embed", "dead-letters")
        )
        ids = [f"{number:05}" for number in range(LINES)] + [f"00000/{number:05}" for number in range(WORDS)]
        rows = (json.dumps({"id": f"r1/{part}", "text": f"text of {part}"}) for part in ids)
        self.s3.put_object(Bucket=self.bucket, Key="export.ndjson", Body="\n".join(rows).encode())
        message = {"receipt_id": "r1", "run_id": "run1", "bucket": self.bucket, "key": "export.ndjson"}
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(message), MessageGroupId="r1")

    def variables(self, *, per_second: int) -> dict[str, str]:
        """The worker's environment."""
        return {
            "EMBED_CONCURRENCY": "8",
            "EMBED_DEAD_LETTERS_URL": self.dead_letters,
            "EMBED_DIMENSION": str(DIMENSION),
            "EMBED_NDJSON_QUEUE_URL": self.queue,
            "EMBED_REQUESTS_PER_SECOND": str(per_second),
            "RECEIPTS_TABLE": self.receipts,
            "STORE_BUCKET": self.bucket,
            "STOP_SECONDS": str(STOP_SECONDS),
            "VECTOR_STORE_TABLE": self.store,
        }

    def invocations(self) -> int:
        counts = self._aws.bedrock_statistics()["regions"].get(self._aws.region, {}).get("InvokeModel", {})
        return counts.get("calls", 0) - counts.get("throttled", 0)

    def files(self) -> dict[str, int]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {found["Key"].replace("delta/run1/", ""): found["Size"] for found in listed if "/" in found["Key"]}

    def item(self, table: str, **key: str) -> dict[str, Any]:
        keys = {part: {"S": value} for part, value in key.items()}
        return self.dynamodb.get_item(TableName=table, Key=keys, ConsistentRead=True).get("Item", {})

    def run(self) -> dict[str, Any]:
        return self.item(self.receipts, pk="RECEIPT#r1", sk="RUN#run1")
