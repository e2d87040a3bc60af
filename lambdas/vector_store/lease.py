"""The right to work a queue: one consumer has it at a time, whichever kind it is.

An item of the table vector-store says who has it and until when. Who lets that time pass is taken to be dead."""

from __future__ import annotations

from threading import Lock
from typing import Any, NamedTuple

from shared.clock import Clock
from shared.store_errors import Overtaken, ask_for_all
from vector_store.errors import ConsumerBusy, StoreUnavailable
from vector_store.telemetry import logger

EMBED = "consumer/embed"

LEASE_SECONDS = 90.0
RENEW_SHARE = 1 / 3
GRACE_SECONDS = 10.0
"""How much earlier than others may take the lease its holder takes it for lost: their clocks differ by less."""


class Holder(NamedTuple):
    """One consumer: `kind` is lambda or ecs, `name` tells it from all others."""

    kind: str
    name: str


class LeaseHeld(ConsumerBusy):
    """Another consumer has the lease, for `seconds` more if it does not renew it."""

    def __init__(self, holder: Holder, seconds: float) -> None:
        super().__init__(f"{holder.kind} {holder.name} has the lease for {seconds:.0f} s more")
        self.holder = holder
        self.seconds = seconds


class LeaseLost(Exception):
    """The lease's time is over, or another consumer has taken it. What was under way must not be written."""


class Lease:
    """One holder's lease. Safe to use from several threads."""

    def __init__(
        self,
        client: Any,
        table: str,
        holder: Holder,
        *,
        clock: Clock,
        item: str = EMBED,
        seconds: float = LEASE_SECONDS,
    ) -> None:
        self.holder = holder
        self._client = client
        self._table = table
        self._clock = clock
        self._item = item
        self._seconds = seconds
        self._lock = Lock()
        self._until: float | None = None
        """By the wall clock; None while we do not have it for certain."""
        self._perhaps = False
        """Whether we may have it."""

    def take(self) -> None:
        """Take the lease, if it is free, over, or ours. Raises LeaseHeld and StoreUnavailable."""
        with self._lock:
            try:
                self._write("attribute_not_exists(#until) OR #until <= :now OR #holder = :holder")
            except Overtaken:
                self._until, self._perhaps = None, False
                raise self._held() from None

    def keep(self) -> None:
        """Make sure of the lease: renew it once a third of its time is over. Raises LeaseLost.

        While the table does not answer the lease is still ours, until its time is over."""
        with self._lock:
            now = self._clock.wall()
            if self._until is None or now >= self._until - GRACE_SECONDS:
                raise LeaseLost(f"the lease of {self._item} is over")
            if now < self._until - self._seconds * (1 - RENEW_SHARE):
                return
            try:
                self._write("#holder = :holder AND #until > :now")
            except Overtaken as error:
                self._until, self._perhaps = None, False
                raise LeaseLost(f"the lease of {self._item} is another consumer's") from error
            except StoreUnavailable as error:
                logger.warning("the lease could not be renewed", item=self._item, reason=str(error))

    def give_back(self) -> None:
        """Let others begin at once. Where that cannot be said the lease ends by itself."""
        with self._lock:
            if not self._perhaps:
                return
            self._until, self._perhaps = None, False
            update = {
                "TableName": self._table,
                "Key": {"id": {"S": self._item}},
                "UpdateExpression": "REMOVE #until",
                "ConditionExpression": "#holder = :holder AND attribute_exists(#until)",
                "ExpressionAttributeNames": {"#holder": "holder", "#until": "until"},
                "ExpressionAttributeValues": {":holder": {"S": self.holder.name}},
            }
            try:
                self._transact(update)
            except Overtaken:
                return
            except StoreUnavailable as error:
                logger.warning("the lease could not be given back; it ends by itself", reason=str(error))

    def _write(self, condition: str) -> None:
        """Have the lease from now on, on this condition. Raises Overtaken and StoreUnavailable."""
        now = self._clock.wall()
        update = {
            "TableName": self._table,
            "Key": {"id": {"S": self._item}},
            "UpdateExpression": "SET #holder = :holder, #kind = :kind, #until = :until",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#holder": "holder", "#kind": "kind", "#until": "until"},
            "ExpressionAttributeValues": {
                ":holder": {"S": self.holder.name},
                ":kind": {"S": self.holder.kind},
                ":until": _number(now + self._seconds),
                ":now": _number(now),
            },
        }
        self._perhaps = True
        self._transact(update)
        self._until = now + self._seconds

    def _transact(self, update: dict[str, Any]) -> None:
        """A transaction of one write: it has a token, so that the SDK can send it again after its answer was lost."""
        ask_for_all(f"the table {self._table}", self._client.transact_write_items, TransactItems=[{"Update": update}])

    def _held(self) -> LeaseHeld:
        reply = ask_for_all(
            f"the table {self._table}",
            self._client.get_item,
            TableName=self._table,
            Key={"id": {"S": self._item}},
            ConsistentRead=True,
        )
        item = reply.get("Item", {})
        holder = Holder(item.get("kind", {}).get("S", "unknown"), item.get("holder", {}).get("S", "unknown"))
        until = float(item.get("until", {}).get("N", "0"))
        return LeaseHeld(holder, max(0.0, until - self._clock.wall()))


def _number(seconds: float) -> dict[str, str]:
    return {"N": f"{seconds:.3f}"}
