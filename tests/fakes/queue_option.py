"""ProcessBatches of the queue option on the fakes: the producer, the queues, the three workers and the counter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import boto3
from moto import mock_aws

from kendra_ingestion import dead_letter_worker, del_worker, producer, put_worker, task_token, working
from kendra_ingestion.account import Account
from kendra_ingestion.calling import Means
from kendra_ingestion.documents import Action, Document, JobKey
from kendra_ingestion.inbox import Inbox
from kendra_ingestion.kendra import KendraSink
from kendra_ingestion.messages import Message
from kendra_ingestion.outbox import Outbox
from kendra_ingestion.outcomes import Outcome, from_lines
from kendra_ingestion.pacing import Pacer
from kendra_ingestion.progress import Progress
from kendra_ingestion.workspace import Workspace
from shared.backoff import Backoff
from tests.fakes.clock import FakeClock
from tests.fakes.crash import Fuse
from tests.fakes.kendra import FakeKendra
from tests.fakes.pipeline import INDEX_ID, INGESTION, REPORTS, ROLE_ARN
from tests.fakes.pool import InlinePool
from tests.fakes.sqs import FakeQueue, FakeSqs
from tests.fakes.stepfunctions import FakeStepFunctions

FOR_EVER = float("inf")
HOLD_SECONDS = 130
URL: dict[Action, str] = {"put": "put.fifo", "delete": "del.fifo"}
DEAD_URL: dict[Action, str] = {"put": "put-dead.fifo", "delete": "del-dead.fifo"}
ASIDE_URL = "dead-letters"
TABLES = (f"progress-{number}" for number in count())


@contextmanager
def dynamodb() -> Iterator[Any]:
    """A DynamoDB client whose expressions are really evaluated."""
    with mock_aws():
        yield boto3.client(
            "dynamodb", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )


def progress_table(client: Any) -> str:
    """Make an empty progress table, keyed as Terraform keys it, and return its name."""
    table = next(TABLES)
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "job", "KeyType": "HASH"}, {"AttributeName": "part", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("job", "part")],
    )
    return table


class QueueOption:
    """One deployment. Jobs are planned by `plan`, straight into the work area; every client may be guarded by `fuse`.
    Each step is one invocation of one function."""

    def __init__(self, client: Any, store: Any, *, fuse: Fuse | None = None, shards: int = 1) -> None:
        guard = (fuse or Fuse()).guard
        self.clock = FakeClock()
        self.store = store
        self._client = client
        self.index = FakeKendra(self.clock)
        self.machine = FakeStepFunctions()
        self.queues = FakeSqs(self.clock)
        self.table = progress_table(client)
        self.shards: dict[Action, int] = {"put": shards, "delete": shards}
        self.marked: list[str] = []
        self.pauses: list[float] = []
        self.random = lambda: 1.0
        self.s3, self.kendra, self.dynamodb = guard(store), guard(self.index), guard(client)
        self.sqs, self.stepfunctions = guard(self.queues), guard(self.machine)
        for action in URL:
            queue = self.queues.queue(URL[action])
            queue.dead_letters = self.queues.queues.setdefault(DEAD_URL[action], FakeQueue())

    def plan(self, job: JobKey, chunks: list[tuple[Action, list[list[str]]]]) -> list[str]:
        """Give a job a plan of these chunks, each of requests of document ids, put the documents to put into the
        folder, and return all ids."""
        workspace = Workspace(self.store, REPORTS, **job._asdict())
        for number, (action, requests) in enumerate(chunks):
            documents = [[self._document(action, name) for name in request] for request in requests]
            workspace.save_chunk({"chunk": number, "action": action, "requests": documents})
        sizes = [sum(map(len, requests)) for _, requests in chunks]
        workspace.publish_plan(
            {"attempt": job.attempt, "passes": 1, "planned": sum(sizes), "failed": 0, "unchanged": 0, "chunks": sizes}
        )
        return [name for _, requests in chunks for request in requests for name in request]

    def write_metadata(self, document_id: str, **fields: Any) -> None:
        """Give a document other metadata than it was planned with."""
        self.store[f"{INGESTION}/day/batches/{document_id}.json.metadata.json"] = json.dumps(
            {"DocumentId": document_id} | fields
        ).encode()

    def stop(self, job: JobKey) -> None:
        """Ask an attempt to stop, as a person does."""
        self.store[f"{REPORTS}/_work/{job.job_id}/{job.run}/stop-{job.attempt}.json"] = b"{}"

    def wait_with(self, token: str) -> str:
        """ProcessBatches hands out a token and waits."""
        self.machine.waiting.add(token)
        return token

    def produce(self, job: JobKey, token: str, *, stop_at: float = FOR_EVER) -> None:
        producer.produce(
            job,
            bucket=INGESTION,
            token=token,
            account=self.account(job),
            outboxes={
                action: Outbox(self.sqs, url, clock=self.clock, random=self.random) for action, url in URL.items()
            },
            shards=self.shards,
            pool=InlinePool(),
            clock=self.clock,
            stop_at=stop_at,
        )

    def put_worker(self, event: dict[str, Any], *, stop_at: float = FOR_EVER) -> dict[str, Any]:
        return self._work("put", event, stop_at)

    def del_worker(self, event: dict[str, Any], *, stop_at: float = FOR_EVER) -> dict[str, Any]:
        return self._work("delete", event, stop_at)

    def dead_letter_worker(self, event: dict[str, Any]) -> dict[str, Any]:
        return dead_letter_worker.work(
            event,
            inbox=Inbox(self.sqs, actions=("put", "delete"), dead_letter_queue_url=ASIDE_URL),
            account_of=lambda message: self.account(message.job),
            pool=InlinePool(),
        )

    def drain(self) -> None:
        """Let the workers empty all queues."""
        self.queues.drain(URL["put"], self.put_worker)
        self.queues.drain(URL["delete"], self.del_worker)
        for url in DEAD_URL.values():
            self.queues.drain(url, self.dead_letter_worker)

    def outcomes(self, job: JobKey, chunk: int = 0) -> dict[str, str]:
        """What sending said, as the outcome or the error's code, by document id."""
        found = {item.document_id: item for item in self.sends(job, chunk)}
        return {name: item.error_code or item.outcome for name, item in found.items()}

    def sends(self, job: JobKey, chunk: int = 0) -> list[Outcome]:
        """Every outcome that was written of a chunk's documents."""
        prefix = f"_work/{job.job_id}/{job.run}/outcomes/{chunk:05}/send-"
        return [item for _, body in self.store.contents(REPORTS, prefix) for item in from_lines(body)]

    def counter(self, job: JobKey) -> dict[str, Any]:
        """The counter's item, as plain values."""
        key = {"job": {"S": f"{job.job_id}/{job.run}"}, "part": {"S": "counter"}}
        item = self._client.get_item(TableName=self.table, Key=key).get("Item", {})
        return {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}

    def counted(self, job: JobKey) -> set[tuple[int, int]]:
        """The messages that were counted."""
        clock, random = self.clock, self.random
        return Progress(self._client, self.table, **job._asdict(), clock=clock, random=random).counted()

    def workspace(self, job: JobKey) -> Workspace:
        return Workspace(self.s3, REPORTS, **job._asdict())

    def progress(self, job: JobKey) -> Progress:
        return Progress(self.dynamodb, self.table, **job._asdict(), clock=self.clock, random=self.random)

    def account(self, job: JobKey) -> Account:
        return Account(
            self.workspace(job), self.progress(job), lambda token: task_token.answer(self.stepfunctions, token)
        )

    def _work(self, action: Action, event: dict[str, Any], stop_at: float) -> dict[str, Any]:
        preparation = put_worker.preparation if action == "put" else del_worker.preparation

        def job_of(message: Message) -> working.Job:
            return working.Job(
                self.account(message.job),
                KendraSink(self.kendra, index_id=INDEX_ID, role_arn=ROLE_ARN, bucket=INGESTION),
                lambda documents: self.marked.extend(item["documentId"] for item in documents),
                preparation(InlinePool(), self.s3),
            )

        return working.work_off(
            event,
            inbox=Inbox(self.sqs, actions=(action,), dead_letter_queue_url=ASIDE_URL),
            queue_url=URL[action],
            job_of=job_of,
            means=Means(Pacer(1000.0), self.clock, InlinePool(), self.random, Backoff(attempts=3)),
            stop_at=stop_at,
            hold_seconds=HOLD_SECONDS,
        )

    def _document(self, action: Action, document_id: str) -> Document:
        if action == "delete":
            return {"documentId": document_id}
        key = f"day/batches/{document_id}.json"
        self.store[f"{INGESTION}/{key}"] = b"{}"
        self.write_metadata(document_id)
        return {
            "documentId": document_id,
            "key": key,
            "contentType": "JSON",
            "attributes": {},
            "accessControlList": [],
            "size": 2,
            "digest": f"digest of {document_id}",
        }
