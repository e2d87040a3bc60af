"""The table of what waits, as the stream's function writes it. docs/incident_sync.md has its attributes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

from incident_sync.errors import StoreUnavailable
from incident_sync.items import SYNC, item_id
from incident_sync.records import Change
from shared.backoff import Backoff, Patience
from shared.clock import Clock, SystemClock, stamp
from shared.store_errors import Overtaken, ask_for_all, code_of

TRIES = Backoff(first_seconds=0.05, most_seconds=0.5, attempts=6, budget_seconds=5.0)

HELD = "TransactionConflictException"
"""A transaction that marks the incident has its item, which lasts milliseconds. The SDK does not wait for that by
itself, as it does for a busy table."""

NAMES = {
    "#change": "change",
    "#incident": "incident_id",
    "#waits": "waits_for",
    "#since": "since",
    "#attempts": "attempts",
    "#reason": "reason",
    "#expires": "expiresAt",
}
ASK = "SET #incident = :incident, #waits = :sync, #since = :now, #change = :change REMOVE #attempts, #reason, #expires"
NEWER = "(attribute_not_exists(#change) OR #change < :change)"
EVER_CLOSED = "attribute_exists(#incident)"


class Intake:
    """Where an incident is made to wait for its sync."""

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        clock: Clock | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock or SystemClock()
        self._random = random

    def ask(self, change: Change, now: datetime) -> bool:
        """Let the incident wait for a sync from `now` on, because of this change; earlier failures are forgotten.

        False where there is nothing to do: this change or a later one is known, or an incident that is not closed was
        never in the knowledge base. Raises StoreUnavailable."""
        patience = Patience(TRIES, self._clock, self._random)
        while True:
            try:
                self._update(change, now)
            except Overtaken:
                return False
            except StoreUnavailable as error:
                if not (code_of(error) == HELD and patience.wait()):
                    raise
            else:
                return True

    def _update(self, change: Change, now: datetime) -> None:
        ask_for_all(
            f"the table {self._table}",
            self._client.update_item,
            TableName=self._table,
            Key={"id": {"S": item_id(change.incident_id)}},
            UpdateExpression=ASK,
            ConditionExpression=NEWER if change.closed else f"{EVER_CLOSED} AND {NEWER}",
            ExpressionAttributeNames=NAMES,
            ExpressionAttributeValues={
                ":incident": {"S": change.incident_id},
                ":sync": {"S": SYNC},
                ":now": {"S": stamp(now)},
                ":change": {"S": change.sequence},
            },
        )
