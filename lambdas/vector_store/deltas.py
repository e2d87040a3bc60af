"""The adapter for deltas: what waits to be merged into a collection, in the table vector-store, and its files in the
bucket. docs/vector_store.md has the attributes and the keys.

The index of what is pending follows its table after a moment, so an entry may be older than its item; who acts on it
holds it against the item."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple, cast

from shared.batching import cut
from shared.clock import stamp
from shared.store_errors import Overtaken, StoreUnavailable, ask_for_all, is_missing
from vector_store.changes import FLOAT32_BYTES, Change, VectorRow, parse_change, parse_vector
from vector_store.errors import ChangeInvalid, DeltaUnreadable
from vector_store.places import changes_key, vectors_prefix

INDEX, ASIDE_INDEX = "pending-index", "aside-index"

ATTEMPTS_MAX = 3
"""Readings that fail before a delta is set aside."""

KEPT_DAYS = 30
"""How long a delta that is done is remembered: longer than a message lives (14 days), or one that comes again late
would make its delta pending again."""

DONE_AT_ONCE = 100
"""Items of one transaction (DynamoDB, "Service quotas")."""

CHUNK_BYTES = 1024 * 1024
REASON_MAX_CHARACTERS = 1_000

CHANGES: Literal["changes"] = "changes"
VECTORS: Literal["vectors"] = "vectors"
Kind = Literal["changes", "vectors"]


class Delta(NamedTuple):
    """Something to merge. `key` is a file, or what the keys of a folder begin with; `records` is how many rows there
    are, `attempts` how many readings have failed."""

    name: str
    kind: Kind
    key: str
    records: int
    since: str = ""
    attempts: int = 0
    at: str = ""
    """A vectors' delta counts as of then, where a record does not say otherwise."""


class BadRow(NamedTuple):
    """A row that cannot be merged: its object, its line from 1 on, and why. The reason holds no document's text."""

    key: str
    line: int
    reason: str


Row = Change | VectorRow | BadRow


class Unread(NamedTuple):
    """A message that nobody understood. It stands in the file of its batch, so that the run's record tells of it, and
    where to find how it began."""

    message_id: str
    reason: str
    body: str

    def json(self) -> str:
        """One line of a file of changes."""
        return json.dumps({"unread": self._asdict()})


