"""The table of requests, one item a data source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NAMES = {"#key": "key", "#requested": "requested", "#completed": "completed", "#pendingSince": "pendingSince"}


class RequestTable:
    """DynamoDB, read as a whole: a deployment has as many items as data sources."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def items(self) -> Iterator[Mapping[str, Any]]:
        """What each item says of requests, as DynamoDB gives it."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            ProjectionExpression=", ".join(NAMES),
            ExpressionAttributeNames=NAMES,
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]
