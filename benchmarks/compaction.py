"""10,000 updates of a store of 70,000 words with embeddings of 384 numbers: note 001's two designs, and ours.

* its FIFO design: 1,000 invocations of 10 messages, of which a few are measured, and their mean stands for all;
* its standard design: 20 invocations of 500, of which a few are measured, likewise;
* ours: one call of the compaction, which finds 20 deltas of 500 changes. A few are measured whole, each of other
  updates, and their mean counts. It fetches, merges, updates Chroma, checks, packs, publishes, and writes its record.

All begin with the same Chroma folder, and an update is a new status of a word's label. Fetching and publishing copy
files of this machine, which is faster than S3 and counts for all alike; ours moves the merged state besides. The sides
take turns, so that other work on the machine slows each. Each update of the standard design ends in syncs of the disk
and ours has a few in all, so their ratio is as large as a sync is slow: what one costs here is told with it.

The cost is modelled: what an invocation took here, at the note's memory of 10,240 MB, and the requests that go with it,
at list prices (`usage.py`). S3's own time is not in it, as it is in the note's numbers, which stand beside it. What all
designs share is left out: the stream, its router and the sending of messages.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from benchmarks import usage
from benchmarks.figure import Figure
from benchmarks.note_designs import FIFO_BATCH, STANDARD_BATCH, NoteStore
from benchmarks.receipt_words import relabelled
from benchmarks.usage import Resource
from benchmarks.word_store import COLLECTION, WordStore, word_store
from vector_store.changes import Change
from vector_store.store import CHROMA

UPDATES = 10_000
ROUNDS = 3
FIFO_A_ROUND, STANDARD_A_ROUND = 7, 1
"""Invocations of the note's designs that are measured before the next run of ours."""

COMMITS = 200

TIMES_FIFO, TIMES_STANDARD = 180.0, 40.0
NOTE_DOLLARS_FIFO, NOTE_DOLLARS_STANDARD = 20.0, 0.40
"""What note 001 says that 10,000 updates cost."""

LAMBDA_GIGABYTES = 10.0
SNAPSHOT_OBJECTS = 6
"""Files of a Chroma folder; ours has an archive and a manifest."""
MESSAGES_A_REQUEST = 10
"""SQS: of a batch that is received or deleted, however many of them Lambda hands to one invocation."""
TRANSITIONS_A_REQUEST, TRANSITIONS_A_RUN = 12, 30
"""Of the state machine: of an execution that finds another at work, and of one that compacts. Upper bounds."""
WRITES_A_DELTA, WRITES_A_REQUEST, WRITES_A_RUN = 4, 3, 10
"""Units of the tables: registering a delta and marking it done, each in the table and its index; registering a request
and trying to acquire; the owner's other writes, and the pointer."""
READS_A_RUN, OBJECTS_A_RUN = 20, 50
"""Reads of the tables, and parts and other objects of the bucket, beside one of each delta. Upper bounds."""
WRITER_GIGABYTE_SECONDS = 0.5
"""A delta writer's second of 512 MB: more than an invocation takes."""


class Side(NamedTuple):
    """One design: its invocations that were measured, in seconds, of so many that it needs for all updates."""

    measured: Sequence[float]
    needed: int

    @property
    def seconds(self) -> float:
        """For all updates."""
        return fmean(self.measured) * self.needed


class Measured(NamedTuple):
    """The three sides, the seconds of each step of ours, and those of a commit that is on the disk."""

    fifo: Side
    standard: Side
    ours: Side
    steps: Mapping[str, float]
    commit: float


def run() -> list[Figure]:
    """Let the sides take turns, on one store."""
    store = word_store()
    with tempfile.TemporaryDirectory(prefix="millrace-note-") as place:
        return list(figures_of(measure(store, Path(place), UPDATES, ROUNDS)))


