"""A published store of 70,000 words with embeddings of 384 numbers, for the benchmarks of compaction.

It is made by the code that compaction is made of, and it takes minutes, so one run of benchmarks has one. The bucket is
a folder, and copying to and from it is as fast as this machine copies files; the table is moto's.
"""

from __future__ import annotations

import atexit
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import receipt_words
from benchmarks.figure import BenchmarkFailed
from benchmarks.folder_s3 import FolderS3
from benchmarks.tables import create_table
from shared.clock import SystemClock
from vector_store.changes import Change
from vector_store.compact import COMPLETE, Compaction, Means
from vector_store.deltas import INDEX, Deltas
from vector_store.pointer import Pointer, Pointers
from vector_store.run_records import RunRecords
from vector_store.snapshots import Snapshots
from vector_store.store import Store
from vector_store.telemetry import logger

COLLECTION = "words"
WORDS = 70_000
DIMENSION = 384
WORDS_A_MERGE = 10_000
LAMBDA_SECONDS = 870.0
"""Of the 900 that a call may take, those before its reserve."""
TABLE, BUCKET = "vector-store", "store"


class WordStore:
    """A bucket and a table with a published store of so many words. Everything of it lies in `place`."""

    def __init__(self, place: Path, dynamodb: Any, *, words: int, dimension: int) -> None:
        self.words = words
        self.s3 = FolderS3(place / "bucket")
        self.dynamodb = dynamodb
        self.deltas = Deltas(dynamodb, self.s3, table=TABLE, bucket=BUCKET, collection=COLLECTION)
        self.pointers = Pointers(dynamodb, TABLE)
        self.snapshots = Snapshots(self.s3, BUCKET, COLLECTION)
        self._place = place
        self._dimension = dimension
        create_table(dynamodb, TABLE, "id", {INDEX: ("pending", "since")})
        self._publish(place / "first")

    def pointer(self) -> Pointer:
        """What is published."""
        pointer = self.pointers.read(COLLECTION)
        assert pointer
        return pointer

    def fetch(self, name: str) -> Path:
        """The published store's folder, in a new folder of this name."""
        folder = self._place / name
        self.snapshots.download(self.pointer(), folder)
        return folder

    def wait_for_compaction(self, changes: Sequence[Change], changes_a_delta: int) -> None:
        """Register changes as deltas that are pending."""
        for begin in range(0, len(changes), changes_a_delta):
            part = changes[begin : begin + changes_a_delta]
            self.deltas.register(self.deltas.write(f"from-{part[0].at}", part), datetime.now(UTC))

    def compact(self, job: str) -> dict[str, Any]:
        """Bring all pending deltas into the store, by one call, as Lambda makes it. Gives what its record says of it;
        raises BenchmarkFailed where it left any."""
        clock = SystemClock()
        means = Means(
            self.deltas, self.snapshots, self.pointers, RunRecords(self.s3, BUCKET), self._dimension, clock, lambda: job
        )
        answer = Compaction(COLLECTION, job, means).go(stop_at=clock.monotonic() + LAMBDA_SECONDS)
        if answer["status"] != COMPLETE:
            raise BenchmarkFailed(f"the compaction left deltas: {answer['text']}")
        record = json.loads(
            self.s3.get_object(Bucket=BUCKET, Key=RunRecords(self.s3, BUCKET).key(COLLECTION, job))["Body"].read()
        )
        return record["calls"][-1]

    def _publish(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        births = receipt_words.births(self.words)
        vectors = receipt_words.vectors(self.words, self._dimension)
        with Store(folder, COLLECTION, create=True) as store:
            while changes := list(islice(births, WORDS_A_MERGE)):
                store.merge(changes, islice(vectors, WORDS_A_MERGE), datetime.now(UTC))
            store.merge([], vectors, datetime.now(UTC))
        snapshot = self.snapshots.key(1, "first")
        manifest = self.snapshots.upload(
            folder, snapshot, version=1, records=self.words, dimension=self._dimension, deltas=[], slots=self.words
        )
        first = Pointer(1, snapshot, self.words, manifest.sha256, datetime.now(UTC).isoformat())
        self.pointers.publish(COLLECTION, first, over=None)


@contextmanager
def dynamodb() -> Iterator[Any]:
    """A DynamoDB of this process's own, without tables."""
    import boto3
    from moto import mock_aws

    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


@cache
def word_store() -> WordStore:
    """The store of this run of benchmarks; it is gone at its end."""
    logger.setLevel("CRITICAL")
    held = ExitStack()
    atexit.register(held.close)
    place = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="millrace-vectors-")))
    return WordStore(place, held.enter_context(dynamodb()), words=WORDS, dimension=DIMENSION)
