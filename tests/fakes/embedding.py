"""What the embedding worker meets: the bucket, both tables, the queue and Bedrock, in memory; and both consumers."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from millrace.local.bedrock import titan
from millrace.local.emulated import ApiError
from tests.fakes.api_model import check_parameters, check_request
from tests.fakes.clock import FakeClock
from tests.fakes.crash import Fuse
from tests.fakes.dynamodb import FakeDynamoDB, Table
from tests.fakes.pool import InlinePool
from tests.fakes.s3 import FakeS3, client_error
from tests.fakes.sqs import FakeSqs
from vector_store.embed import Service
from vector_store.embed_files import Exports, Folder
from vector_store.embed_lambda import Consumer
from vector_store.embed_queue import Queue
from vector_store.embed_request import Request
from vector_store.embed_runs import Runs
from vector_store.embed_watch import Stop
from vector_store.embed_worker import Means, Worker
from vector_store.lease import Holder, Lease
from vector_store.places import vectors_prefix
from vector_store.titan import Rate, Titan

EXPORTS, STORE = "exports", "store"
RECEIPTS, VECTOR_STORE = "receipts", "vector-store"
QUEUE = "https://sqs/embed-ndjson.fifo"
DEAD_LETTERS = "https://sqs/embed-ndjson-dead-letters.fifo"
DIMENSION = 256
PART_RECORDS = 4
INVOCATION_SECONDS = 300


class FakeBedrock:
    """InvokeModel as the embedded AWS has it. `refused` texts get a ValidationException; `troubles` are raised by the
    next calls, None for one that goes well. `texts` are those that were embedded, in order."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.troubles: list[Exception | None] = []
        self.texts: list[str] = []
        self.calls = 0

    def invoke_model(self, **request: Any) -> dict[str, Any]:
        self.calls += 1
        check_parameters("bedrock-runtime", "InvokeModel", request)
        check_request("bedrock-runtime", "InvokeModel", request)
        if self.troubles and (trouble := self.troubles.pop(0)):
            raise trouble
        asked = json.loads(request["body"])
        if request["modelId"] != titan.MODEL:
            raise client_error("InvokeModel", "ValidationException", "The provided model identifier is invalid.")
        if asked["inputText"] in self.refused:
            raise client_error("InvokeModel", "ValidationException", "400 Bad Request: Too many input tokens.")
        try:
            answer = titan.embedded(asked)
        except ApiError as error:
            raise client_error("InvokeModel", error.code, error.message) from None
        self.texts.append(asked["inputText"])
        return {"contentType": "application/json", "body": io.BytesIO(json.dumps(answer).encode())}


class World:
    """Everything that outlives a process. Each of `invocation` and `service` is a process of its own; their calls go
    through a fuse."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.s3 = FakeS3(EXPORTS, STORE)
        self.dynamodb = FakeDynamoDB(receipts=Table("pk", range_key="sk"), vector_store=Table("id"))
        self.sqs = FakeSqs(self.clock)
        self.sqs.queue(QUEUE).visibility_seconds = 6 * INVOCATION_SECONDS
        self.bedrock = FakeBedrock()
        self._processes = 0

    def export(self, rows: Iterable[Any], receipt_id: str = "r1", run_id: str = "run1") -> Request:
        """Put an export into the bucket and its message into the queue. A row that is a text stands there as it is."""
        lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
        request = Request(receipt_id, run_id, EXPORTS, f"{run_id}.ndjson")
        self.s3[f"{EXPORTS}/{request.key}"] = "".join(f"{line}\n" for line in lines).encode()
        self.sqs.send_message_batch(
            QueueUrl=QUEUE,
            Entries=[
                {
                    "Id": "0",
                    "MessageBody": json.dumps(request._asdict()),
                    "MessageGroupId": receipt_id,
                    "MessageDeduplicationId": run_id,
                }
            ],
        )
        return request

    def worker(self, fuse: Fuse | None = None, *, per_second: float = 100.0) -> Worker:
        guard = (fuse or Fuse()).guard
        s3, dynamodb, bedrock = guard(self.s3), guard(self.dynamodb), guard(self.bedrock)
        means = Means(
            Exports(s3),
            lambda collection, run_id: Folder(s3, STORE, vectors_prefix(collection, run_id), dimension=DIMENSION),
            Runs(dynamodb, RECEIPTS),
            Titan(
                bedrock,
                dimension=DIMENSION,
                rate=Rate(per_second, self.clock),
                pool=InlinePool(),
                clock=self.clock,
                random=lambda: 0.5,
            ),
            self.clock,
        )
        return Worker(means, part_records=PART_RECORDS)

    def lease(self, kind: str, fuse: Fuse | None = None) -> Lease:
        self._processes += 1
        holder = Holder(kind, f"process-{self._processes}")
        return Lease((fuse or Fuse()).guard(self.dynamodb), VECTOR_STORE, holder, clock=self.clock)

    def invocation(self, fuse: Fuse | None = None) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """The Lambda function, once."""
        fuse = fuse or Fuse()
        now = self.clock.now
        stop = Stop(self.clock, begin_nothing_at=now + INVOCATION_SECONDS - 30, leave_at=now + INVOCATION_SECONDS - 15)
        consumer = Consumer(
            Queue(fuse.guard(self.sqs), QUEUE, DEAD_LETTERS),
            self.lease("lambda", fuse),
            self.worker(fuse),
            stop,
            random=lambda: 0.5,
        )
        return lambda event: consumer.consume(event, hold_seconds=INVOCATION_SECONDS + 10)

    def service(self, fuse: Fuse | None = None, stop: Stop | None = None, *, per_second: float = 100.0) -> Service:
        """The ECS task's process."""
        fuse = fuse or Fuse()
        return Service(
            Queue(fuse.guard(self.sqs), QUEUE, DEAD_LETTERS),
            self.lease("ecs", fuse),
            self.worker(fuse, per_second=per_second),
            stop or Stop(self.clock),
            clock=self.clock,
            random=lambda: 0.5,
        )

    @property
    def waiting(self) -> int:
        """Messages that are not done with."""
        return len(self.sqs.queue(QUEUE).messages)

    @property
    def buried(self) -> list[str]:
        """The bodies of the dead letters."""
        return [message.body for message in self.sqs.queue(DEAD_LETTERS).messages]

    def files(self) -> dict[str, bytes]:
        return dict(self.s3.contents(STORE))

    def run(self, receipt_id: str = "r1", run_id: str = "run1") -> dict[str, Any] | None:
        """A CompactionRun's own attributes, without their types."""
        found = self.dynamodb.tables[RECEIPTS].items.get((f"RECEIPT#{receipt_id}", f"RUN#{run_id}"))
        return found and {name: next(iter(value.values())) for name, value in found.items() if name not in ("pk", "sk")}

    def embedded(self) -> Counter[str]:
        """How often each text was embedded."""
        return Counter(self.bedrock.texts)


def line(number: int, text: str = "", receipt_id: str = "r1", **more: Any) -> dict[str, Any]:
    """An export's row of a line."""
    return {"id": f"{receipt_id}/{number:05}", "text": text or f"line {number}", **more}


def word(number: int, text: str = "", receipt_id: str = "r1", **more: Any) -> dict[str, Any]:
    """An export's row of a word of line 1."""
    return {"id": f"{receipt_id}/00001/{number:05}", "text": text or f"word {number}", **more}
