"""How much of what waits a call takes at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vector_store.deltas import Delta

ROWS_MAX = 10_000
"""Rows of one merge, unless a single delta has more: what is read is held in memory."""

SECONDS_A_ROW = 0.01
"""What a row costs at most until a call has measured its own: a new vector for a record takes Chroma 5 ms."""

PUBLISHING_SECONDS = 10.0
PUBLISHING_SHARE = 3.0
"""Checks and the upload take as long as this many downloads, and some seconds besides."""


class Pace(NamedTuple):
    """What a call has measured: how long its snapshot took to come, and for how many rows it has worked how long."""

    fetched_seconds: float = 0.0
    rows: int = 0
    seconds: float = 0.0

    @property
    def seconds_a_row(self) -> float:
        return 2 * self.seconds / self.rows if self.rows else SECONDS_A_ROW

    @property
    def publishing_seconds(self) -> float:
        return PUBLISHING_SECONDS + PUBLISHING_SHARE * self.fetched_seconds


def portion(waiting: Sequence[Delta], pace: Pace, *, seconds_left: float) -> list[Delta]:
    """The oldest deltas that can be merged and still be published. The first portion of a call has one delta at least,
    or none would ever be done; before anything is measured, it has a third of the time."""
    first = pace.rows == 0
    seconds = seconds_left / 3 if first else seconds_left - pace.publishing_seconds
    rows_max = min(ROWS_MAX, int(seconds / max(pace.seconds_a_row, 1e-9)))
    taken: list[Delta] = []
    rows = 0
    for delta in waiting:
        rows += delta.records
        if rows > rows_max and (taken or not first):
            break
        taken.append(delta)
    return taken
