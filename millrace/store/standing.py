"""How a collection stands: what is published, what waits, what is set aside, and who compacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from millrace.backlog import Backlog
from millrace.executions.flights import in_words
from millrace.store.table import Collection, Delta, Pointer, StoreTable
from millrace.syncs import SyncItem, Syncs


@dataclass(frozen=True)
class Standing:
    """`pointer` is None where nothing is published yet; `requests` are those for a compaction."""

    collection: Collection
    pointer: Pointer | None
    pending: Backlog
    aside: tuple[Delta, ...]
    requests: SyncItem

    @property
    def last_failure(self) -> dict[str, str] | None:
        """The last compaction that failed: its job, when, and why in words."""
        failed = self.requests.last_failure
        return {"job": failed.job_id, "at": failed.at, "message": in_words(failed.result)} if failed else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "published": self.pointer.as_dict() if self.pointer else None,
            "pending": self.pending.as_dict(),
            "setAside": [delta.as_dict() for delta in self.aside],
            "compaction": {**self.requests.as_dict(), "lastFailure": self.last_failure},
        }


def standing_of(table: StoreTable, flights: Syncs, collection: Collection) -> Standing:
    """As it is now."""
    return Standing(
        collection=collection,
        pointer=table.pointer(collection),
        pending=table.pending(collection),
        aside=tuple(table.aside(collection)),
        requests=flights.get(collection),
    )
