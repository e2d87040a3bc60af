"""The table vector-store (docs/vector_store.md, "Table `<name_prefix>-vector-store`") as an operator reads it, and the
three changes that a person may make to it: deltas wait again, and a pointer goes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from millrace.backlog import Backlog, timestamp
from millrace.errors import NotFound, NotSetAside, PointerMoved

PENDING_INDEX, ASIDE_INDEX = "pending-index", "aside-index"
LEASE = "consumer/embed"
KEPT = timedelta(days=30)
"""How long a delta that is done is remembered: its `expiresAt` is that much later than its merge."""


class Collection(StrEnum):
    """The stores: of receipts' lines, and of their words."""

    LINES = "lines"
    WORDS = "words"


@dataclass(frozen=True)
class Pointer:
    """A published snapshot; `snapshot` is its folder in the bucket, `at` when it was published (ISO 8601)."""

    version: int
    snapshot: str
    records: int
    sha256: str
    at: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Situation(StrEnum):
    """Of a delta that is known."""

    PENDING = "pending"
    ASIDE = "set aside"
    MERGED = "merged"


@dataclass(frozen=True)
class Delta:
    """Changes or vectors of a collection, to be merged. `since` is ISO 8601; `attempts` counts readings that failed,
    `reason` says why the last of them did."""

    collection: Collection
    name: str
    situation: Situation
    kind: str
    records: int
    since: str
    attempts: int
    reason: str | None

    @property
    def id(self) -> str:
        """What a person calls it: a run's vectors have one name in both collections."""
        return f"{self.collection}/{self.name}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "delta": self.id,
            "kind": self.kind,
            "records": self.records,
            "since": self.since,
            "attempts": self.attempts,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Lease:
    """Who works the queue of files to embed: `kind` is lambda or ecs; `until` is None where it was given back."""

    kind: str
    holder: str
    until: datetime | None

    def held(self, now: datetime) -> bool:
        return self.until is not None and now < self.until

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "holder": self.holder, "until": timestamp(self.until) if self.until else None}


