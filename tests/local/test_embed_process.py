"""The embedding worker as ECS runs it: a process of its own, an order to stop, and another process after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from millrace.local.instance import Instance
from tests.fakes.deployed import eventually, name

pytestmark = pytest.mark.network

LAMBDAS = Path(__file__).parents[2] / "lambdas"
LINES, WORDS, DIMENSION = 20, 120, 256
STOP_SECONDS = 4
"""Half of it is for the part that is under way: at 40 calls a second, too little for the words."""


class Deployment:
    """The worker's surroundings in an embedded AWS, and an export whose message waits."""

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
        self.queue = self.sqs.create_queue(QueueName=f"{name('embed')}.fifo", Attributes=fifo)["QueueUrl"]
        ids = [f"{number:05}" for number in range(LINES)] + [f"00000/{number:05}" for number in range(WORDS)]
        rows = (json.dumps({"id": f"r1/{part}", "text": f"text of {part}"}) for part in ids)
        self.s3.put_object(Bucket=self.bucket, Key="export.ndjson", Body="\n".join(rows).encode())
        message = {"receipt_id": "r1", "run_id": "run1", "bucket": self.bucket, "key": "export.ndjson"}
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(message), MessageGroupId="r1")

    @contextmanager
    def worker(self, *, per_second: int) -> Iterator[subprocess.Popen[str]]:
        environment = {
            **self._aws.environment(),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(LAMBDAS),
            "EMBED_CONCURRENCY": "8",
            "EMBED_DIMENSION": str(DIMENSION),
            "EMBED_NDJSON_QUEUE_URL": self.queue,
            "EMBED_REQUESTS_PER_SECOND": str(per_second),
            "RECEIPTS_TABLE": self.receipts,
            "STORE_BUCKET": self.bucket,
            "STOP_SECONDS": str(STOP_SECONDS),
            "VECTOR_STORE_TABLE": self.store,
        }
        command = [sys.executable, "-m", "vector_store.embed"]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

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


def stop(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Order the process to stop, as ECS does; its log. It must end by itself, in time and well."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 0, said
    assert time.monotonic() - began < STOP_SECONDS
    return [json.loads(line) for line in said.splitlines()]


def test_a_process_that_is_told_to_stop_leaves_what_the_next_one_ends(embedded_aws: Instance) -> None:
    deployment = Deployment(embedded_aws)
    before = deployment.invocations()
    with deployment.worker(per_second=40) as first:
        eventually(lambda: "lines/done.json" in deployment.files())
        assert "until" in deployment.item(deployment.store, id="consumer/embed")
        messages = [line["message"] for line in stop(first)]
    assert messages == ["a message is left for the next try", "stopped"]
    assert "until" not in deployment.item(deployment.store, id="consumer/embed")
    assert deployment.files().keys() == {"lines/00000.f32", "lines/00000.ndjson", "lines/done.json"}
    assert deployment.run() == {}
    left = deployment.invocations()
    with deployment.worker(per_second=1000) as second:
        eventually(deployment.run)
        stop(second)
    assert deployment.run()["lines"] == {"N": str(LINES)}
    assert deployment.run()["words"] == {"N": str(WORDS)}
    files = deployment.files()
    assert files["lines/00000.f32"] == LINES * DIMENSION * 4
    assert files["words/00000.f32"] == WORDS * DIMENSION * 4
    assert deployment.invocations() - left == WORDS, "what was whole is not embedded again"
    assert LINES < left - before < LINES + WORDS
    queue = deployment.sqs.get_queue_attributes(QueueUrl=deployment.queue, AttributeNames=["All"])["Attributes"]
    assert queue["ApproximateNumberOfMessages"] == queue["ApproximateNumberOfMessagesNotVisible"] == "0"
