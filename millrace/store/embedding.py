"""Sending an export to be embedded, and seeing it through (docs/vector_store.md, "Embedding")."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from millrace.deployment import VectorStore
from millrace.errors import NotEmbedded, StillRunning, UsageError
from millrace.executions.watching import Pace
from millrace.objects import find_object
from millrace.store.table import Collection, Situation, StoreTable

ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Export:
    """A file of NDJSON. `records` are lines that have an id of the receipt; the `others` will be bad rows, unless they
    are empty."""

    path: Path
    records: int
    others: int


@dataclass(frozen=True)
class Run:
    """An export on its way."""

    receipt_id: str
    run_id: str
    bucket: str
    key: str

    @property
    def message(self) -> dict[str, str]:
        return {"receipt_id": self.receipt_id, "run_id": self.run_id, "bucket": self.bucket, "key": self.key}

    @property
    def place(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class BadRow:
    """A line that was not embedded. The reason holds none of its text."""

    line: int
    record_id: str | None
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return {"line": self.line, "id": self.record_id, "reason": self.reason}


@dataclass(frozen=True)
class Embedded:
    """What a run has written: how many records of each collection, and what it could not."""

    records: Mapping[Collection, int]
    bad: tuple[BadRow, ...]


def read_export(path: Path, receipt_id: str) -> Export:
    """Look at a file before it is sent: what the worker would take no line of is not worth sending. What it refuses
    line by line is its own to say. Raises UsageError."""
    if not ID.fullmatch(receipt_id):
        raise UsageError(f"receipt {receipt_id!r} is no id of the form {ID.pattern}")
    records = others = 0
    try:
        with path.open("rb") as lines:
            for line in lines:
                if not line.strip():
                    continue
                if _is_of(line, receipt_id):
                    records += 1
                else:
                    others += 1
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if not records:
        raise UsageError(
            f"none of the {others} lines of {path} is a record of receipt {receipt_id}, so nothing was sent; a line is "
            f'{{"id": "{receipt_id}/00001", "text": "..."}}, a word\'s id {receipt_id}/00001/00001'
        )
    return Export(path, records, others)


def new_run(deployed: VectorStore, receipt_id: str, now: datetime) -> Run:
    """One that no other export has the name of."""
    run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
    return Run(receipt_id, run_id, deployed.store_bucket, f"exports/{receipt_id}/{run_id}.ndjson")


class Embedding:
    """The bucket, the queue and the two tables that an export goes through."""

    def __init__(self, s3: Any, sqs: Any, dynamodb: Any, deployed: VectorStore) -> None:
        self._s3 = s3
        self._sqs = sqs
        self._dynamodb = dynamodb
        self._deployed = deployed
        self._table = StoreTable(dynamodb, deployed.vector_store_table)

    def send(self, run: Run, path: Path) -> None:
        """Upload the file, then tell the queue: what a message names is there."""
        with path.open("rb") as body:
            self._s3.put_object(Bucket=run.bucket, Key=run.key, Body=body, ContentType="application/x-ndjson")
        self._sqs.send_message(
            QueueUrl=self._deployed.embed_queue_url,
            MessageBody=json.dumps(run.message),
            MessageGroupId=run.receipt_id,
            MessageDeduplicationId=run.run_id,
        )

    def wait_until_embedded(self, run: Run, pace: Pace) -> Embedded:
        """Wait for the CompactionRun. Raises StillRunning."""
        key = {"pk": {"S": f"RECEIPT#{run.receipt_id}"}, "sk": {"S": f"RUN#{run.run_id}"}}
        for _ in pace.ticks():
            reply = self._dynamodb.get_item(TableName=self._deployed.receipts_table, Key=key, ConsistentRead=True)
            if item := reply.get("Item"):
                records = {each: int(item[str(each)]["N"]) for each in Collection}
                return Embedded(records, tuple(self._bad_rows(run)))
        raise StillRunning(
            f"run {run.run_id} is not embedded after {pace.at_most:.0f} s; it stays in the queue: millrace store status"
        )

    def wait_until_merged(self, run: Run, embedded: Embedded, pace: Pace) -> dict[Collection, int]:
        """Wait until a compaction has merged the vectors: the version of each collection that has them, or a later one.
        Raises StillRunning, and NotEmbedded where a delta of them is set aside."""
        left = [each for each in Collection if embedded.records[each]]
        versions: dict[Collection, int] = {}
        for _ in pace.ticks():
            for collection in [each for each in left if self._is_merged(each, run.run_id)]:
                left.remove(collection)
                pointer = self._table.pointer(collection)
                versions[collection] = pointer.version if pointer else 0
            if not left:
                return versions
        raise StillRunning(
            f"the vectors of run {run.run_id} are not merged into {' and '.join(left)} after {pace.at_most:.0f} s; a "
            "compaction takes them up: millrace store status"
        )

    def _is_merged(self, collection: Collection, run_id: str) -> bool:
        delta = self._table.delta(collection, run_id)
        if delta is not None and delta.situation is Situation.ASIDE:
            raise NotEmbedded(
                f"delta {delta.id} is set aside: {delta.reason}; mend that, then: millrace store retry {delta.id}"
            )
        return delta is not None and delta.situation is Situation.MERGED

    def _bad_rows(self, run: Run) -> Iterator[BadRow]:
        for collection in Collection:
            key = f"{collection}/delta/{run.run_id}/bad.ndjson"
            body = find_object(self._s3, self._deployed.store_bucket, key)
            for said in map(json.loads, (body or b"").splitlines()):
                yield BadRow(said["line"], said["id"], said["reason"])


def _is_of(line: bytes, receipt_id: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    return isinstance(said, dict) and str(said.get("id", "")).partition("/")[0] == receipt_id
