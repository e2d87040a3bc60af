"""One collection's bucket, table and Chroma, and what works on them: a compaction, a reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from itertools import count
from typing import Any

from tests.fakes.clock import FakeClock
from tests.fakes.dynamodb import FakeDynamoDB, Table
from tests.fakes.histories import Event
from tests.fakes.s3 import FakeS3
from vector_store.changes import Change, VectorRow
from vector_store.compact import COMPLETE, Compaction, Means
from vector_store.deltas import ASIDE_INDEX, INDEX, Delta, Deltas
from vector_store.places import LINES
from vector_store.pointer import Pointer, Pointers
from vector_store.run_records import RunRecords
from vector_store.snapshots import Snapshots
from vector_store.store import Store, contents, open_snapshot

BUCKET, TABLE, COLLECTION, DIMENSION = "store", "vector-store", LINES, 2
CALL_SECONDS = 900.0
CALLS_MAX = 20
"""Calls of a job: whoever is not done then never will be."""


def unguarded(client: Any) -> Any:
    return client


class World:
    """Time stands still while something works."""

    def __init__(self) -> None:
        self.s3 = FakeS3(BUCKET)
        self.dynamodb = FakeDynamoDB(
            vector_store=Table("id", {INDEX: ("pending", "since"), ASIDE_INDEX: ("aside", "since")})
        )
        self.clock = FakeClock()
        self._numbers = count(1)

    def twin(self) -> World:
        """Another with the same objects and items."""
        twin = copy(self)
        twin.s3, twin.dynamodb, twin.clock = self.s3.twin(), self.dynamodb.twin(), FakeClock(self.clock.now)
        twin._numbers = count(1000 + next(self._numbers))
        return twin

    def tell(self, *events: Event) -> list[Delta]:
        """Register the events as deltas: the changes as one, the vectors as another."""
        told: list[Delta] = []
        changes = [it for it in events if isinstance(it, Change)]
        if changes:
            told.append(self.deltas().write(f"changes-{next(self._numbers)}", changes))
        if vectors := [it for it in events if isinstance(it, VectorRow)]:
            told.append(self._embedded(f"run-{next(self._numbers)}", vectors))
        for delta in told:
            self.clock.now += 1
            self.deltas().register(delta, self.now())
        return told

    def compact(
        self, job: str = "job", *, guard: Callable[[Any], Any] = unguarded, seconds: float = CALL_SECONDS
    ) -> dict[str, Any]:
        """One call's answer, which has so many seconds."""
        return self.compaction(job, guard=guard).go(stop_at=self.clock.monotonic() + seconds)

    def compaction(self, job: str = "job", *, guard: Callable[[Any], Any] = unguarded) -> Compaction:
        """A call that has not begun. Its clients are guarded by whatever a test wants."""
        s3, dynamodb = guard(self.s3), guard(self.dynamodb)
        means = Means(
            Deltas(dynamodb, s3, table=TABLE, bucket=BUCKET, collection=COLLECTION),
            Snapshots(s3, BUCKET, COLLECTION),
            Pointers(dynamodb, TABLE),
            RunRecords(s3, BUCKET),
            DIMENSION,
            self.clock,
            lambda: f"call{next(self._numbers)}",
        )
        return Compaction(COLLECTION, job, means)

    def finish(self, job: str = "job") -> list[dict[str, Any]]:
        """Call until the job is complete; all answers."""
        answers = [self.compact(job)]
        while answers[-1]["status"] != COMPLETE:
            assert len(answers) < CALLS_MAX, answers
            answers.append(self.compact(job))
        return answers

    def pointer(self) -> Pointer | None:
        return Pointers(self.dynamodb, TABLE).read(COLLECTION)

    @contextmanager
    def reader(self) -> Iterator[Store]:
        """The published store, as a reader opens it."""
        pointer = self.pointer()
        assert pointer is not None
        with open_snapshot(self.snapshots(), pointer, COLLECTION) as store:
            yield store

    def contents(self) -> str:
        """What a reader finds; empty before the first snapshot."""
        if self.pointer() is None:
            return ""
        with self.reader() as store:
            return contents(store)

    def pending(self) -> list[str]:
        return [delta.name for delta in self.deltas().pending()]

    def record(self, job: str = "job") -> list[dict[str, Any]]:
        """What the job's record says of its calls."""
        calls: list[dict[str, Any]] = json.loads(self.s3[f"{BUCKET}/runs/{COLLECTION}/{job}.json"])["calls"]
        return calls

    def item(self, delta: Delta) -> dict[str, Any]:
        return self.dynamodb.tables[TABLE].items[f"delta/{COLLECTION}/{delta.name}"]

    def deltas(self) -> Deltas:
        return self.deltas_of(COLLECTION)

    def deltas_of(self, collection: str) -> Deltas:
        return Deltas(self.dynamodb, self.s3, table=TABLE, bucket=BUCKET, collection=collection)

    def snapshots(self) -> Snapshots:
        return Snapshots(self.s3, BUCKET, COLLECTION)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall(), UTC)

    def _embedded(self, run: str, rows: Iterable[VectorRow]) -> Delta:
        """As the embedding worker leaves it: one part, and `done.json`."""
        rows = list(rows)
        delta = self.deltas().vectors(run, len(rows), max(row.at for row in rows))
        lines = (json.dumps({"id": row.id, "at": row.at, "text": row.text}) for row in rows)
        files = {
            "00000.ndjson": "".join(f"{line}\n" for line in lines).encode(),
            "00000.f32": b"".join(row.vector for row in rows),
        }
        done = {"parts": 1, "records": len(rows), "dimension": DIMENSION, "model": "titan"}
        files["done.json"] = json.dumps(done).encode()
        for name, body in files.items():
            self.s3.put_object(Bucket=BUCKET, Key=delta.key + name, Body=body)
        return delta
