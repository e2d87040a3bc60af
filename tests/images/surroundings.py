"""What the images find on an embedded AWS: the bucket, both tables, and the queue of exports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from benchmarks.tables import create_table
from millrace.local.instance import Instance
from tests.fakes.deployed import name
from vector_store.changes import Change
from vector_store.deltas import INDEX, Delta, Deltas
from vector_store.places import LINES

DIMENSION = 256
STOP_SECONDS = 4


class Surroundings:
    def __init__(self, aws: Instance) -> None:
        self._aws = aws
        self.s3, self.sqs, self.dynamodb = (aws.client(service) for service in ("s3", "sqs", "dynamodb"))
        self.bucket, self.receipts, self.store = name("store"), name("receipts"), name("vector-store")
        self.s3.create_bucket(Bucket=self.bucket)
        create_table(self.dynamodb, self.store, "id", {INDEX: ("pending", "since")})
        self.dynamodb.create_table(
            TableName=self.receipts,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self.queue, self.dead_letters = (
            self.sqs.create_queue(QueueName=f"{name(what)}.fifo", Attributes=fifo)["QueueUrl"]
            for what in ("embed", "dead-letters")
        )

    def environment(self, **more: str) -> dict[str, str]:
        """What Terraform gives the functions and the task."""
        return {
            **self._aws.environment(),
            "AWS_XRAY_SDK_ENABLED": "false",
            "EMBED_CONCURRENCY": "8",
            "EMBED_DEAD_LETTERS_URL": self.dead_letters,
            "EMBED_DIMENSION": str(DIMENSION),
            "EMBED_NDJSON_QUEUE_URL": self.queue,
            "EMBED_REQUESTS_PER_SECOND": "1000",
            "RECEIPTS_TABLE": self.receipts,
            "STOP_SECONDS": str(STOP_SECONDS),
            "STORE_BUCKET": self.bucket,
            "VECTOR_STORE_TABLE": self.store,
            **more,
        }

    def export(self, receipt: str, run: str, rows: Iterable[Mapping[str, str]]) -> None:
        """Put an export into the bucket and its message into the queue."""
        key = f"exports/{receipt}/{run}.ndjson"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body="\n".join(json.dumps(row) for row in rows).encode())
        message = {"receipt_id": receipt, "run_id": run, "bucket": self.bucket, "key": key}
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(message), MessageGroupId=receipt)

    def run(self, receipt: str, run: str) -> dict[str, Any]:
        """The item CompactionRun; empty before it is written."""
        return self._item(self.receipts, pk=f"RECEIPT#{receipt}", sk=f"RUN#{run}")

    def lease(self) -> dict[str, Any]:
        return self._item(self.store, id="consumer/embed")

    def pointer(self) -> dict[str, Any]:
        return self._item(self.store, id=f"pointer/{LINES}")

    def tell(self, changes: Iterable[Change], run: str, records: int) -> None:
        """Register what the delta writer would: a delta of changes, and the vectors of a run."""
        deltas = Deltas(self.dynamodb, self.s3, table=self.store, bucket=self.bucket, collection=LINES)
        vectors: Delta = deltas.vectors(run, records, at="")
        for delta in (deltas.write("changes", changes), vectors):
            deltas.register(delta, datetime.now(UTC))

    def _item(self, table: str, **key: str) -> dict[str, Any]:
        keys = {part: {"S": value} for part, value in key.items()}
        found: dict[str, Any] = self.dynamodb.get_item(TableName=table, Key=keys, ConsistentRead=True).get("Item", {})
        return found