def measure(store: WordStore, work: Path, updates: int, rounds: int) -> Measured:
    """Measure all sides in every round. Each round has updates of its own, the same for all sides."""
    begun = [NoteStore(store.s3, COLLECTION, work / name) for name in ("fifo", "standard")]
    folder = store.fetch("for-the-note") / CHROMA
    for note in begun:
        note.publish(folder)
    fifo, standard = begun
    seconds: tuple[list[float], list[float], list[float]] = ([], [], [])
    steps: list[Mapping[str, float]] = []
    for turn in range(rounds):
        changes = relabelled(store.words, updates, status=f"REVIEWED-{turn}", turn=turn)
        seconds[0].extend(_invocations(fifo, changes, FIFO_BATCH, FIFO_A_ROUND))
        seconds[1].extend(_invocations(standard, changes, STANDARD_BATCH, STANDARD_A_ROUND))
        store.wait_for_compaction(changes, STANDARD_BATCH)
        began = time.perf_counter()
        steps.append(store.compact(f"turn-{turn}")["seconds"])
        seconds[2].append(time.perf_counter() - began)
    return Measured(
        Side(seconds[0], updates // FIFO_BATCH),
        Side(seconds[1], updates // STANDARD_BATCH),
        Side(seconds[2], 1),
        {step: fmean(each[step] for each in steps) for step in steps[0]},
        commit_seconds(work / "commits"),
    )


def commit_seconds(database: Path) -> float:
    """What a commit of one row costs, by SQLite's own settings, in a new database."""
    with closing(sqlite3.connect(database, isolation_level=None)) as opened:
        opened.execute("CREATE TABLE row (number INTEGER)")
        began = time.perf_counter()
        for number in range(COMMITS):
            opened.execute("INSERT INTO row VALUES (?)", (number,))
        return (time.perf_counter() - began) / COMMITS


def figures_of(measured: Measured) -> Iterator[Figure]:
    """Seconds, ratios and modelled cost of the three sides."""
    fifo, standard, ours = measured.fifo, measured.standard, measured.ours
    sides = {
        f"note 001's FIFO design, {len(fifo.measured)} of {fifo.needed:,} invocations, scaled": fifo,
        f"note 001's standard design, {len(standard.measured)} of {standard.needed} invocations, scaled": standard,
        f"ours, mean of {len(ours.measured)} whole runs": ours,
    }
    name = f"compaction, {UPDATES:,} updates"
    for told, side in sides.items():
        yield Figure(f"{name}: {told}", side.seconds, "s")
    yield Figure(f"{name}: the FIFO design over ours", fifo.seconds / ours.seconds, "x", TIMES_FIFO, "at least")
    yield Figure(
        f"{name}: the standard design over ours", standard.seconds / ours.seconds, "x", TIMES_STANDARD, "at least"
    )
    yield Figure(f"{name}: a commit of one row, on this disk", measured.commit * 1_000, "ms")
    for step, seconds in measured.steps.items():
        yield Figure(f"{name}: of ours, {step}", seconds, "s")
    modelled = {
        "note 001's FIFO design": (used_by_note(fifo), NOTE_DOLLARS_FIFO),
        "note 001's standard design": (used_by_note(standard), NOTE_DOLLARS_STANDARD),
        "ours": (used_by_ours(ours, standard.needed), None),
    }
    for told, (used, in_note) in modelled.items():
        beside = f" (the note says {in_note:.2f})" if in_note else ""
        yield Figure(f"{name}: modelled cost, {told}{beside}", sum(usage.costs(used).values()), "USD")


def used_by_note(side: Side) -> dict[Resource, float]:
    """What 10,000 updates use by one of the note's designs."""
    return {
        Resource.INVOCATIONS: side.needed,
        Resource.GIGABYTE_SECONDS: side.seconds * LAMBDA_GIGABYTES,
        Resource.QUEUE_REQUESTS: 2 * UPDATES / MESSAGES_A_REQUEST,
        Resource.STORE_READS: side.needed * SNAPSHOT_OBJECTS,
        Resource.STORE_WRITES: side.needed * SNAPSHOT_OBJECTS,
    }


def used_by_ours(side: Side, deltas: int) -> dict[Resource, float]:
    """What they use by ours, if each of the deltas was written by an invocation of its own and asked for a compaction,
    and one execution made one for all."""
    return {
        Resource.INVOCATIONS: deltas + 1,
        Resource.GIGABYTE_SECONDS: side.seconds * LAMBDA_GIGABYTES + deltas * WRITER_GIGABYTE_SECONDS,
        Resource.QUEUE_REQUESTS: 2 * UPDATES / MESSAGES_A_REQUEST,
        Resource.TRANSITIONS: deltas * TRANSITIONS_A_REQUEST + TRANSITIONS_A_RUN,
        Resource.TABLE_WRITES: deltas * (WRITES_A_DELTA + WRITES_A_REQUEST) + WRITES_A_RUN,
        Resource.TABLE_READS: deltas + READS_A_RUN,
        Resource.STORE_READS: deltas + OBJECTS_A_RUN,
        Resource.STORE_WRITES: deltas + OBJECTS_A_RUN,
    }


def _invocations(note: NoteStore, changes: Sequence[Change], batch: int, number: int) -> list[float]:
    return [note.invoke(changes[begin : begin + batch]) for begin in range(0, number * batch, batch)]