class StoreTable:
    """What comes from an index (`pending`, `aside`) follows the table within a moment; all else is read as it is."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def pointer(self, collection: Collection) -> Pointer | None:
        """What is published; None before the first time."""
        said = self._item(f"pointer/{collection}")
        if said is None:
            return None
        return Pointer(
            version=int(said["version"]["N"]),
            snapshot=said["snapshot"]["S"],
            records=int(said["records"]["N"]),
            sha256=said["sha256"]["S"],
            at=said["at"]["S"],
        )

    def pending(self, collection: Collection) -> Backlog:
        """The deltas that wait to be merged."""
        number = sum(page["Count"] for page in self._pages(PENDING_INDEX, collection, Select="COUNT"))
        oldest = next(self._indexed(PENDING_INDEX, collection, Limit=1), None)
        return Backlog(number, oldest.since if oldest else None)

    def aside(self, collection: Collection) -> Iterator[Delta]:
        """The deltas that could not be read, and wait for a person; the longest waiting first."""
        return self._indexed(ASIDE_INDEX, collection)

    def delta(self, collection: Collection, name: str) -> Delta | None:
        """None where no such delta was ever registered, or it was merged long ago."""
        said = self._item(_delta_id(collection, name))
        return _delta(said) if said else None

    def lease(self) -> Lease | None:
        """None where nobody ever had it."""
        said = self._item(LEASE)
        if said is None:
            return None
        until = datetime.fromtimestamp(float(said["until"]["N"]), UTC) if "until" in said else None
        return Lease(said["kind"]["S"], said["holder"]["S"], until)

    def retry(self, collection: Collection, name: str, now: datetime) -> None:
        """Let a delta that is set aside wait again, as if it had never been read. Raises NotFound, NotSetAside."""
        if self._wait_again(_delta_id(collection, name), collection, now, "attribute_exists(#aside)"):
            return
        found = self.delta(collection, name)
        if found is None:
            raise NotFound(
                f"no delta {collection}/{name} is known, or it was merged long ago; those that are set aside: "
                "millrace store status"
            )
        raise NotSetAside(f"delta {found.id} is {found.situation}, not set aside; there is nothing to retry")

    def merged_since(self, collection: Collection, moment: datetime) -> Iterator[str]:
        """The ids of the items of deltas that were merged then or later. It reads the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            ConsistentRead=True,
            ProjectionExpression="#id",
            FilterExpression="begins_with(#id, :deltas) AND #expires >= :then",
            ExpressionAttributeNames={"#id": "id", "#expires": "expiresAt"},
            ExpressionAttributeValues={
                ":deltas": {"S": _delta_id(collection, "")},
                ":then": {"N": str(int((moment + KEPT).timestamp()))},
            },
        )
        for page in pages:
            yield from (item["id"]["S"] for item in page["Items"])

    def merge_again(self, item_id: str, collection: Collection, now: datetime) -> bool:
        """Let a delta that was merged wait once more; False where it waits already."""
        return self._wait_again(item_id, collection, now, "attribute_exists(#expires)")

    def publish(self, collection: Collection, new: Pointer, *, over: Pointer) -> None:
        """Point at another snapshot in place of the one that was read. Raises PointerMoved where a compaction has
        published meanwhile."""
        numbers = {":version": new.version, ":records": new.records, ":seenVersion": over.version}
        texts = {":snapshot": new.snapshot, ":sha256": new.sha256, ":at": new.at, ":seen": over.snapshot}
        names = ("version", "snapshot", "records", "sha256", "at")
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"id": {"S": f"pointer/{collection}"}},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in names),
                ConditionExpression="#version = :seenVersion AND #snapshot = :seen",
                ExpressionAttributeNames={f"#{name}": name for name in names},
                ExpressionAttributeValues={
                    **{name: {"N": str(number)} for name, number in numbers.items()},
                    **{name: {"S": text} for name, text in texts.items()},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            if self.pointer(collection) == new:
                return  # by the same request, whose first answer was lost
            raise PointerMoved(
                f"{collection} is no longer at version {over.version}: a compaction has published meanwhile, so "
                "nothing was changed; look again: millrace store status"
            ) from error

    def _wait_again(self, item_id: str, collection: Collection, now: datetime, condition: str) -> bool:
        names = ("aside", "attempts", "pending", "reason", "since")
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"id": {"S": item_id}},
                UpdateExpression="SET #pending = :collection, #since = :now, #attempts = :none "
                "REMOVE #aside, #reason, #expires",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#expires": "expiresAt", **{f"#{name}": name for name in names}},
                ExpressionAttributeValues={
                    ":collection": {"S": str(collection)},
                    ":now": {"S": timestamp(now)},
                    ":none": {"N": "0"},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _indexed(self, index: str, collection: Collection, **more: Any) -> Iterator[Delta]:
        for page in self._pages(index, collection, **more):
            yield from map(_delta, page["Items"])

    def _pages(self, index: str, collection: Collection, **more: Any) -> Iterator[Mapping[str, Any]]:
        arguments: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": index,
            "KeyConditionExpression": "#where = :collection",
            "ExpressionAttributeNames": {"#where": "pending" if index == PENDING_INDEX else "aside"},
            "ExpressionAttributeValues": {":collection": {"S": str(collection)}},
            **more,
        }
        return self._client.get_paginator("query").paginate(**arguments)

    def _item(self, item_id: str) -> Mapping[str, Any] | None:
        said = self._client.get_item(TableName=self._table, Key={"id": {"S": item_id}}, ConsistentRead=True)
        return said.get("Item")


def _delta_id(collection: Collection, name: str) -> str:
    return f"delta/{collection}/{name}"


def _delta(said: Mapping[str, Any]) -> Delta:
    _, collection, name = said["id"]["S"].split("/", 2)
    situations = {"pending": Situation.PENDING, "aside": Situation.ASIDE}
    return Delta(
        collection=Collection(collection),
        name=name,
        situation=next((value for key, value in situations.items() if key in said), Situation.MERGED),
        kind=said["kind"]["S"],
        records=int(said["records"]["N"]),
        since=said["since"]["S"],
        attempts=int(said["attempts"]["N"]),
        reason=said["reason"]["S"] if "reason" in said else None,
    )
