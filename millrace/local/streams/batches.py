"""What becomes of a batch of records that a function got: pure decisions.

The order of a stream is kept: of what a batch is cut into, nothing is tried before all in front of it is done or given
up.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from millrace.local import batch_answers
from millrace.local.event_source_mappings import BATCH_BYTES, Record
from millrace.local.streams.mappings import Settings

WRAPPING_BYTES, MOST_GROWTH = 1000, 20
"""More than a record's JSON has beside its attributes, and than it has for each byte of them: what is far below the
limit by these is not measured.
"""


@dataclass(frozen=True)
class Batch:
    """Records that are tried together. `tries` is how often just these have been tried, and failed."""

    records: tuple[Record, ...]
    tries: int = 0


def fitting(records: Sequence[Record]) -> int:
    """How many of the records, from the first on, make one event; the first always does."""
    if sum(WRAPPING_BYTES + MOST_GROWTH * record["dynamodb"]["SizeBytes"] for record in records) < BATCH_BYTES:
        return len(records)
    sizes = (len(json.dumps(record, separators=(",", ":")).encode()) + 1 for record in records)
    return sum(1 for at, total in enumerate(itertools.accumulate(sizes)) if at == 0 or total <= BATCH_BYTES)


def failed_at(outcome: dict[str, Any], records: Sequence[Record], settings: Settings) -> int | None:
    """Where in the batch the function failed, by MiniStack's outcome: at 0 the whole batch did; None if nothing did.

    Of the sequence numbers that it reports the lowest counts (developer guide, "Configuring partial batch response").
    """
    if outcome.get("error"):
        return 0
    if not settings.reports:
        return None
    numbers = [number_of(record) for record in records]
    failed = batch_answers.failed(outcome.get("body"), numbers)
    return min((numbers.index(number) for number in failed), default=None)


def after_failure(batch: Batch, failed: int, settings: Settings) -> list[Batch]:
    """What is tried next of a batch that failed at this record; nothing where it is given up.

    What was done in front of the failure is left out, which makes another batch. A batch that fails from its first
    record on is cut in halves where the mapping bisects. Only a batch that is tried again as it is counts as a retry.
    """
    records = batch.records
    if failed:
        return [Batch(records[failed:])]
    if settings.bisects and len(records) > 1:
        half = (len(records) + 1) // 2
        return [Batch(records[:half]), Batch(records[half:])]
    if settings.retries is not None and batch.tries >= settings.retries:
        return []
    return [Batch(records, batch.tries + 1)]


def too_old(batch: Batch, now: float, settings: Settings) -> int:
    """How many records of the batch, from the first on, are older than the mapping allows."""
    if settings.age is None:
        return 0
    oldest = now - settings.age
    return sum(1 for _ in itertools.takewhile(lambda record: arrival_of(record) < oldest, batch.records))


def pause(batch: Batch, first_seconds: float, most_seconds: float) -> float:
    """Seconds before the batch is tried: twice as long after each failure."""
    return min(first_seconds * 2.0 ** min(batch.tries - 1, 30), most_seconds) if batch.tries else 0.0


def number_of(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def arrival_of(record: Record) -> float:
    """Seconds since 1970."""
    return float(record["dynamodb"]["ApproximateCreationDateTime"])
