"""Small services that behave: what the operator's side asks of S3, Step Functions, DynamoDB and the two sinks."""

# ruff: noqa: N803 - the names of arguments are those of AWS

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, BinaryIO, ClassVar

from botocore.exceptions import ClientError

from millrace.deployment import Deployment, from_outputs
from tests.fakes.operator.histories import BEGAN


def refusal(operation: str, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "refused by the fake"}}, operation)


class ExecutionDoesNotExist(ClientError):
    pass


class ExecutionNotRedrivable(ClientError):
    pass


class StateMachineDoesNotExist(ClientError):
    pass


class FakeS3:
    """Keeps objects in memory; `writes` are the keys as they came, those of `refuse_keys` are refused."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.writes: list[str] = []
        self.refuse_keys: set[str] = set()
        self.date = "Sun, 05 Oct 2025 12:00:00 GMT"
        self._lock = threading.Lock()

    def put_object(self, *, Bucket: str, Key: str, Body: bytes | BinaryIO, ContentType: str) -> dict[str, Any]:
        assert ContentType == "application/json"
        if Key in self.refuse_keys:
            raise refusal("PutObject", "AccessDenied")
        body = Body if isinstance(Body, bytes) else Body.read()
        with self._lock:
            self.objects[Bucket, Key] = body
            self.writes.append(Key)
        return {"ResponseMetadata": {"HTTPHeaders": {"date": self.date}}}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if (Bucket, Key) not in self.objects:
            raise refusal("GetObject", "NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Bucket, Key])}

    def delete_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self.objects.pop((Bucket, Key), None)
        return {}

    def keep(self, bucket: str, key: str, document: Any) -> None:
        """An object that was there before."""
        self.objects[bucket, key] = json.dumps(document).encode()


INGESTION_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:millrace-kendra-ingestion"
SYNC_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:millrace-kb-sync"
INCIDENT_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:millrace-incident-sync"
COMPACTION_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:millrace-compaction"


@dataclass
class FakeExecution:
    name: str
    history: list[dict[str, Any]]
    status: str = "SUCCEEDED"
    started: datetime = BEGAN
    ended: datetime | None = None
    input: str | None = None
    output: str | None = None
    asked: int = 0
    redrivable: bool = True
    redrives: int = 0
    aborted_with: dict[str, str] | None = None
    machine: str = INGESTION_MACHINE
    error: str | None = None

    @property
    def arn(self) -> str:
        return f"{self.machine.replace('stateMachine', 'execution')}:{self.name}"

    @property
    def redrive_status(self) -> str:
        ended_badly = self.status in ("FAILED", "ABORTED", "TIMED_OUT")
        return "REDRIVABLE" if self.redrivable and ended_badly else "NOT_REDRIVABLE"


def served(
    name: str,
    history: list[dict[str, Any]],
    *,
    machine: str,
    asked: Any,
    output: Any = None,
    error: tuple[str, str] | None = None,
) -> FakeExecution:
    """An execution of a machine with one job at a time, which was asked this: it has ended with the output, or with the
    error and its cause, or runs still."""
    return FakeExecution(
        name,
        history,
        status="FAILED" if error else "SUCCEEDED" if output else "RUNNING",
        input=json.dumps(asked),
        output=json.dumps(output) if output else None,
        ended=BEGAN + timedelta(seconds=9) if output else None,
        machine=machine,
        error=error[0] if error else None,
    )


@dataclass
class FakeStates:
    """The state machines. A history is revealed `step` events at each reading of it (0: all at once)."""

    executions: list[FakeExecution] = field(default_factory=list)
    step: int = 0
    becomes: Callable[[FakeExecution], None] | None = None
    """What makes of an execution that is started what it will have become."""

    exceptions: ClassVar[Any] = SimpleNamespace(
        ExecutionDoesNotExist=ExecutionDoesNotExist,
        ExecutionNotRedrivable=ExecutionNotRedrivable,
        StateMachineDoesNotExist=StateMachineDoesNotExist,
    )
    machine: ClassVar[str] = INGESTION_MACHINE

    def add(self, execution: FakeExecution) -> str:
        self.executions.append(execution)
        return execution.arn

    def list_executions(self, *, stateMachineArn: str, maxResults: int, nextToken: str = "0") -> dict[str, Any]:
        mine = [execution for execution in self.executions if execution.machine == stateMachineArn]
        newest = sorted(mine, key=lambda execution: execution.started, reverse=True)
        begin = int(nextToken)
        page = {"executions": [self._short(execution) for execution in newest[begin : begin + maxResults]]}
        return page if begin + maxResults >= len(newest) else {**page, "nextToken": str(begin + maxResults)}

    def start_execution(
        self,
        *,
        stateMachineArn: str,
        input: str,  # noqa: A002
        name: str | None = None,
    ) -> dict[str, Any]:
        name = name or f"started-{len(self.executions)}"
        begun = FakeExecution(name, [], status="RUNNING", input=input, machine=stateMachineArn)
        if self.becomes is not None:
            self.becomes(begun)
        return {"executionArn": self.add(begun)}

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> dict[str, Any]:
        execution = self._find(executionArn)
        if execution.status == "RUNNING":
            execution.status, execution.aborted_with = "ABORTED", {"error": error, "cause": cause}
        return {"stopDate": BEGAN}

    def redrive_execution(self, *, executionArn: str) -> dict[str, Any]:
        execution = self._find(executionArn)
        if execution.redrive_status != "REDRIVABLE":
            refused = {"Error": {"Code": "ExecutionNotRedrivable", "Message": "not redrivable"}}
            raise ExecutionNotRedrivable(refused, "RedriveExecution")
        execution.status, execution.redrives = "RUNNING", execution.redrives + 1
        return {"redriveDate": BEGAN}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        execution = self._find(executionArn)
        optional = {"input": execution.input, "output": execution.output, "error": execution.error}
        return {
            **self._short(execution),
            "redriveStatus": execution.redrive_status,
            "redriveCount": execution.redrives,
            **{name: value for name, value in optional.items() if value is not None},
        }

    def get_execution_history(
        self,
        *,
        executionArn: str,
        maxResults: int,
        nextToken: str = "0",
    ) -> dict[str, Any]:
        execution = self._find(executionArn)
        execution.asked += 1
        seen = execution.history[: self.step * execution.asked] if self.step else execution.history
        begin = int(nextToken)
        page = {"events": seen[begin : begin + maxResults]}
        return page if begin + maxResults >= len(seen) else {**page, "nextToken": str(begin + maxResults)}

    def _find(self, arn: str) -> FakeExecution:
        for execution in self.executions:
            if execution.arn == arn:
                return execution
        raise ExecutionDoesNotExist({"Error": {"Code": "ExecutionDoesNotExist"}}, "DescribeExecution")

    def _short(self, execution: FakeExecution) -> dict[str, Any]:
        return {
            "executionArn": execution.arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": execution.started,
            **({"stopDate": execution.ended} if execution.ended else {}),
        }


class FakeDynamoDB:
    """The jobs table, of the progress table the counters (job and run to done and expected), and the sync table."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, str]] = {}
        self.counters: dict[str, tuple[int, int]] = {}
        self.counters_read = 0
        self.syncs: dict[str, dict[str, Any]] = {}

    def get_item(self, *, TableName: str, Key: dict[str, Any], ConsistentRead: bool) -> dict[str, Any]:
        assert ConsistentRead, "a stale owner would be believed"
        if TableName == "millrace-progress":
            return self._counter(Key["job"]["S"], Key["part"]["S"])
        if TableName == "millrace-sync":
            key = Key["key"]["S"]
            return {"Item": {"key": {"S": key}, **self.syncs[key]}} if key in self.syncs else {}
        assert TableName == "millrace-jobs"
        job = self.jobs.get(Key["jobId"]["S"])
        return {"Item": {name: {"S": value} for name, value in job.items()}} if job is not None else {}

    def _counter(self, job: str, part: str) -> dict[str, Any]:
        assert part == "counter"
        self.counters_read += 1
        if job not in self.counters:
            return {}
        done, expected = self.counters[job]
        return {"Item": {"done": {"N": str(done)}, "expected": {"N": str(expected)}, "token": {"S": "secret"}}}


