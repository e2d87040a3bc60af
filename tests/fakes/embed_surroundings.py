"""What the embedding worker works on, in an embedded AWS: the queue of exports, tables and a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.tables import create_table
from millrace.local.instance import Instance
from tests.fakes.deployed import name
from tests.fakes.receipts import create_receipts_table
from vector_store.deltas import INDEX

DIMENSION = 256
STOP_SECONDS = 4
"""Half of it is for the part that is under way."""


class Surroundings:
    """A deployment's, without its functions."""

    def __init__(self, aws: Instance) -> None:
        self._aws = aws
        self.s3, self.sqs, self.dynamodb = (aws.client(service) for service in ("s3", "sqs", "dynamodb"))
        self.bucket, self.receipts, self.store = name("store"), name("receipts"), name("vector-store")
        self.s3.create_bucket(Bucket=self.bucket)
        create_table(self.dynamodb, self.store, "id", {INDEX: ("pending", "since")})
        create_receipts_table(self.dynamodb, self.receipts)
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self.queue, self.dead_letters = (
            self.sqs.create_queue(QueueName=f"{name(what)}.fifo", Attributes=fifo)["QueueUrl"]
            for what in ("embed", "dead-letters")
        )

    def variables(self, *, per_second: int = 1_000) -> dict[str, str]:
        """What Terraform gives the worker, and more than it gives each function of the image."""
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

    def pointer(self, collection: str) -> dict[str, Any]:
        return self._item(self.store, id=f"pointer/{collection}")

    def _item(self, table: str, **key: str) -> dict[str, Any]:
        keys = {part: {"S": value} for part, value in key.items()}
        found: dict[str, Any] = self.dynamodb.get_item(TableName=table, Key=keys, ConsistentRead=True).get("Item", {})
        return found


class OneExport(Surroundings):
    """With one export of one receipt, whose message waits."""

    LINES, WORDS = 20, 120
    """At 40 calls a second the words take longer than half of STOP_SECONDS."""

    def __init__(self, aws: Instance) -> None:
        super().__init__(aws)
        ids = [f"{number:05}" for number in range(self.LINES)]
        ids += [f"00000/{number:05}" for number in range(self.WORDS)]
        self.export("r1", "run1", ({"id": f"r1/{part}", "text": f"text of {part}"} for part in ids))

    def invocations(self) -> int:
        counts = self._aws.bedrock_statistics()["regions"].get(self._aws.region, {}).get("InvokeModel", {})
        return counts.get("calls", 0) - counts.get("throttled", 0)

    def files(self) -> dict[str, int]:
        """The run's, `<collection>/<file>`, and the bytes of each."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        of_run = (found for found in listed if "/delta/run1/" in found["Key"])
        return {found["Key"].replace("delta/run1/", ""): found["Size"] for found in of_run}

    def written(self) -> dict[str, Any]:
        """The item CompactionRun; empty before it is written."""
        return self.run("r1", "run1")
