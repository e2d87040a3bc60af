"""A table of DynamoDB as a benchmark, or a test of a function, needs one: keys and indexes are texts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

NO_INDEXES: Mapping[str, tuple[str, str]] = MappingProxyType({})


def create_table(dynamodb: Any, table: str, key: str, indexes: Mapping[str, tuple[str, str]] = NO_INDEXES) -> None:
    """Make a table with a hash key. `indexes` gives each index's hash and range key; they have every attribute."""
    attributes = sorted({key, *(name for index in indexes.values() for name in index)})
    made = [
        {"IndexName": name, "KeySchema": _schema(*index), "Projection": {"ProjectionType": "ALL"}}
        for name, index in indexes.items()
    ]
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in attributes],
        KeySchema=_schema(key),
        **({"GlobalSecondaryIndexes": made} if made else {}),
    )


def _schema(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]
