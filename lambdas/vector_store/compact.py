"""Compact: one call. Merges as many of a collection's pending deltas as its time allows into a new snapshot, and
publishes it.

The order is what makes it safe to die anywhere: the new snapshot is whole in the bucket, then the job's record names
every row that was not taken, then the pointer moves, on condition that nobody else has moved it, and only then do the
deltas wait no more. What is done twice is merged twice, which the law makes the same as once."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from shared.clock import Clock, SystemClock, stamp, stop_at, utc_now
from shared.emission import Value
from vector_store import assembly
from vector_store.changes import Change, VectorRow
from vector_store.deltas import BadRow, Delta, Deltas
from vector_store.errors import DeltaUnreadable, EventInvalid, PointerMoved, SnapshotInvalid
from vector_store.events import collection_in
from vector_store.measures import COUNT, publish
from vector_store.pointer import Pointer, Pointers
from vector_store.portions import Pace, portion
from vector_store.run_records import ROWS_MAX, RunRecords
from vector_store.scratch import scratch_folder
from vector_store.showing import ADD, REPLACE, Difference
from vector_store.snapshots import Manifest, Snapshots
from vector_store.state import Merged
from vector_store.store import Store
from vector_store.telemetry import logger, tracer

COMPLETE, IN_PROGRESS = "COMPLETE", "IN_PROGRESS"
PUBLISHING, PUBLISHED, DISCARDED, NOTHING_NEW = "publishing", "published", "discarded", "nothing new"

DELTAS_MAX = 1_000
"""Deltas of one call: a snapshot's manifest names them."""

JOB = re.compile(r"[A-Za-z0-9._:-]{1,256}", re.ASCII)

DEAD_SHARE_MAX, DEAD_MIN = 1.0, 1_000
"""Chroma's index is made new when it keeps more dead records than that many for a living one: it is twice as large
then, and a search half as fast."""

REBUILD_SECONDS_A_RECORD = 0.004


@dataclass(frozen=True)
class Means:
    """What a call is made with. `token` gives a name that no other call has."""

    deltas: Deltas
    snapshots: Snapshots
    pointers: Pointers
    records: RunRecords
    dimension: int
    clock: Clock
    token: Callable[[], str]


class Taken(NamedTuple):
    """What was read of some deltas: those that are whole, and their rows."""

    deltas: list[Delta]
    changes: list[Change]
    vectors: list[VectorRow]


@dataclass
class Tally:
    """What a call has read and done, for the job's record."""

    merged: list[Delta] = field(default_factory=list)
    known: list[Delta] = field(default_factory=list)
    unreadable: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0
    applied: int = 0
    overtaken: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)
    bad_count: int = 0
    notes: list[dict[str, Any]] = field(default_factory=list)
    note_count: int = 0
    slots: int = 0
    changed: list[Difference] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)
    seconds: dict[str, float] = field(default_factory=dict)

    def refuse(self, rows: Sequence[BadRow]) -> None:
        """Note rows that cannot be merged."""
        self.bad_count += len(rows)
        self.bad += [row._asdict() for row in rows[: ROWS_MAX - len(self.bad)]]

    def add(self, merged: Merged) -> None:
        """Count a merge."""
        self.applied += merged.applied
        self.overtaken += merged.overtaken
        self.note_count += len(merged.notes)
        self.notes += [note._asdict() for note in merged.notes[: ROWS_MAX - len(self.notes)]]
        self.slots += sum(it.kind in (ADD, REPLACE) for it in merged.differences)
        self.changed = merged.differences or self.changed


