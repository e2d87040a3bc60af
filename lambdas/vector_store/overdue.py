"""Overdue: measures what waits, and asks for collections whose deltas have waited too long.

An index follows its table after a moment, and a request can be lost with the execution that it began: a delta may be
pending that no compaction has seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.clock import SystemClock, utc_now
from vector_store import assembly
from vector_store.deltas import Deltas
from vector_store.machine import Machine
from vector_store.measures import COUNT, SECONDS, publish
from vector_store.places import COLLECTIONS
from vector_store.telemetry import logger, tracer


class Waiting(NamedTuple):
    """A collection's oldest pending delta, how long it has waited (0 where none does), and how many are set aside."""

    seconds: float
    aside: int


def waiting(deltas: Deltas, now: datetime) -> Waiting:
    """Raises StoreUnavailable."""
    oldest = [datetime.fromisoformat(delta.since) for delta in deltas.pending(1)]
    seconds = (now - oldest[0]).total_seconds() if oldest else 0.0
    return Waiting(max(round(seconds, 3), 0.0), deltas.aside())


def ask_for_overdue(waits: Mapping[str, Waiting], machine: Machine, *, after: timedelta) -> list[str]:
    """Ask for a compaction of each collection whose oldest delta has waited longer than that; which they are. Raises
    StoreUnavailable."""
    asked = []
    for collection, wait in waits.items():
        if wait.seconds > after.total_seconds():
            machine.request(collection)
            logger.warning("compaction is overdue", collection=collection, seconds=wait.seconds)
            asked.append(collection)
    return asked


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """`{}`; answers which collections were asked for, and how long each has waited."""
    now = utc_now(SystemClock())
    waits = {collection: waiting(assembly.deltas(collection), now) for collection in COLLECTIONS}
    for collection, wait in waits.items():
        publish(
            [("OldestPendingDeltaSeconds", SECONDS, wait.seconds), ("DeltasSetAside", COUNT, wait.aside)],
            collection=collection,
        )
    asked = ask_for_overdue(waits, assembly.machine(), after=assembly.overdue_after())
    return {"asked": asked, "oldestSeconds": {collection: wait.seconds for collection, wait in waits.items()}}