class FakeKendra:
    def __init__(self, items: Iterable[dict[str, Any]] = ()) -> None:
        self.items = list(items)

    def query(self, *, IndexId: str, QueryText: str, PageSize: int) -> dict[str, Any]:
        assert (len(IndexId), bool(QueryText)) == (36, True)
        return {"ResultItems": self.items[:PageSize]}


class FakeKnowledgeBase:
    def __init__(self, passages: Iterable[dict[str, Any]] = ()) -> None:
        self.passages = list(passages)
        self.filters: list[dict[str, Any] | None] = []

    def retrieve(
        self, *, knowledgeBaseId: str, retrievalQuery: dict[str, str], retrievalConfiguration: dict[str, Any]
    ) -> dict[str, Any]:
        assert (len(knowledgeBaseId), bool(retrievalQuery["text"])) == (10, True)
        asked = retrievalConfiguration["vectorSearchConfiguration"]
        self.filters.append(asked.get("filter"))
        limit = asked["numberOfResults"]
        assert 1 <= limit <= 100
        return {"retrievalResults": self.passages[:limit]}


@dataclass
class FakeAws:
    """Everything that one deployment's clients reach; `outputs` are those of its own beside OUTPUTS."""

    s3: FakeS3 = field(default_factory=FakeS3)
    stepfunctions: FakeStates = field(default_factory=FakeStates)
    dynamodb: FakeDynamoDB = field(default_factory=FakeDynamoDB)
    kendra: FakeKendra = field(default_factory=FakeKendra)
    bedrock_agent_runtime: FakeKnowledgeBase = field(default_factory=FakeKnowledgeBase)
    lambda_: Any = None
    sqs: Any = None
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def deployment(self) -> Deployment:
        services = self

        class Connected(Deployment):
            def client(self, service: str, **_: Any) -> Any:
                return services.lambda_ if service == "lambda" else getattr(services, service.replace("-", "_"))

        found = from_outputs({**OUTPUTS, **self.outputs}, "a test", "http://127.0.0.1:1")
        return Connected(**{each.name: getattr(found, each.name) for each in fields(found)})


