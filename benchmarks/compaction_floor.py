"""One whole run of the compaction, 10,000 updates in 70,000 words, over the bare SQLite rewrite of the same metadata.

The rewrite is what any change of these words' metadata costs in Chroma's own database at the least: in one transaction,
by SQLite alone, the rows of each word's metadata are read, deleted and inserted again with the new status. It fetches
and publishes nothing, checks nothing, and knows no order of changes; Chroma would not know of it. Beside it stands what
SQLite takes to write nothing but the one value that differs. The best of a few runs counts for each, because other work
on the machine can only slow it down.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.compaction import UPDATES
from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.note_designs import STANDARD_BATCH
from benchmarks.receipt_words import LABEL, relabelled
from benchmarks.word_store import WordStore, word_store
from vector_store.changes import Change
from vector_store.chroma_store import DATABASE
from vector_store.store import CHROMA

RUNS = 3
FIRST_TURN = 100
"""Later than the turns of the other benchmark of the same store."""
TIMES_THE_REWRITE = 10.0

SEGMENT = "SELECT id FROM segments WHERE scope = 'METADATA'"
ROW = "SELECT id FROM embeddings WHERE segment_id = ? AND embedding_id = ?"
COLUMNS = "id, key, string_value, int_value, float_value, bool_value"

Write = Callable[[sqlite3.Connection, str, Sequence[Change]], None]


class Measured(NamedTuple):
    """Seconds of a whole run of ours, of the rewrite, and of writing one value a word."""

    ours: float
    rewrite: float
    one_value: float


def run() -> list[Figure]:
    """Measure each a few times, by turns."""
    store = word_store()
    measured = [measure(store, UPDATES, turn) for turn in range(FIRST_TURN, FIRST_TURN + RUNS)]
    return figures_of(Measured(*map(min, zip(*measured, strict=True))))


def figures_of(measured: Measured) -> list[Figure]:
    """The ratio with its bar, and the seconds."""
    name = f"compaction floor, {UPDATES:,} updates"
    return [
        Figure(f"{name}: a whole run over SQLite's rewrite", measured.ours / measured.rewrite, "x", TIMES_THE_REWRITE),
        Figure(f"{name}: a whole run", measured.ours, "s"),
        Figure(f"{name}: SQLite's rewrite of these words' metadata", measured.rewrite, "s"),
        Figure(f"{name}: SQLite's writing of the one value that differs", measured.one_value, "s"),
    ]


def measure(store: WordStore, updates: int, turn: int) -> Measured:
    """One turn, on the store as the turn before left it."""
    changes = relabelled(store.words, updates, status=f"REVIEWED-{turn}", turn=turn)
    folder = store.fetch(f"floor-{turn}")
    database = folder / CHROMA / DATABASE
    one_value = seconds(shutil.copyfile(database, folder / "one-value.sqlite3"), changes, write_value)
    rewrite = seconds(database, changes, rewrite_all)
    shutil.rmtree(folder)
    store.wait_for_compaction(changes, STANDARD_BATCH)
    began = time.perf_counter()
    store.compact(f"floor-{turn}")
    return Measured(time.perf_counter() - began, rewrite, one_value)


def seconds(path: Path, changes: Sequence[Change], write: Write) -> float:
    """What SQLite takes, from opening to closing. Raises BenchmarkFailed where it did not write all."""
    began = time.perf_counter()
    with closing(sqlite3.connect(path)) as database, database:
        ((segment,),) = database.execute(SEGMENT)
        write(database, segment, changes)
    took = time.perf_counter() - began
    with closing(sqlite3.connect(path)) as database:
        ((written,),) = database.execute(
            "SELECT count(*) FROM embedding_metadata WHERE key = ? AND string_value = ?", (LABEL, changes[0].set[LABEL])
        )
    if written != len(changes):
        raise BenchmarkFailed(f"SQLite wrote {written:,} of {len(changes):,} values")
    return took


def rewrite_all(database: sqlite3.Connection, segment: str, changes: Sequence[Change]) -> None:
    """Write every row of these words' metadata again."""
    for change in changes:
        ((row,),) = database.execute(ROW, (segment, change.owner))
        rows = database.execute(f"SELECT {COLUMNS} FROM embedding_metadata WHERE id = ?", (row,)).fetchall()
        kept = [each for each in rows if each[1] not in change.set]
        new = [(row, name, value, None, None, None) for name, value in change.set.items()]
        database.execute("DELETE FROM embedding_metadata WHERE id = ?", (row,))
        database.executemany(f"INSERT INTO embedding_metadata ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", kept + new)


def write_value(database: sqlite3.Connection, segment: str, changes: Sequence[Change]) -> None:
    """Write the one value of each word that differs."""
    database.executemany(
        f"INSERT OR REPLACE INTO embedding_metadata ({COLUMNS}) VALUES (({ROW}), ?, ?, NULL, NULL, NULL)",
        [(segment, change.owner, LABEL, change.set[LABEL]) for change in changes],
    )
