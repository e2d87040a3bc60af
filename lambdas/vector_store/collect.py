"""Collect: removes snapshots that nobody reads any more, and uploads that were never published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.clock import Clock, SystemClock, stop_at, utc_now
from vector_store import assembly
from vector_store.errors import EventInvalid
from vector_store.places import COLLECTIONS
from vector_store.pointer import Pointer, Pointers
from vector_store.snapshots import Snapshots, Stored
from vector_store.telemetry import logger, tracer

KEPT_VERSIONS = 3
"""Versions up to the published one that stay however old they are: what there is to go back to."""

RETENTION_MIN = timedelta(days=1)
"""Longer than a compaction takes from its first upload to its pointer, and a reader from the pointer to its last byte:
Lambda ends both within 15 minutes."""


def outdated(stored: Iterable[Stored], pointer: Pointer | None, *, now: datetime, retention: timedelta) -> list[Stored]:
    """The snapshots to remove: older than the retention, and neither the published one nor of the last three versions.
    Uploads that were never published go by their age alone.

    Without a pointer nothing goes: it may be missing by mistake, and then the snapshots are all that there is."""
    if pointer is None:
        return []
    before = now - max(retention, RETENTION_MIN)
    last = range(pointer.version - KEPT_VERSIONS + 1, pointer.version + 1)
    return [it for it in stored if it.modified < before and it.snapshot != pointer.snapshot and it.version not in last]


def collect(
    collection: str,
    snapshots: Snapshots,
    pointers: Pointers,
    *,
    now: datetime,
    retention: timedelta,
    dry_run: bool,
    clock: Clock,
    stop_at: float,
) -> list[Stored]:
    """Remove a collection's outdated snapshots, oldest first, while there is time; which they were. A dry run removes
    none. Raises StoreUnavailable."""
    # The pointer is read last: whatever it has moved to meanwhile is not touched.
    stored = snapshots.stored()
    removed: list[Stored] = []
    for it in outdated(stored, pointers.read(collection), now=now, retention=retention):
        if clock.monotonic() >= stop_at:
            logger.warning("snapshots left for the next time", collection=collection)
            break
        if not dry_run:
            snapshots.remove(it)
            logger.info("snapshot removed", collection=collection, snapshot=it.snapshot, bytes=it.bytes)
        removed.append(it)
    return removed


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """`{"dryRun"?: true}`; answers the removed folders of each collection."""
    dry_run = event.get("dryRun", False)
    if not isinstance(dry_run, bool):
        raise EventInvalid("dryRun is no boolean; allowed: true, false, or no such member")
    clock = SystemClock()
    until = stop_at(context, clock)
    removed = {
        collection: collect(
            collection,
            assembly.snapshots(collection),
            assembly.pointers(),
            now=utc_now(clock),
            retention=assembly.retention(),
            dry_run=dry_run,
            clock=clock,
            stop_at=until,
        )
        for collection in COLLECTIONS
    }
    return {"dryRun": dry_run, "removed": {name: [it.snapshot for it in gone] for name, gone in removed.items()}}
