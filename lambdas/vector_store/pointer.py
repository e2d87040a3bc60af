"""The adapter for the pointer: which snapshot of a collection is the published one."""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.store_errors import Overtaken, ask_for_all
from vector_store.errors import PointerMoved


class Pointer(NamedTuple):
    """A published snapshot: its version (from 1), its folder's key, how many records it shows, the digest of its files'
    archive, and when it was published (ISO 8601)."""

    version: int
    snapshot: str
    records: int
    sha256: str
    at: str


class Pointers:
    """DynamoDB, items `pointer/<collection>`. Every method raises StoreUnavailable."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self._place = f"the table {table}"

    def read(self, collection: str) -> Pointer | None:
        """What is published now; None before the first time."""
        reply = ask_for_all(
            self._place, self._client.get_item, TableName=self._table, Key=_key(collection), ConsistentRead=True
        )
        item = reply.get("Item")
        if item is None:
            return None
        return Pointer(
            int(item["version"]["N"]),
            item["snapshot"]["S"],
            int(item["records"]["N"]),
            item["sha256"]["S"],
            item["at"]["S"],
        )

    def publish(self, collection: str, new: Pointer, *, over: Pointer | None) -> None:
        """Point at a new snapshot in place of the one that was read. Raises PointerMoved where another was published
        meanwhile.

        A transaction of one write, because it has a token: sent again by the SDK after its answer was lost, a plain
        write would be refused by itself."""
        item = _key(collection) | {
            "version": {"N": str(new.version)},
            "snapshot": {"S": new.snapshot},
            "records": {"N": str(new.records)},
            "sha256": {"S": new.sha256},
            "at": {"S": new.at},
        }
        put = {"TableName": self._table, "Item": item, **_condition(over)}
        try:
            ask_for_all(self._place, self._client.transact_write_items, TransactItems=[{"Put": put}])
        except Overtaken as error:
            raise PointerMoved(
                f"{collection}: version {new.version} is not published, because another compaction was faster"
            ) from error


def _key(collection: str) -> dict[str, Any]:
    return {"id": {"S": f"pointer/{collection}"}}


def _condition(over: Pointer | None) -> dict[str, Any]:
    if over is None:
        return {
            "ConditionExpression": "attribute_not_exists(#version)",
            "ExpressionAttributeNames": {"#version": "version"},
        }
    return {
        "ConditionExpression": "#version = :version AND #snapshot = :snapshot",
        "ExpressionAttributeNames": {"#version": "version", "#snapshot": "snapshot"},
        "ExpressionAttributeValues": {":version": {"N": str(over.version)}, ":snapshot": {"S": over.snapshot}},
    }
