"""One collection, held against the table of receipts: first all of it against a reading of the whole table, and then
what looked wrong once more.

The second look reads a receipt consistently, and counts the deltas that wait as merged; so what a compaction is about
to merge is no drift. The store is always read before the table: the table knows of all that the store has heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from shared.batching import cut
from shared.clock import Clock
from shared.stream_records import Item
from vector_store import law
from vector_store.changes import Change, VectorRow, receipt_of
from vector_store.deltas import BadRow, Deltas
from vector_store.drift import Compared, Senseless, compare, told
from vector_store.errors import DeltaUnreadable
from vector_store.kept_snapshot import KeptSnapshot, Published
from vector_store.law import Known
from vector_store.pointer import Pointers
from vector_store.receipts_table import ReceiptsTable
from vector_store.state import State
from vector_store.telemetry import logger

RECEIPTS_AT_ONCE = 160

OPENINGS_MAX = 3
"""Snapshots that are opened for one look, each because a compaction has published since the one before was opened."""

IN_MEMORY = Path(":memory:")

Beat = Callable[[str], None]
"""Told what is under way; ends it by what it raises."""

OfReceipt = dict[str, Known]
Receipts = Iterable[tuple[str, list[Item]]]
"""Receipts with their items, in the order of their ids with a slash behind."""


EXAMPLES_MAX = 20


class First(NamedTuple):
    """What the first look has found: the snapshot's version and records, the receipts that look wrong, how many of the
    table's items make no sense, and the first of these."""

    version: int
    records: int
    doubtful: list[str]
    unreadable: int
    senseless: list[Senseless]


class Looking:
    """One collection's. `table` may be asked by the pool's threads."""

    def __init__(
        self,
        collection: str,
        *,
        table: ReceiptsTable,
        deltas: Deltas,
        kept: KeptSnapshot,
        pointers: Pointers,
        dimension: int,
        pool: Executor,
        clock: Clock,
        beat: Beat,
    ) -> None:
        self._collection = collection
        self._table = table
        self._deltas = deltas
        self._kept = kept
        self._pointers = pointers
        self._dimension = dimension
        self._pool = pool
        self._clock = clock
        self._beat = beat

    def first(self, receipts: Receipts) -> First:
        """Look at everything, at Chroma too.

        Raises SnapshotInvalid where the snapshot is damaged or Chroma at odds with the state, and StoreUnavailable."""
        doubtful: list[str] = []
        senseless: list[Senseless] = []
        unreadable = 0
        now = self._clock.wall()
        with self._opened() as (published, state):
            for number, (receipt, items, known) in enumerate(_side_by_side(receipts, state.by_receipt())):
                self._beat(f"{self._collection}: {number:,} receipts were compared")
                table = told(items, self._collection)
                unreadable += len(table.bad)
                senseless += table.bad[: EXAMPLES_MAX - len(senseless)]
                if not compare(receipt, table, known, now=now).is_clean:
                    doubtful.append(receipt)
            if published is None:
                return First(0, 0, doubtful, unreadable, senseless)
            published.store.check_all(lambda: self._beat(f"{self._collection}: Chroma was held against the state"))
            return First(published.pointer.version, published.pointer.records, doubtful, unreadable, senseless)

    def again(self, receipts: Sequence[str]) -> Iterator[tuple[str, Compared]]:
        """Look at some receipts again; those that differ, or have records without a vector. Raises StoreUnavailable and
        SnapshotInvalid."""
        if not receipts:
            return
        for left in reversed(range(OPENINGS_MAX)):
            with self._opened() as (published, state):
                waiting = self._waiting(receipts)
                if left and self._pointers.read(self._collection) != (published and published.pointer):
                    # What was pending may be in the new snapshot by now, and in neither of what we have read.
                    continue
                for some in cut(receipts, RECEIPTS_AT_ONCE):
                    self._beat(
                        f"{self._collection}: of {len(receipts):,} receipts that look wrong some were read again"
                    )
                    yield from self._compared(some, state, waiting)
                return

    def _compared(
        self, receipts: list[str], state: State, waiting: Mapping[str, OfReceipt]
    ) -> Iterator[tuple[str, Compared]]:
        news = {owner: known for receipt in receipts for owner, known in waiting.get(receipt, {}).items()}
        known = _by_receipt(law.merge(state.of_receipts(receipts), news))
        now = self._clock.wall()
        for receipt, items in zip(receipts, self._pool.map(self._table.of_receipt, receipts), strict=True):
            compared = compare(receipt, told(items, self._collection), known.get(receipt, {}), now=now)
            if not compared.is_clean:
                yield receipt, compared

    def _waiting(self, receipts: Iterable[str]) -> dict[str, OfReceipt]:
        """What pending deltas say of these receipts. One that cannot be read is the compaction's to set aside."""
        wanted = set(receipts)
        changes: list[Change] = []
        vectors: list[VectorRow] = []
        for delta in self._deltas.pending():
            self._beat(f"{self._collection}: the deltas that wait were read")
            try:
                rows = [row for row in self._deltas.read(delta, self._dimension) if not isinstance(row, BadRow)]
            except DeltaUnreadable as error:
                logger.warning("delta not read", delta=delta.name, reason=str(error))
                continue
            changes += (row for row in rows if isinstance(row, Change) and receipt_of(row.owner) in wanted)
            vectors += (
                # Of a vector that waits it matters that it is there.
                row._replace(text="", vector=b"")
                for row in rows
                if isinstance(row, VectorRow) and receipt_of(row.id) in wanted
            )
        return _by_receipt(law.heard(changes, vectors))

    @contextmanager
    def _opened(self) -> Iterator[tuple[Published | None, State]]:
        """The published snapshot and its state; a state that has seen nothing where nothing is published."""
        with self._kept.published() as published:
            if published is not None:
                yield published, published.store.state
                return
            with closing(State.create(IN_MEMORY)) as nothing:
                yield None, nothing


def _side_by_side(
    receipts: Receipts, known: Iterable[tuple[str, OfReceipt]]
) -> Iterator[tuple[str, list[Item], OfReceipt]]:
    """Each receipt with its items and with what is known of it. Both sides are in the order of their ids with a slash
    behind."""
    of_table = ((f"{receipt}/", items, OfReceipt()) for receipt, items in receipts)
    of_store = ((f"{receipt}/", list[Item](), it) for receipt, it in known)
    for place, sides in groupby(merge(of_table, of_store, key=itemgetter(0)), itemgetter(0)):
        both = list(sides)
        yield place[:-1], [item for _, items, _ in both for item in items], both[-1][2]


def _by_receipt(known: Mapping[str, Known]) -> dict[str, OfReceipt]:
    found: dict[str, OfReceipt] = {}
    for owner, it in known.items():
        found.setdefault(receipt_of(owner), {})[owner] = it
    return found
