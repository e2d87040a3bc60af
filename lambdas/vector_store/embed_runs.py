"""The adapter for the runs in the table receipts: a CompactionRun says that a run's files are all there."""

from __future__ import annotations

from typing import Any

from shared.store_errors import Overtaken, ask_for_all
from vector_store.embed_request import Request
from vector_store.errors import StoreUnavailable


class Runs:
    """Both methods raise StoreUnavailable."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def is_written(self, request: Request) -> bool:
        """Whether the run is complete: from then on its files are read, and must stay as they are."""
        reply = ask_for_all(
            f"the table {self._table}",
            self._client.get_item,
            TableName=self._table,
            Key=_key(request),
            ConsistentRead=True,
        )
        return "Item" in reply

    def write(self, request: Request, *, lines: int, words: int, created_at: str) -> None:
        """Write the run, unless it is there. `created_at` is a date in ISO 8601."""
        put = {
            "TableName": self._table,
            "Item": {
                **_key(request),
                "prefix": {"S": request.prefix},
                "lines": {"N": str(lines)},
                "words": {"N": str(words)},
                "created_at": {"S": created_at},
            },
            "ConditionExpression": "attribute_not_exists(#pk)",
            "ExpressionAttributeNames": {"#pk": "pk"},
        }
        try:
            ask_for_all(f"the table {self._table}", self._client.transact_write_items, TransactItems=[{"Put": put}])
        except Overtaken:
            if not self.is_written(request):
                raise StoreUnavailable(f"the run {request.run_id} is held by another writer") from None


def _key(request: Request) -> dict[str, Any]:
    return {"pk": {"S": f"RECEIPT#{request.receipt_id}"}, "sk": {"S": f"RUN#{request.run_id}"}}
