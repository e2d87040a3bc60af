"""A DynamoDB client in memory: tables with keys and sparse indexes. It refuses what the service model does not
know; `expressions` says what more.
`tests/unit/lambdas/incident_sync/test_fake_dynamodb.py` holds it against moto."""

# ruff: noqa: N803 - the arguments are boto3's, by its names

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.fakes.api_model import check_parameters
from tests.fakes.expressions import Expressions
from tests.fakes.s3 import client_error

Item = dict[str, Any]


class ConditionalCheckFailedException(ClientError):
    """As the client's `exceptions` have it."""


class Table:
    """Items by their hash key, or by that and their range key. `indexes` gives each index's hash and range key."""

    def __init__(
        self, key: str, indexes: Mapping[str, tuple[str, str]] | None = None, *, range_key: str | None = None
    ) -> None:
        self.keys = (key,) if range_key is None else (key, range_key)
        self.indexes = indexes or {}
        self.items: dict[Any, Item] = {}
        """Never changed in place, so that a state can be kept."""
        self.before: list[dict[Any, Item]] = []
        """Earlier states, the latest last."""

    def place(self, item: Item) -> Any:
        """Where an item lies in `items`: at its key's text, or at both."""
        texts = tuple(item[name]["S"] for name in self.keys)
        return texts if len(texts) > 1 else texts[0]

    def place_of(self, key: Item) -> Any:
        """Where the item with this key does."""
        assert key.keys() == set(self.keys), "a request names the whole key, and nothing else"
        return self.place(key)


class FakeDynamoDB:
    """`lag` is how many writes an index is behind its table. `unread` makes the next replies of BatchGetItem leave out
    that many keys each. `hurried` takes requests without holding them against the service model, which is half of the
    time that a call takes: for who makes a hundred thousand calls that others make with it."""

    exceptions = SimpleNamespace(ConditionalCheckFailedException=ConditionalCheckFailedException)

    def __init__(self, **tables: Table) -> None:
        self.tables = {name.replace("_", "-"): table for name, table in tables.items()}
        self.lag = 0
        self.hurried = False
        self.unread: list[int] = []
        self.page_max = 1_000

    def twin(self) -> FakeDynamoDB:
        """Another with the same items."""
        twin = copy(self)
        twin.tables = {name: copy(table) for name, table in self.tables.items()}
        return twin

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool = False) -> dict[str, Any]:
        self._check("GetItem", {"TableName": TableName, "Key": Key, "ConsistentRead": ConsistentRead})
        assert ConsistentRead, "who does not ask for it may see an older item"
        found = self._item("GetItem", TableName, Key)
        return {"Item": dict(found)} if found else {}

    def put_item(self, **put: Any) -> dict[str, Any]:
        self._write_alone("PutItem", "Put", put)
        return {}

    def update_item(self, **update: Any) -> dict[str, Any]:
        self._write_alone("UpdateItem", "Update", update)
        return {}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        self._check("TransactWriteItems", {"TransactItems": TransactItems})
        self._write("TransactWriteItems", TransactItems)
        return {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        self._check("BatchGetItem", {"RequestItems": RequestItems})
        wanted = [(name, key) for name, asked in RequestItems.items() for key in asked["Keys"]]
        assert len(wanted) <= 100
        assert len({(name, str(sorted(key.items()))) for name, key in wanted}) == len(wanted), "a key is given twice"
        expressions = {name: Expressions(asked) for name, asked in RequestItems.items()}
        held = self.unread.pop(0) if self.unread else 0
        read, unread = wanted[: len(wanted) - held], wanted[len(wanted) - held :]
        responses: dict[str, list[Item]] = {name: [] for name in RequestItems}
        for name, key in read:
            assert RequestItems[name].get("ConsistentRead"), "who does not ask for it may see an older item"
            found = self._item("BatchGetItem", name, key)
            if found:
                responses[name].append(expressions[name].projected(found))
        left: dict[str, Any] = {}
        for name, key in unread:
            left.setdefault(name, RequestItems[name] | {"Keys": []})["Keys"].append(key)
        return {"Responses": responses, "UnprocessedKeys": left}

    def query(self, **asked: Any) -> dict[str, Any]:
        self._check("Query", asked)
        table = self._table("Query", asked["TableName"])
        hash_key, range_key = table.indexes[asked["IndexName"]]
        states = [*table.before, table.items]
        seen = states[max(0, len(states) - 1 - self.lag)]
        expressions = Expressions(asked)
        rows = sorted(
            (row for row in seen.values() if hash_key in row and range_key in row and expressions.select(row)),
            key=lambda row: (row[range_key]["S"], table.place(row)),
        )
        if start := asked.get("ExclusiveStartKey"):
            assert set(start) == {*table.keys, hash_key, range_key}
            after = (start[range_key]["S"], table.place(start))
            rows = [row for row in rows if (row[range_key]["S"], table.place(row)) > after]
        limit = min(asked.get("Limit", self.page_max), self.page_max)
        page = [dict(row) for row in rows[:limit]]
        reply: dict[str, Any] = {"Count": len(page)}
        if asked.get("Select") != "COUNT":
            reply["Items"] = page
        if len(page) == limit:
            # The service gives a place to go on whenever it has stopped at the limit, be there more or not.
            reply["LastEvaluatedKey"] = {name: page[-1][name] for name in (*table.keys, hash_key, range_key)}
        return reply

    def _write_alone(self, operation: str, kind: str, asked: dict[str, Any]) -> None:
        self._check(operation, asked)
        try:
            self._write(operation, [{kind: asked}])
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            told = {"Error": {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"}}
            raise ConditionalCheckFailedException(told, operation) from error

    def _write(self, operation: str, parts: list[dict[str, Any]]) -> None:
        reasons, changed = [], []
        for part in parts:
            ((kind, asked),) = part.items()
            table = self._table(operation, asked["TableName"])
            key = table.place(asked["Item"]) if kind == "Put" else table.place_of(asked["Key"])
            now, expressions = table.items.get(key, {}), Expressions(asked)
            good = expressions.allow(now)
            reasons.append({"Code": "None"} if good else {"Code": "ConditionalCheckFailed", "Message": "no"})
            if not good:
                continue
            if kind == "Put":
                changed.append((table, key, asked["Item"]))
            elif kind == "Update":
                changed.append((table, key, expressions.updated(now)))
        assert len({(id(table), key) for table, key, _ in changed}) == len(changed), "an item is written twice"
        if any(reason["Code"] != "None" for reason in reasons):
            told = {
                "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
                "CancellationReasons": reasons,
            }
            raise ClientError({**told, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)  # type: ignore[arg-type]
        for table, key, item in changed:
            table.before = [*table.before[-8:], table.items]
            table.items = {**table.items, key: item}

    def _check(self, operation: str, parameters: dict[str, Any]) -> None:
        if not self.hurried:
            check_parameters("dynamodb", operation, parameters)

    def _item(self, operation: str, table: str, key: Item) -> Item | None:
        found = self._table(operation, table)
        return found.items.get(found.place_of(key))

    def _table(self, operation: str, name: str) -> Table:
        if name not in self.tables:
            raise client_error(operation, "ResourceNotFoundException", "Requested resource not found")
        return self.tables[name]