class Compaction:
    """One call for a collection, of the job of this name."""

    def __init__(self, collection: str, job: str, means: Means) -> None:
        self._collection = collection
        self._job = job
        self._means = means
        self._call = means.token()
        self._tally = Tally()
        self._records: int | None = None
        """How many records the snapshot that was published shows."""
        self._discarded = False

    def go(self, *, stop_at: float) -> dict[str, Any]:
        """The answer. `stop_at` is when, by the clock, what was merged should be published.

        Raises StoreUnavailable, SnapshotInvalid where the published snapshot or the new one is damaged, and
        ConfigurationInvalid; then nothing is published."""
        means, tally = self._means, self._tally
        pointer = means.pointers.read(self._collection)
        manifest = means.snapshots.manifest(pointer) if pointer else None
        if manifest:
            manifest.check_dimension(self._collection, means.dimension)
        pending = means.deltas.pending(DELTAS_MAX + 1)
        known = set(manifest.deltas) if manifest else set()
        tally.known = [delta for delta in pending if delta.name in known]
        # A call that died after it had moved the pointer has left these.
        means.deltas.done(tally.known, self._now())
        waiting = [delta for delta in pending[:DELTAS_MAX] if delta.name not in known]
        try:
            version = self._publish_merged(waiting, pointer, manifest, stop_at)
        except PointerMoved as error:
            logger.warning("compaction discarded", collection=self._collection, job=self._job, reason=str(error))
            self._discarded = True
            self._note(DISCARDED, None)
            return _answer(IN_PROGRESS, None, len(tally.known), f"Discarded: {error}")
        done = len(tally.known) + len(tally.merged)
        aside = sum(row["aside"] for row in tally.unreadable)
        left = len(pending) - done - aside
        return _answer(IN_PROGRESS if left else COMPLETE, version, done, self._told(version, left, aside))

    def measured(self) -> list[Value]:
        """What the call has published, as metrics; of one that was discarded nothing counts."""
        if self._discarded or not self._tally.merged:
            return []
        bad = ("BadRows", COUNT, self._tally.bad_count)
        if self._records is None:
            return [bad]
        return [bad, ("ChangesMerged", COUNT, self._tally.applied), ("StoreRecords", COUNT, self._records)]

    def _publish_merged(
        self, waiting: list[Delta], pointer: Pointer | None, manifest: Manifest | None, stop_at: float
    ) -> int | None:
        """The version that has all that was merged; None where there is none yet."""
        first = self._read(waiting, stop_at)
        version = pointer.version if pointer else None
        if not (first.changes or first.vectors):
            self._tally.merged = first.deltas
            if first.deltas or self._tally.unreadable:
                self._note(NOTHING_NEW, version)
            self._means.deltas.done(first.deltas, self._now())
            return version
        with scratch_folder() as folder:
            with self._timed("fetch") as fetch:
                store = self._fetched(folder, pointer)
            self._tally.pace = Pace(fetched_seconds=fetch())
            with store:
                self._merge(store, first, waiting, stop_at)
                slots = self._check(store, manifest, stop_at)
                records = store.state.visible()
            new = self._uploaded(folder, pointer, records, slots)
        self._note(PUBLISHING, new.version)
        with self._timed("publish"):
            self._means.pointers.publish(self._collection, new, over=pointer)
        self._records = new.records
        logger.info(
            "snapshot published", collection=self._collection, job=self._job, version=new.version, records=new.records
        )
        with self._timed("deltas"):
            self._means.deltas.done(self._tally.merged, self._now())
        self._note(PUBLISHED, new.version)
        return new.version

    def _read(self, waiting: list[Delta], stop_at: float) -> Taken:
        """Take the next portion from what waits, and read it. Deltas that nobody can read are counted."""
        taken = Taken([], [], [])
        left = stop_at - self._means.clock.monotonic()
        with self._timed("read"):
            for delta in portion(waiting, self._tally.pace, seconds_left=left):
                waiting.remove(delta)
                try:
                    rows = list(self._means.deltas.read(delta, self._means.dimension))
                except DeltaUnreadable as error:
                    aside = self._means.deltas.failed(delta, str(error))
                    logger.warning("delta not read", delta=delta.name, reason=str(error), aside=aside)
                    self._tally.unreadable.append({"delta": delta.name, "reason": str(error), "aside": aside})
                    continue
                taken.deltas.append(delta)
                taken.changes.extend(row for row in rows if isinstance(row, Change))
                taken.vectors.extend(row for row in rows if isinstance(row, VectorRow))
                self._tally.rows += len(rows)
                self._tally.refuse([row for row in rows if isinstance(row, BadRow)])
        return taken

    def _fetched(self, folder: Path, pointer: Pointer | None) -> Store:
        if pointer is None:
            return Store(folder, self._collection, create=True)
        self._means.snapshots.download(pointer, folder)
        return Store(folder, self._collection)

    def _merge(self, store: Store, first: Taken, waiting: list[Delta], stop_at: float) -> None:
        """Merge portion after portion while there is time."""
        now = self._now()
        store.state.forget(now)
        taken = first
        while taken.deltas:
            with self._timed("merge") as merging:
                self._tally.add(store.merge(taken.changes, taken.vectors, now))
            self._tally.merged += taken.deltas
            pace = self._tally.pace
            rows = pace.rows + len(taken.changes) + len(taken.vectors)
            self._tally.pace = pace._replace(rows=rows, seconds=pace.seconds + merging())
            taken = self._read(waiting, stop_at)

    def _check(self, store: Store, manifest: Manifest | None, stop_at: float) -> int:
        """Check the store, with a new index where the old one has too many dead records or does not find the living.
        Returns the index's places."""
        slots = self._tally.slots + (manifest.slots if manifest else 0)
        visible = store.state.visible()
        left = stop_at - self._means.clock.monotonic() - self._tally.pace.publishing_seconds
        with self._timed("check"):
            if is_worn(slots, visible) and visible * REBUILD_SECONDS_A_RECORD < left:
                store.rebuild()
                slots = visible
            if not store.check(self._tally.changed).is_doubtful:
                return slots
            store.rebuild()
            lookups = store.check(self._tally.changed)
            if lookups.is_broken:
                raise SnapshotInvalid(
                    f"{self._collection}: {len(lookups.astray)} of {lookups.number} records, as {lookups.astray[0]}, "
                    "are not found by their own vectors, in a new index"
                )
            return visible

    def _uploaded(self, folder: Path, pointer: Pointer | None, records: int, slots: int) -> Pointer:
        version = pointer.version + 1 if pointer else 1
        snapshot = self._means.snapshots.key(version, self._call)
        with self._timed("upload"):
            made = self._means.snapshots.upload(
                folder,
                snapshot,
                version=version,
                records=records,
                dimension=self._means.dimension,
                deltas=[delta.name for delta in self._tally.merged],
                slots=slots,
            )
        return Pointer(version, snapshot, records, made.sha256, stamp(self._now()))

    def _note(self, outcome: str, version: int | None) -> None:
        tally = self._tally
        call = {
            "call": self._call,
            "at": stamp(self._now()),
            "outcome": outcome,
            "version": version,
            "deltas": [delta.name for delta in tally.merged],
            "known": [delta.name for delta in tally.known],
            "unreadable": tally.unreadable,
            "rows": {
                "read": tally.rows,
                "applied": tally.applied,
                "overtaken": tally.overtaken,
                "bad": tally.bad_count,
                "notes": tally.note_count,
            },
            "bad": tally.bad,
            "notes": tally.notes,
            "seconds": {step: round(seconds, 3) for step, seconds in tally.seconds.items()},
        }
        self._means.records.write(self._collection, self._job, call)

    def _told(self, version: int | None, left: int, aside: int) -> str:
        tally = self._tally
        parts = [f"{len(tally.merged)} deltas merged into version {version or 'none'}, {tally.applied} rows applied"]
        parts += [
            f"{number} {what}"
            for number, what in ((tally.bad_count, "bad rows"), (aside, "deltas set aside"))
            if number
        ]
        if left:
            parts.append("others are left")
        return "; ".join(parts)

    @contextmanager
    def _timed(self, step: str) -> Iterator[Callable[[], float]]:
        """Count a step's time; gives what it took, to be asked afterwards."""
        began = self._means.clock.monotonic()
        took = 0.0
        try:
            yield lambda: took
        finally:
            took = self._means.clock.monotonic() - began
            self._tally.seconds[step] = self._tally.seconds.get(step, 0.0) + took

    def _now(self) -> datetime:
        return utc_now(self._means.clock)


