"""The adapter for the two tables: the application's, which says what an incident is, and ours, which says what it waits
for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from incident_sync.errors import StoreUnavailable
from incident_sync.fields import KEY, Fields
from incident_sync.incidents import Item
from incident_sync.items import Entry, entry_of, item_id
from incident_sync.values import AttributeValue
from shared.backoff import Backoff, Patience
from shared.batching import cut
from shared.clock import Clock
from shared.store_errors import ask, ask_for_all

READ_MAX = 100
"""Keys of a BatchGetItem, which gives at most 16 MB at once (API reference)."""

UNPROCESSED = Backoff(first_seconds=0.1, most_seconds=2.0, attempts=10, budget_seconds=20.0)
"""For what a batch leaves unread though it makes no headway; with any, patience begins anew."""

Names = tuple[str, str]
"""The tables' names: of the incidents, and ours."""


class Tables:
    """DynamoDB. Safe to use from several threads. `random` gives numbers from 0 to 1.

    Every method raises StoreUnavailable; what more `write` raises is its own."""

    def __init__(self, client: Any, names: Names, *, clock: Clock, random: Callable[[], float] = random.random) -> None:
        self._client = client
        self._incidents, self._items = names
        self._clock = clock
        self._random = random

    def entries(self, incident_ids: Iterable[str]) -> dict[str, Entry]:
        """The entries of these incidents as they are now, by id; those that have none are left out."""
        keys = [(self._items, {"id": {"S": item_id(name)}}) for name in incident_ids]
        found = (entry_of(item) for _, item in self._read(keys, {}))
        return {entry.incident_id: entry for entry in found}

    def read(self, incident_ids: Iterable[str], fields: Fields) -> tuple[dict[str, Entry], dict[str, Item]]:
        """The entries and the incidents of these ids as they are now; of an incident its key, status and fields. An
        incident that is left out is gone."""
        names = {f"#f{number}": name for number, name in enumerate((KEY, *fields.names))}
        projection = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        ids = list(incident_ids)
        keys = [(self._items, {"id": {"S": item_id(name)}}) for name in ids]
        keys += [(self._incidents, {KEY: {"S": name}}) for name in ids]
        entries: dict[str, Entry] = {}
        incidents: dict[str, Item] = {}
        for table, item in self._read(keys, {self._incidents: projection}):
            if table == self._items:
                entry = entry_of(item)
                entries[entry.incident_id] = entry
            else:
                incidents[item[KEY]["S"]] = item
        return entries, incidents

    def write(self, parts: Sequence[Mapping[str, Any]]) -> None:
        """Carry out one transaction about one incident. The SDK gives it a token, so that a request that it sends again
        is the same one. Raises Refused and Overtaken as well."""
        ask("DynamoDB", self._client.transact_write_items, TransactItems=list(parts))

    def _read(
        self, keys: Sequence[tuple[str, Mapping[str, AttributeValue]]], options: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[tuple[str, Item]]:
        """Read these keys of these tables, all of them: what a reply leaves unread is asked for again."""
        for some in cut(keys, READ_MAX):
            wanted: dict[str, Any] = {}
            for table, key in some:
                asked = wanted.setdefault(table, {"Keys": [], "ConsistentRead": True, **options.get(table, {})})
                asked["Keys"].append(key)
            patience = Patience(UNPROCESSED, self._clock, self._random)
            while wanted:
                reply = ask_for_all("DynamoDB", self._client.batch_get_item, RequestItems=wanted)
                for table, items in reply["Responses"].items():
                    for item in items:
                        yield table, item
                wanted = reply.get("UnprocessedKeys", {})
                if any(reply["Responses"].values()):
                    patience = Patience(UNPROCESSED, self._clock, self._random)
                elif wanted and not patience.wait():
                    raise StoreUnavailable(f"the tables {', '.join(sorted(wanted))} leave keys of a batch unread")
