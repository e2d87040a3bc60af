"""A job on the fakes, run in the order in which the state machine runs it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from kendra_ingestion import (
    aggregate_failures,
    archive_manifest,
    list_batches,
    load_manifest,
    process_batch,
    verify,
)
from kendra_ingestion.calling import Means
from kendra_ingestion.documents import Document, JobKey
from kendra_ingestion.folder import Folder
from kendra_ingestion.kendra import KendraSink
from kendra_ingestion.ledger import Entry
from kendra_ingestion.outcomes import Outcome
from kendra_ingestion.pacing import Pacer
from kendra_ingestion.packing import KENDRA_LIMITS
from kendra_ingestion.planning import FULL
from kendra_ingestion.workspace import Workspace
from shared.backoff import Backoff
from tests.fakes.clock import FakeClock
from tests.fakes.kendra import FakeKendra
from tests.fakes.ledger import FakeLedger
from tests.fakes.pool import InlinePool
from tests.fakes.s3 import FakeS3

INGESTION, REPORTS = "ingestion", "reports"
INDEX_ID = "01234567-0123-0123-0123-0123456789ab"
ROLE_ARN = "arn:aws:iam::123456789012:role/millrace-kendra-reader"
FOR_EVER = float("inf")


class Pipeline:
    """One job under `prefix`. Each step is one invocation of one function; `s3` and `kendra` may be replaced
    by guarded ones between the steps."""

    def __init__(self, *, prefix: str = "team/day", job_id: str = "job-1", attempt: str = "attempt-1") -> None:
        self.prefix, self.job_id, self.attempt = prefix, job_id, attempt
        self.run, self.mode = "run-1", FULL
        self.retry_of: str | None = None
        self.clock = FakeClock()
        self.s3: Any = FakeS3(INGESTION, REPORTS)
        self.kendra: Any = FakeKendra(self.clock)
        self.store: FakeS3 = self.s3
        self.index: FakeKendra = self.kendra
        self.entries: dict[str, Entry] = {}
        self.marked: list[str] = []
        self.settled: list[Outcome] = []

    def add(
        self,
        name: str,
        document_id: str | None = None,
        *,
        body: bytes = b"{}",
        size: int | None = None,
        **fields: Any,
    ) -> str:
        """Put a pair into the folder and return the document's key."""
        key = f"{self.prefix}/batches/{name}"
        self.store[f"{INGESTION}/{key}"] = body if size is None else b" " * size
        metadata = ({"DocumentId": document_id} if document_id else {}) | fields
        self.store[f"{INGESTION}/{key}.metadata.json"] = json.dumps(metadata).encode()
        return key

    def add_many(self, number: int) -> list[str]:
        """Put that many plain pairs into the folder and return their ids."""
        ids = [f"doc-{place:05}" for place in range(number)]
        for document_id in ids:
            self.add(f"{document_id}.json", document_id)
        return ids

    def upload_manifest(self, **fields: Any) -> None:
        """Put the manifest into the folder, last."""
        manifest = {"jobId": self.job_id, "prefix": self.prefix} | fields
        self.store[f"{INGESTION}/{self.prefix}/_control/manifest.json"] = json.dumps(manifest).encode()

    def load_manifest(self) -> dict[str, Any]:
        given = {"bucket": INGESTION, "key": f"{self.prefix}/_control/manifest.json", "sequencer": "00"}
        answer = load_manifest.load(
            given,
            self.attempt,
            ingestion_bucket=INGESTION,
            reports_bucket=REPORTS,
            s3=self.s3,
            now=self.clock.wall(),
        )
        self.run, self.mode, self.retry_of = answer["run"], answer["mode"], answer["retryOf"]
        return answer

    def stop(self) -> None:
        """Ask this attempt to stop, as a person does."""
        self.store[f"{REPORTS}/_work/{self.job_id}/{self.run}/stop-{self.attempt}.json"] = b"{}"

    def list_batches(self, cursor: int | None = None, *, stop_at: float = FOR_EVER) -> dict[str, Any]:
        return list_batches.plan(
            list_batches.Job(INGESTION, self.prefix, self.attempt, cursor or 0, self.mode, self.retry_of),
            list_batches.Means(
                folder=Folder(self.s3, INGESTION),
                workspace=self.workspace(),
                known=self.ledger().known,
                limits=KENDRA_LIMITS,
                pool=InlinePool(),
                clock=self.clock,
            ),
            stop_at=stop_at,
        )

    def process_batch(
        self, chunk: int, cursor: int | None = None, *, stop_at: float = FOR_EVER, rate: float = 10.0
    ) -> dict[str, Any]:
        return process_batch.process(
            chunk,
            cursor,
            sink=self.sink(),
            workspace=self.workspace(),
            means=self.means(rate),
            mark=self._mark,
            stop_at=stop_at,
        )

    def verify(self, turn: int, *, deadline: int = 600, stop_at: float = FOR_EVER) -> dict[str, Any]:
        return verify.verify(
            turn,
            deadline=deadline,
            sink=self.sink(),
            workspace=self.workspace(),
            means=self.means(10.0),
            stop_at=stop_at,
        )

    def aggregate_failures(self) -> dict[str, Any]:
        return aggregate_failures.aggregate(
            JobKey(self.job_id, self.run, self.attempt),
            "2025-10-05T12:00:00.000Z",
            workspace=self.workspace(),
            settle=self._settle,
            pool=InlinePool(),
            clock=self.clock,
        )

    def archive_manifest(self, manifest: dict[str, Any]) -> dict[str, str]:
        """`manifest` is LoadManifest's answer."""
        return archive_manifest.archive(
            manifest["key"],
            manifest["etag"],
            folder=Folder(self.s3, manifest["bucket"]),
            workspace=self.workspace(),
        )

    def run_all(self, *, deadline: int = 600) -> dict[str, Any]:
        """Every step to its end; returns AggregateFailures' answer."""
        self.load_manifest()
        for chunk in self.plan_all()["chunks"]:
            self.process_all(chunk)
        self.verify_all(deadline=deadline)
        return self.aggregate_failures()

    def plan_all(self) -> dict[str, Any]:
        answer = self.list_batches()
        while not answer["done"]:
            answer = self.list_batches(answer["cursor"])
        return answer

    def process_all(self, chunk: int) -> None:
        answer = self.process_batch(chunk)
        while not answer["done"]:
            answer = self.process_batch(chunk, answer["cursor"])

    def verify_all(self, *, deadline: int = 600) -> int:
        """Returns the number of turns."""
        answer = {"done": False, "turn": 0}
        while not answer["done"]:
            answer = self.verify(answer["turn"], deadline=deadline)
            self.clock.now += answer["waitSeconds"]
        return answer["turn"]

    def failures(self) -> dict[str, str]:
        """The report, as error code by document id."""
        return {row["documentId"]: row["errorCode"] for row in self.rows()}

    def rows(self) -> list[dict[str, str]]:
        """The report's rows."""
        text = self.store[f"{REPORTS}/_reports/{self.job_id}/failures.csv"].decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def workspace(self) -> Workspace:
        return Workspace(self.s3, REPORTS, job_id=self.job_id, run=self.run, attempt=self.attempt)

    def ledger(self) -> FakeLedger:
        return FakeLedger(self.entries, run=self.run)

    def _mark(self, documents: Sequence[Document]) -> None:
        self.marked += [document["documentId"] for document in documents]
        self.ledger().mark(documents)

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        self.settled += outcomes
        self.ledger().settle(outcomes)

    def sink(self) -> KendraSink:
        return KendraSink(self.kendra, index_id=INDEX_ID, role_arn=ROLE_ARN, bucket=INGESTION)

    def means(self, rate: float) -> Means:
        return Means(Pacer(rate), self.clock, InlinePool(), lambda: 1.0, Backoff())