OUTPUTS: dict[str, Any] = {
    "aws_region": "us-east-1",
    "deploy_option": "sfn",
    "sink": "kendra",
    "ingestion_bucket": "ingestion",
    "reports_bucket": "reports",
    "kendra_index_id": "0d3b1c8e-0000-4000-8000-000000000000",
    "state_machine_arn": FakeStates.machine,
    "jobs_table": "millrace-jobs",
    "ledger_table": "millrace-ledger",
    "notifications_topic_arn": "arn:aws:sns:us-east-1:123456789012:millrace-notifications",
    "dead_letter_queue_url": "http://127.0.0.1:1/123456789012/millrace-kendra-ingestion-dead-letters",
}
QUEUES: dict[str, Any] = {"deploy_option": "sqs", "progress_table": "millrace-progress"}
SOURCE = {"knowledge_base_id": "KB12345678", "data_source_id": "DS12345678", "bucket": "data", "prefix": "images/"}
SYNC: dict[str, Any] = {
    "workflows": ["kendra_ingestion", "kb_sync"],
    "kb_sync_state_machine_arn": SYNC_MACHINE,
    "sync_table": "millrace-sync",
    "sync_sources": {"images": SOURCE},
    "sync_dead_letter_queue_url": "http://127.0.0.1:1/123456789012/millrace-kb-sync-dead-letters",
}
SYNC_ONLY: dict[str, Any] = {
    **{name: None for name in OUTPUTS if name not in ("aws_region", "notifications_topic_arn")},
    **SYNC,
    "workflows": ["kb_sync"],
}
"""Where kb_sync alone is deployed, the outputs of the other workflow are null."""
INCIDENTS: dict[str, Any] = {
    **SYNC,
    "workflows": ["kb_sync", "incident_sync"],
    "sync_sources": {"images": SOURCE, "incidents": {**SOURCE, "data_source_id": "DS87654321", "prefix": "incidents/"}},
    "incident_sync_state_machine_arn": INCIDENT_MACHINE,
    "incidents_table": "incidents",
    "incident_sync_table": "millrace-incident-sync",
    "incident_batch_sync_function": "incident-kb-batch-sync",
    "incident_source": "incidents",
    "incident_prefix": "incidents/closed/",
    "incident_dead_letter_queue_url": "http://127.0.0.1:1/123456789012/millrace-incident-changes-dead-letters",
}
VECTORS: dict[str, Any] = {
    "workflows": ["vector_store"],
    "compaction_state_machine_arn": COMPACTION_MACHINE,
    "flights_table": "millrace-flights",
    "receipts_table": "receipts",
    "vector_store_table": "millrace-vector-store",
    "store_bucket": "store",
    "embed_consumer": "lambda",
    "queue_mode": "standard",
    "embed_queue_url": "https://sqs.us-east-1.amazonaws.com/123456789012/millrace-embed-ndjson.fifo",
    "lines_queue_url": "https://sqs.us-east-1.amazonaws.com/123456789012/millrace-lines",
    "words_queue_url": "https://sqs.us-east-1.amazonaws.com/123456789012/millrace-words",
    "vector_dead_letter_queue_urls": {
        "changes": "https://sqs.us-east-1.amazonaws.com/123456789012/millrace-vector-changes-dead-letters",
        "embed": "https://sqs.us-east-1.amazonaws.com/123456789012/millrace-embed-ndjson-dead-letters.fifo",
        "stream": "https://sqs.us-east-1.amazonaws.com/123456789012/millrace-vector-stream-dead-letters",
    },
    "vector_functions": {name: f"millrace-vector-{name}" for name in ("search", "check", "collect", "overdue")},
}
BEDROCK: dict[str, Any] = {
    "sink": "bedrock",
    "kendra_index_id": None,
    "knowledge_base_id": "KB12345678",
    "data_source_id": "DS12345678",
}