class Deltas:
    """One collection's. Every method raises StoreUnavailable."""

    def __init__(self, dynamodb: Any, s3: Any, *, table: str, bucket: str, collection: str) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._table = table
        self._bucket = bucket
        self._collection = collection

    def write(self, name: str, rows: Iterable[Change | Unread]) -> Delta:
        """Write the file of a delta of changes. The same rows make the same file, in whatever order and however often
        they come."""
        lines = sorted({row.json() for row in rows})
        key = changes_key(self._collection, name)
        body = "".join(f"{line}\n" for line in lines).encode()
        self._ask_bucket(self._s3.put_object, Key=key, Body=body, ContentType="application/x-ndjson")
        return Delta(name, CHANGES, key, len(lines))

    def vectors(self, run_id: str, records: int, at: str) -> Delta:
        """The delta of the vectors that a run has written."""
        return Delta(run_id, VECTORS, vectors_prefix(self._collection, run_id), records, at=at)

    def register(self, delta: Delta, now: datetime) -> bool:
        """Let a delta be pending from now on. False where it is known: one that is done is not pending again."""
        item: dict[str, Any] = {
            "id": {"S": self._id(delta.name)},
            "pending": {"S": self._collection},
            "since": {"S": stamp(now)},
            "kind": {"S": delta.kind},
            "key": {"S": delta.key},
            "records": {"N": str(delta.records)},
            "attempts": {"N": "0"},
        }
        if delta.at:
            item["at"] = {"S": delta.at}
        return self._write(
            self._dynamodb.put_item,
            Item=item,
            ConditionExpression="attribute_not_exists(#id)",
            ExpressionAttributeNames={"#id": "id"},
        )

    def pending(self, limit: int | None = None) -> list[Delta]:
        """What waits, oldest first, at most so many."""
        found: list[Delta] = []
        for reply in self._pages(INDEX, "pending", {} if limit is None else {"Limit": limit}):
            found += map(self._delta, reply["Items"])
            if limit is not None and len(found) >= limit:
                break
        return found[:limit]

    def aside(self) -> int:
        """How many deltas are set aside."""
        return sum(reply["Count"] for reply in self._pages(ASIDE_INDEX, "aside", {"Select": "COUNT"}))

    def done(self, deltas: Iterable[Delta], now: datetime) -> None:
        """Let these wait no more: a published snapshot has them. Done twice is done."""
        expires = int((now + timedelta(days=KEPT_DAYS)).timestamp())
        for some in cut(deltas, DONE_AT_ONCE):
            updates = [self._done_with(delta, expires) for delta in some]
            try:
                ask_for_all(
                    self._place,
                    self._dynamodb.transact_write_items,
                    TransactItems=[{"Update": {"TableName": self._table, **update}} for update in updates],
                )
            except Overtaken:
                # At least one waits no more already, so each is told by itself.
                for update in updates:
                    self._write(self._dynamodb.update_item, **update)

    def failed(self, delta: Delta, reason: str) -> bool:
        """Count a reading that failed, for a fault of the delta's; at the third it is set aside. Returns whether it is.

        The item is held against what was read: the same failure told twice counts once."""
        attempts = delta.attempts + 1
        aside = attempts >= ATTEMPTS_MAX
        update = "SET #attempts = :attempts, #reason = :reason"
        names = {"#attempts": "attempts", "#reason": "reason", "#pending": "pending"}
        values = {
            ":attempts": {"N": str(attempts)},
            ":reason": {"S": reason[:REASON_MAX_CHARACTERS]},
            ":before": {"N": str(delta.attempts)},
        }
        if aside:
            update += ", #aside = :collection REMOVE #pending"
            names["#aside"], values[":collection"] = "aside", {"S": self._collection}
        self._write(
            self._dynamodb.update_item,
            Key={"id": {"S": self._id(delta.name)}},
            UpdateExpression=update,
            ConditionExpression="attribute_exists(#pending) AND #attempts = :before",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )
        return aside

    def read(self, delta: Delta, dimension: int | None = None) -> Iterator[Row]:
        """The rows of a delta, one after the other; those that cannot be merged are BadRows, and the rest goes on.
        Vectors have that dimension, or else the one that their `done.json` says.

        Raises DeltaUnreadable, at once or at the end: then the rows that were given are not all of them."""
        return self._changes(delta) if delta.kind == CHANGES else self._vectors(delta, dimension)

    def _changes(self, delta: Delta) -> Iterator[Row]:
        count = 0
        for count, line in enumerate(self._lines(delta.key), 1):
            try:
                yield _unread(line, delta.key, count) or parse_change(line)
            except ChangeInvalid as error:
                yield BadRow(delta.key, count, str(error))
        _check_whole(delta.key, count, delta.records)

    def _vectors(self, delta: Delta, dimension: int | None) -> Iterator[Row]:
        parts, records, written = self._done(delta.key)
        count = 0
        for part in range(parts):
            key = f"{delta.key}{part:05}"
            lines = list(self._lines(f"{key}.ndjson"))
            data = b"".join(self._chunks(f"{key}.f32"))
            size = written * FLOAT32_BYTES
            if len(data) != len(lines) * size:
                raise DeltaUnreadable(
                    f"{key}.f32 has {len(data):,} bytes; {len(lines):,} records of dimension {written} are "
                    f"{len(lines) * size:,}"
                )
            for number, line in enumerate(lines):
                vector = data[number * size : (number + 1) * size]
                try:
                    yield parse_vector(line, vector, dimension=dimension or written, delta_at=delta.at)
                except ChangeInvalid as error:
                    yield BadRow(f"{key}.ndjson", number + 1, str(error))
            count += len(lines)
        _check_whole(delta.key, count, records)

    def _done(self, prefix: str) -> tuple[int, int, int]:
        """How many parts and records there are, and of which dimension."""
        key = f"{prefix}done.json"
        try:
            said = json.loads(b"".join(self._chunks(key)))
        except ValueError as error:
            raise DeltaUnreadable(f"{key} is no JSON: cut off?") from error
        match said:
            case {"parts": int(parts), "records": int(records), "dimension": int(dimension)} if dimension > 0:
                return parts, records, dimension
        raise DeltaUnreadable(f"{key} does not say parts, records and dimension")

    def _lines(self, key: str) -> Iterator[bytes]:
        """The lines of an object, without their ends. Raises DeltaUnreadable where the last one has none."""
        rest = b""
        for chunk in self._chunks(key):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if rest:
            raise DeltaUnreadable(f"{key} is cut off in the middle of a line")

    def _chunks(self, key: str) -> Iterator[bytes]:
        try:
            body = self._ask_bucket(self._s3.get_object, Key=key)["Body"]
        except StoreUnavailable as error:
            if is_missing(error):
                raise DeltaUnreadable(f"{key} is not there") from error
            raise
        while chunk := ask_for_all(f"the bucket {self._bucket}", partial(body.read, CHUNK_BYTES)):
            yield chunk

    def _pages(self, index: str, attribute: str, more: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """What an index has of this collection, in the order of `since`."""
        asked: dict[str, Any] = {
            "IndexName": index,
            "KeyConditionExpression": "#of = :collection",
            "ExpressionAttributeNames": {"#of": attribute},
            "ExpressionAttributeValues": {":collection": {"S": self._collection}},
            **more,
        }
        while True:
            reply = ask_for_all(self._place, self._dynamodb.query, TableName=self._table, **asked)
            yield reply
            if not (last := reply.get("LastEvaluatedKey")):
                return
            asked["ExclusiveStartKey"] = last

    def _done_with(self, delta: Delta, expires: int) -> dict[str, Any]:
        return {
            "Key": {"id": {"S": self._id(delta.name)}},
            "UpdateExpression": "SET #expires = :expires REMOVE #pending",
            "ConditionExpression": "attribute_exists(#pending)",
            "ExpressionAttributeNames": {"#expires": "expiresAt", "#pending": "pending"},
            "ExpressionAttributeValues": {":expires": {"N": str(expires)}},
        }

    def _delta(self, item: Mapping[str, Any]) -> Delta:
        return Delta(
            item["id"]["S"].removeprefix(self._id("")),
            cast("Kind", item["kind"]["S"]),
            item["key"]["S"],
            int(item["records"]["N"]),
            item["since"]["S"],
            int(item["attempts"]["N"]),
            item["at"]["S"] if "at" in item else "",
        )

    def _id(self, name: str) -> str:
        return f"delta/{self._collection}/{name}"

    @property
    def _place(self) -> str:
        return f"the table {self._table}"

    def _ask_bucket(self, operation: Any, **parameters: Any) -> Any:
        return ask_for_all(f"the bucket {self._bucket}", operation, Bucket=self._bucket, **parameters)

    def _write(self, operation: Any, **parameters: Any) -> bool:
        """Carry out a write; False where its condition does not hold."""
        try:
            ask_for_all(self._place, operation, TableName=self._table, **parameters)
        except Overtaken:
            return False
        return True


def _unread(line: bytes, key: str, number: int) -> BadRow | None:
    """What a line says of a message that nobody understood; None where it says something else."""
    if not line.startswith(b'{"unread"'):
        return None
    try:
        said = Unread(**json.loads(line)["unread"])
    except (ValueError, TypeError):
        return None
    return BadRow(key, number, f"message {said.message_id}: {said.reason}")


def _check_whole(key: str, count: int, records: int) -> None:
    if count != records:
        raise DeltaUnreadable(f"{key} has {count:,} of {records:,} rows")