def _answer(status: str, version: int | None, deltas: int, text: str) -> dict[str, Any]:
    return {"status": status, "version": version, "deltas": deltas, "text": text}


def is_worn(slots: int, visible: int) -> bool:
    """Whether an index with this many places, for this many living records, is to be made new."""
    return slots - visible > max(DEAD_MIN, DEAD_SHARE_MAX * visible)


def asked(event: Mapping[str, Any]) -> tuple[str, str]:
    """The collection and the job of an event. Raises EventInvalid."""
    collection, job = collection_in(event), event.get("job")
    if not isinstance(job, str) or not JOB.fullmatch(job):
        raise EventInvalid(f"job is {ascii(job)[:80]}; allowed: a name of the form {JOB.pattern}")
    return collection, job


def means_for(collection: str, clock: Clock) -> Means:
    """What Terraform's environment variables describe."""
    return Means(
        assembly.deltas(collection),
        assembly.snapshots(collection),
        assembly.pointers(),
        assembly.run_records(),
        assembly.dimension(),
        clock,
        lambda: uuid.uuid4().hex[:8],
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    clock = SystemClock()
    collection, job = asked(event)
    compaction = Compaction(collection, job, means_for(collection, clock))
    answer = compaction.go(stop_at=stop_at(context, clock))
    if measured := compaction.measured():
        publish(measured, collection=collection)
    return answer
