"""10,000 changes merged into the state of 1,000,000 records, against copying its file.

The state is what lies beside Chroma in a snapshot: existence, fields and their times, and no vectors, because all
records are visible. Making it is not timed. Each merge runs in a process of its own on a copy: reading the changes from
their file's lines, opening the state, merging them in one transaction, closing it. The seconds are the best of a few
runs, because other work on the machine can only slow it down, and so are the copy's; the memory is the process's peak.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks import receipt_words
from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.process import peak_bytes
from vector_store.changes import parse_change
from vector_store.state import State

RECORDS = 1_000_000
CHANGES = 10_000
RUNS = 3
RECORDS_A_MERGE = 20_000
"""Of those that make the state: as many as a merge should have in memory."""
DIMENSION = 4
"""Of the vectors, of which the state keeps nothing but a digest."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)

MOST_SECONDS = 5.0
MOST_MEGABYTES = 256


class Merged(NamedTuple):
    """What one merge took; `applied` of its changes counted, and Chroma would be told `differences`."""

    seconds: float
    megabytes: float
    applied: int
    differences: int


def run() -> list[Figure]:
    """Make the state once, then merge into copies of it."""
    with tempfile.TemporaryDirectory(prefix="millrace-merge-") as folder:
        base, copy, changes = (Path(folder, name) for name in ("base.sqlite", "copy.sqlite", "changes.ndjson"))
        make(base, RECORDS)
        changes.write_bytes(receipt_words.lines(receipt_words.relabelled(RECORDS, CHANGES, status="VALID")))
        copies, merges = [], []
        for _ in range(RUNS):
            copies.append(_seconds(lambda: shutil.copyfile(base, copy)))
            merges.append(_in_a_process(copy, changes))
        return figures_of(merges, min(copies), base.stat().st_size)


def figures_of(merges: list[Merged], copy_seconds: float, bytes_: int) -> list[Figure]:
    """The best seconds, the most memory. Raises BenchmarkFailed where a change was lost."""
    for merged in merges:
        if (merged.applied, merged.differences) != (CHANGES, CHANGES):
            raise BenchmarkFailed(
                f"of {CHANGES:,} changes {merged.applied:,} counted, {merged.differences:,} would show"
            )
    name = f"merge {CHANGES:,} changes into {RECORDS:,} records"
    seconds = min(merged.seconds for merged in merges)
    return [
        Figure(f"{name}: from the changes' lines to the closed file", seconds, "s", MOST_SECONDS),
        Figure(f"{name}: peak memory", max(merged.megabytes for merged in merges), "MB", MOST_MEGABYTES),
        Figure(f"{name}: the state's file", bytes_ / 2**20, "MB"),
        Figure(f"{name}: copying that file", copy_seconds, "s"),
        Figure(f"{name}: merging over copying", seconds / copy_seconds, "x"),
    ]


def make(path: Path, records: int) -> None:
    """A state of so many visible records."""
    births, vectors = receipt_words.births(records), receipt_words.vectors(records, DIMENSION)
    with State.create(path) as state:
        while changes := list(islice(births, RECORDS_A_MERGE)):
            state.merge(changes, islice(vectors, RECORDS_A_MERGE), now=NOW, take_back=_ask_nobody)
        state.merge([], vectors, now=NOW, take_back=_ask_nobody)


def merge(path: Path, changes: Path) -> Merged:
    """Merge a file of changes, in this process."""
    began = time.perf_counter()
    read = map(parse_change, changes.read_bytes().splitlines())
    with State.open(path) as state:
        merged = state.merge(read, [], now=NOW, take_back=_ask_nobody)
    return Merged(time.perf_counter() - began, peak_bytes() / 2**20, merged.applied, len(merged.differences))


def _ask_nobody(hidden: Sequence[str]) -> Mapping[str, bytes]:
    """Records that are visible before and after have their vectors nowhere but in Chroma, which nobody asks."""
    raise AssertionError(f"{len(hidden)} records are hidden; no change was a death")


def _in_a_process(path: Path, changes: Path) -> Merged:
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.merge_million", path, changes], check=True, capture_output=True, text=True
    )
    return Merged(**json.loads(answer.stdout))


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(merge(*map(Path, sys.argv[1:]))._asdict()))
