"""Check: holds collections against the table of receipts, and Chroma against the merged state; repairs what differs by
deltas, and what has no vector by exports for the embedding worker."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from shared.batching import cut
from shared.clock import Clock, SystemClock, stop_at, utc_now
from vector_store import assembly
from vector_store.deltas import Deltas
from vector_store.drift import KINDS, Compared
from vector_store.errors import CheckIncomplete, EventInvalid
from vector_store.events import check_members
from vector_store.kept_snapshot import KeptSnapshot
from vector_store.looking import EXAMPLES_MAX, Looking
from vector_store.machine import Machine
from vector_store.measures import COUNT, publish
from vector_store.places import COLLECTIONS, collection_of
from vector_store.pointer import Pointers
from vector_store.receipts_table import ReceiptsTable
from vector_store.repair_exports import Export, RepairExports
from vector_store.scratch import scratch_folder
from vector_store.snapshots import Snapshots
from vector_store.telemetry import logger, tracer
from vector_store.workbook import Workbook

MEMBERS = frozenset({"collections", "repair"})

AT_ONCE = 16
"""Receipts that are read, or exported, at the same time."""

REPAIRS_AT_ONCE = 5_000
"""Changes of one delta: half of what a compaction merges at once."""

EXPORTS_AT_ONCE = 160

REPAIRING_SHARE = 0.25
"""How much of the time is kept for writing repairs."""


class Asked(NamedTuple):
    """What a check is to do."""

    collections: tuple[str, ...]
    repair: bool


@dataclass(frozen=True)
class Means:
    """What a check is made with. `token` is a name that no other check has."""

    table: ReceiptsTable
    deltas_of: Callable[[str], Deltas]
    snapshots_of: Callable[[str], Snapshots]
    pointers: Pointers
    machine: Machine
    exports: RepairExports
    dimension: int
    pool: Executor
    clock: Clock
    token: str
    settle_seconds: float = 0.0
    """How long a change may be on its way from the table to a delta: what differs must still differ that much later."""


@dataclass
class Tally:
    """What was found in a collection."""

    version: int = 0
    records: int = 0
    unreadable: int = 0
    senseless: list[dict[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    without_vector: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)
    repaired: int = 0
    exported: int = 0

    @property
    def drifting(self) -> int:
        return sum(self.counts.values())

    def clear(self) -> None:
        """Forget what was found."""
        self.counts, self.without_vector, self.examples = dict.fromkeys(KINDS, 0), 0, []

    def add(self, compared: Compared) -> None:
        """Count what a receipt was found to be."""
        for finding in compared.findings:
            self.counts[finding.kind] += 1
            if len(self.examples) < EXAMPLES_MAX:
                self.examples.append({"id": finding.owner, "what": finding.told})
        self.without_vector += len(compared.unembedded)

    def answer(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "records": self.records,
            **self.counts,
            "withoutVector": self.without_vector,
            "unreadable": self.unreadable,
            "examples": [*self.examples, *self.senseless][:EXAMPLES_MAX],
            "repaired": self.repaired,
            "exported": self.exported,
        }


class OutOfTime(Exception):
    """The time for looking is over."""


class Check:
    """One call. `stop_at` is when, by the clock, nothing more may begin."""

    def __init__(self, asked: Asked, means: Means, *, stop_at: float) -> None:
        self._asked = asked
        self._means = means
        self._stop_at = stop_at
        left = stop_at - means.clock.monotonic()
        self._look_until = stop_at - (left * REPAIRING_SHARE if asked.repair else 0)
        self._tallies: dict[str, Tally] = {}
        self._unfinished = ""

    def go(self) -> dict[str, Any]:
        """The answer.

        Raises CheckIncomplete where the time was not enough, after repairing what was found; SnapshotInvalid where a
        snapshot is damaged, and then nothing is repaired; and StoreUnavailable."""
        with scratch_folder() as folder, Workbook(folder / "check.sqlite") as book:
            try:
                self._look(book)
            except OutOfTime as error:
                self._unfinished = str(error)
            if self._asked.repair:
                self._repair(book)
                self._export(book)
        if self._unfinished:
            raise CheckIncomplete(self._told())
        return {"collections": {name: tally.answer() for name, tally in self._tallies.items()}}

    def _look(self, book: Workbook) -> None:
        """Look at all collections, and once more, a while later, at those that differ."""
        items = 0
        for page in self._means.table.pages():
            self._beat(f"{items:,} items of the table were read")
            book.add_items(page)
            items += len(page)
        doubtful: dict[str, list[str]] = {}
        for collection in self._asked.collections:
            tally = self._tallies[collection] = Tally()
            with self._looking(collection) as looking:
                first = looking.first(book.items_by_receipt())
                tally.version, tally.records, tally.unreadable = first.version, first.records, first.unreadable
                tally.senseless = [{"id": it.key, "what": f"unreadable: {it.reason}"} for it in first.senseless]
                doubtful[collection] = self._note(looking.again(first.doubtful), tally, book, collection)
        drifting = [collection for collection, tally in self._tallies.items() if tally.drifting]
        if drifting and self._means.settle_seconds:
            self._means.clock.sleep(self._means.settle_seconds)
            for collection in drifting:
                self._beat(f"{collection}: what differs was waited for")
                tally = self._tallies[collection]
                tally.clear()
                book.clear(collection)
                with self._looking(collection) as looking:
                    self._note(looking.again(doubtful[collection]), tally, book, collection)
        for collection, tally in self._tallies.items():
            publish([("DriftingRecords", COUNT, tally.drifting)], collection=collection)
            logger.info("collection checked", collection=collection, answer=tally.answer())

    def _note(self, found: Iterable[tuple[str, Compared]], tally: Tally, book: Workbook, collection: str) -> list[str]:
        """Count what was found, and keep what would mend it; the receipts."""
        receipts = []
        for receipt, compared in found:
            receipts.append(receipt)
            tally.add(compared)
            book.add_repairs(collection, compared.repairs)
            book.add_exports(collection, receipt, compared.unembedded)
        return receipts

    def _repair(self, book: Workbook) -> None:
        """Write the repairs of each collection as deltas, and ask for a compaction."""
        means = self._means
        for collection, tally in self._tallies.items():
            if not tally.drifting:
                continue
            deltas = means.deltas_of(collection)
            for number, some in enumerate(cut(book.repairs(collection), REPAIRS_AT_ONCE), 1):
                delta = deltas.write(f"check-{means.token}-{number:05}", some)
                deltas.register(delta, utc_now(means.clock))
                logger.info("repairs registered", collection=collection, delta=delta.name, records=delta.records)
            means.machine.request(collection)
            tally.repaired = tally.drifting

    def _export(self, book: Workbook) -> None:
        """Ask for the vectors that are missing, receipt by receipt."""
        token = self._means.token
        exports = (
            Export(receipt, f"check-{token}-{number:06}", texts)
            for number, (receipt, texts) in enumerate(book.exports(), 1)
        )
        for some in cut(exports, EXPORTS_AT_ONCE):
            if self._means.clock.monotonic() >= self._stop_at:
                self._unfinished = self._unfinished or "texts without vectors were exported"
                return
            self._means.exports.send(token, some)
            for export in some:
                for text in export.texts:
                    self._tallies[collection_of(text.id)].exported += 1

    def _beat(self, step: str) -> None:
        if self._means.clock.monotonic() >= self._look_until:
            raise OutOfTime(step)

    def _told(self) -> str:
        found = "; ".join(
            f"{name}: {it.drifting} differ, {it.repaired} are repaired, {it.exported} exported"
            for name, it in self._tallies.items()
        )
        return (
            f"the time ended while {self._unfinished}. Found until then: {found or 'nothing'}. Check one collection at "
            "a time, or give the function more memory, which makes it faster"
        )

    @contextmanager
    def _looking(self, collection: str) -> Iterator[Looking]:
        means = self._means
        kept = KeptSnapshot(collection, means.snapshots_of(collection), means.pointers, dimension=means.dimension)
        with closing(kept):
            yield Looking(
                collection,
                table=means.table,
                deltas=means.deltas_of(collection),
                kept=kept,
                pointers=means.pointers,
                dimension=means.dimension,
                pool=means.pool,
                clock=means.clock,
                beat=self._beat,
            )


def asked(event: Mapping[str, Any]) -> Asked:
    """What an event asks for. Raises EventInvalid, which names the member."""
    check_members(event, MEMBERS, "a check")
    collections, repair = event.get("collections", list(COLLECTIONS)), event.get("repair", False)
    if not isinstance(collections, list) or not collections or any(it not in COLLECTIONS for it in collections):
        raise EventInvalid(f"collections is no list of {' and '.join(COLLECTIONS)}, or empty")
    if not isinstance(repair, bool):
        raise EventInvalid("repair is no boolean; allowed: true, false, or no such member")
    return Asked(tuple(name for name in COLLECTIONS if name in collections), repair)


@cache
def _pool() -> Executor:
    return ThreadPoolExecutor(AT_ONCE)


def means_for(clock: Clock) -> Means:
    """What Terraform's environment variables describe."""
    return Means(
        assembly.receipts_table(),
        assembly.deltas,
        assembly.snapshots,
        assembly.pointers(),
        assembly.machine(),
        assembly.repair_exports(_pool(), clock),
        assembly.dimension(),
        _pool(),
        clock,
        uuid.uuid4().hex[:12],
        assembly.settle_seconds(),
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    clock = SystemClock()
    return Check(asked(event), means_for(clock), stop_at=stop_at(context, clock)).go()
