"""The adapter for the table receipts: its items as they are now, those attributes that a store shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.store_errors import ask_for_all
from shared.stream_records import Item
from vector_store.receipts import OF_PLACE, OF_RECORD, RECEIPT

READ = ("pk", "sk", *OF_RECORD, *OF_PLACE, "status")


class ReceiptsTable:
    """DynamoDB. Both methods raise StoreUnavailable; `of_receipt` may be called from several threads."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self._projection = {
            "ProjectionExpression": ", ".join(f"#{name}" for name in READ),
            "ExpressionAttributeNames": {f"#{name}": name for name in READ},
        }

    def pages(self) -> Iterator[list[Item]]:
        """All items, in no order, as they were a moment ago: half the price of a consistent read."""
        return self._pages(self._client.scan, {})

    def of_receipt(self, receipt_id: str) -> list[Item]:
        """A receipt's items, as they are now."""
        asked = {
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": f"{RECEIPT}{receipt_id}"}},
            "ConsistentRead": True,
        }
        return [item for page in self._pages(self._client.query, asked) for item in page]

    def _pages(self, operation: Any, asked: Mapping[str, Any]) -> Iterator[list[Item]]:
        more: dict[str, Any] = {}
        while True:
            reply = ask_for_all(
                f"the table {self._table}", operation, TableName=self._table, **self._projection, **asked, **more
            )
            yield reply["Items"]
            if not (last := reply.get("LastEvaluatedKey")):
                return
            more = {"ExclusiveStartKey": last}
