"""The adapter for the sparse index of the table incident-sync: what waits, oldest first, and nothing else.

The index follows its table after a moment, so an entry may be older than its item; who acts on it holds it against the
item."""

from __future__ import annotations

from typing import Any, NamedTuple

from incident_sync.items import INCIDENT, Entry, entry_of, item_id
from shared.store_errors import ask_for_all

INDEX = "waits-for-index"


class Place(NamedTuple):
    """Where an entry is in the index, among those that wait for the same."""

    since: str
    incident_id: str


class Page(NamedTuple):
    """Some of the entries that wait for the same, oldest first; `after` is where to go on, None at the end."""

    entries: list[Entry]
    after: Place | None


class Queue:
    """DynamoDB. Every method raises StoreUnavailable."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def page(self, waits_for: str, *, before: str, limit: int, after: Place | None = None) -> Page:
        """The entries that wait for this since before then. There is no filter: the limit counts what is given."""
        reply = self._query(waits_for, before, after, Limit=limit)
        last = reply.get("LastEvaluatedKey")
        return Page([entry_of(item) for item in reply["Items"]], _place(last) if last else None)

    def is_waiting(self, waits_for: str, *, before: str | None = None, after: Place | None = None) -> bool:
        """Whether anything waits for this, in that part of the index. Reads one entry."""
        return bool(self._query(waits_for, before, after, Select="COUNT", Limit=1)["Count"])

    def count(self, waits_for: str) -> int:
        """How many wait for this."""
        number, after = 0, None
        while True:
            reply = self._query(waits_for, None, after, Select="COUNT")
            number += reply["Count"]
            if not (last := reply.get("LastEvaluatedKey")):
                return number
            after = _place(last)

    def _query(self, waits_for: str, before: str | None, after: Place | None, **more: Any) -> Any:
        condition = "#waits_for = :waits_for"
        names, values = {"#waits_for": "waits_for"}, {":waits_for": {"S": waits_for}}
        if before is not None:
            condition += " AND #since < :before"
            names["#since"], values[":before"] = "since", {"S": before}
        if after is not None:
            more["ExclusiveStartKey"] = _key(waits_for, after)
        return ask_for_all(
            f"the table {self._table}",
            self._client.query,
            TableName=self._table,
            IndexName=INDEX,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            **more,
        )


def _key(waits_for: str, place: Place) -> dict[str, Any]:
    values = {"waits_for": waits_for, "since": place.since, "id": item_id(place.incident_id)}
    return {name: {"S": value} for name, value in values.items()}


def _place(key: Any) -> Place:
    return Place(key["since"]["S"], key["id"]["S"].removeprefix(INCIDENT))
