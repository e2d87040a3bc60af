"""The tables, the bucket and the queues of vector_store, as services that really evaluate conditions, with a few words
to fill them; and its functions."""

# ruff: noqa: N803 - the names of arguments are those of AWS

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from moto import mock_aws

from benchmarks.tables import create_table
from millrace.deployment import VectorStore
from millrace.store.table import ASIDE_INDEX, KEPT, PENDING_INDEX, Collection, StoreTable
from tests.fakes.operator.aws import VECTORS, FakeAws
from tests.fakes.receipts import create_receipts_table

NOW = datetime(2025, 10, 5, 12, 0, tzinfo=UTC)
BEFORE = "2025-10-05T11:00:00.000Z"
TABLE, RECEIPTS, FLIGHTS = VECTORS["vector_store_table"], VECTORS["receipts_table"], VECTORS["flights_table"]
BUCKET = VECTORS["store_bucket"]
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


@dataclass(frozen=True)
class VectorStores:
    """What a deployment of vector_store keeps."""

    dynamodb: Any
    s3: Any
    sqs: Any

    @property
    def table(self) -> StoreTable:
        return StoreTable(self.dynamodb, TABLE)

    @property
    def deployed(self) -> VectorStore:
        return FakeAws(outputs=VECTORS).deployment.store

    def pointer(self, collection: Collection, version: int, snapshot: str, *, records: int = 7) -> None:
        """What is published."""
        self._put(
            TABLE, f"pointer/{collection}", version=version, snapshot=snapshot, records=records, sha256="0", at=BEFORE
        )

    def delta(self, name: str, *, since: str = BEFORE, attempts: int = 0, **where: str) -> None:
        """A delta of changes, `<collection>/<name>`; `where` is `pending` or `aside` and its reason."""
        facts: dict[str, Any] = {
            "since": since,
            "kind": "changes",
            "key": f"{name}.ndjson",
            "records": 3,
            "attempts": attempts,
        }
        self._put(TABLE, f"delta/{name}", **facts, **where)

    def merged(self, name: str, at: datetime) -> None:
        """A delta that was merged then."""
        facts: dict[str, Any] = {"since": BEFORE, "kind": "vectors", "key": f"{name}/", "records": 3, "attempts": 0}
        self._put(TABLE, f"delta/{name}", **facts, expiresAt=int((at + KEPT).timestamp()))

    def lease(self, until: float | None) -> None:
        self._put(
            TABLE, "consumer/embed", kind="ecs", holder="task-1", **({} if until is None else {"until": int(until)})
        )

    def item(self, name: str) -> dict[str, Any]:
        """What the table says of a delta, without types."""
        found = self.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": f"delta/{name}"}}).get("Item", {})
        return {key: next(iter(value.values())) for key, value in found.items()}

    def flight(self, collection: Collection, **facts: Any) -> None:
        """The requests for its compaction."""
        self.dynamodb.put_item(TableName=FLIGHTS, Item={"key": {"S": str(collection)}, **facts})

    def run(self, receipt_id: str, run_id: str, *, lines: int, words: int) -> None:
        """The CompactionRun of a run that is embedded."""
        key = {"pk": {"S": f"RECEIPT#{receipt_id}"}, "sk": {"S": f"RUN#{run_id}"}}
        counts = {"lines": {"N": str(lines)}, "words": {"N": str(words)}}
        self.dynamodb.put_item(TableName=RECEIPTS, Item={**key, **counts})

    def put(self, key: str, body: bytes) -> None:
        """An object of the bucket."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def snapshot(self, collection: Collection, version: int, token: str = "a", **departure: Any) -> str:
        """A snapshot that is kept; its folder."""
        folder = f"{collection}/snapshot/{version:010}-{token}/"
        said = {"version": version, "records": version * 10, "sha256": f"digest-{token}", "bytes": 4, **departure}
        self.put(f"{folder}store.tar", b"four")
        self.put(f"{folder}manifest.json", json.dumps(said).encode())
        return folder

    def _put(self, table: str, item_id: str, **facts: str | int) -> None:
        item = {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in facts.items()}
        self.dynamodb.put_item(TableName=table, Item={"id": {"S": item_id}, **item})


@dataclass
class FakeFunctions:
    """Lambda: each function answers what it was given, or fails with an error's name and message."""

    answers: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, Any]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.events.append((FunctionName.removeprefix("millrace-vector-"), json.loads(Payload)))
        answer = self.answers[FunctionName.removeprefix("millrace-vector-")]
        failed = isinstance(answer, tuple)
        said = {"errorType": answer[0], "errorMessage": answer[1], "stackTrace": ["a line"]} if failed else answer
        body = io.BytesIO(json.dumps(said).encode())
        return {"StatusCode": 200, "Payload": body, **({"FunctionError": "Unhandled"} if failed else {})}


def since(minutes: float) -> datetime:
    """So long after NOW."""
    return NOW + timedelta(minutes=minutes)


@contextmanager
def vector_stores() -> Iterator[VectorStores]:
    """Empty ones."""
    with mock_aws():
        there = VectorStores(_client("dynamodb"), _client("s3"), _client("sqs"))
        there.s3.create_bucket(Bucket=BUCKET)
        create_table(
            there.dynamodb, TABLE, "id", {PENDING_INDEX: ("pending", "since"), ASIDE_INDEX: ("aside", "since")}
        )
        create_table(there.dynamodb, FLIGHTS, "key")
        create_receipts_table(there.dynamodb, RECEIPTS)
        dead = VECTORS["vector_dead_letter_queue_urls"].values()
        for url in (*(VECTORS[f"{name}_queue_url"] for name in ("embed", "lines", "words")), *dead):
            name = url.rpartition("/")[2]
            there.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if name.endswith(".fifo") else {})
        yield there


@cache
def _client(service: str) -> Any:
    """Made once: making one takes longer than most tests."""
    return boto3.client(service, **KEYS)
