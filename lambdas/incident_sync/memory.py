"""What a run remembers between two tries of the same step, in the table incident-sync.

An invocation writes down which incidents it is going to work before it works the first, so that the one that is tried
again after it works the same, and counts what was done already by the marks of their items. The lease says who may
work at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from incident_sync.errors import PassBusy
from incident_sync.items import Work
from shared.store_errors import Overtaken, ask_for_all

LEASE = "pass"

KEEP_SECONDS = 2 * 24 * 3600
"""Longer than any run (a day, by its machine)."""


class Lease(NamedTuple):
    """The right to work a pass until then, in seconds since 1970: which nobody else has before."""

    work: Work
    until: float


class Memory:
    """Items `pass` (the lease), `pass/<run>` and `confirm/<run>`. Every method raises StoreUnavailable."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def take(self, lease: Lease, now: float) -> None:
        """Take the lease, if it is free or its time is over. Raises PassBusy.

        A transaction of one write, because it has a token: sent again by the SDK after its answer was lost, a plain
        write would be refused by itself."""
        item = {
            "id": {"S": LEASE},
            "run": {"S": lease.work.run},
            "pass": {"N": str(lease.work.number)},
            "until": _number(lease.until),
        }
        put = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#until) OR #until <= :now",
            "ExpressionAttributeNames": {"#until": "until"},
            "ExpressionAttributeValues": {":now": _number(now)},
        }
        self._transact(put={"Put": put})

    def give_back(self, lease: Lease) -> None:
        """Let others begin at once. Raises PassBusy where the lease is another's."""
        self._transact(free=self._free(lease))

    def end(self, lease: Lease, name: str, says: Mapping[str, Any], now: float) -> None:
        """Write down a pass's answer and give the lease back, both or neither. Raises PassBusy where the lease is
        another's."""
        self._transact(put={"Put": self._item(name, says, now)}, free=self._free(lease))

    def recall(self, name: str) -> dict[str, Any] | None:
        """What was written down under this name."""
        reply = ask_for_all(
            f"the table {self._table}",
            self._client.get_item,
            TableName=self._table,
            Key={"id": {"S": name}},
            ConsistentRead=True,
        )
        found: dict[str, Any] | None = json.loads(reply["Item"]["plan"]["S"]) if "Item" in reply else None
        return found

    def note(self, name: str, says: Mapping[str, Any], now: float) -> None:
        """Write this down under this name, in place of what is there."""
        ask_for_all(f"the table {self._table}", self._client.put_item, **self._item(name, says, now))

    def _item(self, name: str, says: Mapping[str, Any], now: float) -> dict[str, Any]:
        item = {
            "id": {"S": name},
            "plan": {"S": json.dumps(says)},
            "expiresAt": {"N": str(int(now) + KEEP_SECONDS)},
        }
        return {"TableName": self._table, "Item": item}

    def _free(self, lease: Lease) -> dict[str, Any]:
        names = {"#run": "run", "#pass": "pass", "#until": "until"}
        values = {
            ":run": {"S": lease.work.run},
            ":pass": {"N": str(lease.work.number)},
            ":until": _number(lease.until),
        }
        update = {
            "TableName": self._table,
            "Key": {"id": {"S": LEASE}},
            "UpdateExpression": "REMOVE #until",
            "ConditionExpression": " AND ".join(f"{name} = :{name[1:]}" for name in names),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        return {"Update": update}

    def _transact(self, **parts: dict[str, Any]) -> None:
        try:
            ask_for_all(
                f"the table {self._table}", self._client.transact_write_items, TransactItems=list(parts.values())
            )
        except Overtaken as error:
            raise PassBusy("another pass is at work, and its time is not over") from error


def _number(seconds: float) -> dict[str, str]:
    return {"N": f"{seconds:.3f}"}
