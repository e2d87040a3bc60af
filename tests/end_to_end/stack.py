"""What an end-to-end test does, in the words of its users: upload, submit, wait, read the report."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from millrace.local import deploy
from millrace.local.instance import Instance, Options
from tests.substrate import WAIT_SCALE, configure

WAIT_SECONDS = 300.0
"""How long anything is waited for that has to happen: a busy machine may take long, and nobody waits on after it has
happened."""
PAUSES = 0.1
"""The part of the state machine's waits, and of its pauses before it tries again, that is waited out here."""
SINK_REQUESTS_PER_SECOND = 40
"""What the pipeline is told; a little less than the embedded sinks take (`Options`)."""
MANY = 1_000
"""More calls than a test makes while they are refused or held."""
ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
CHANGES = {
    "kendra": {"put": "BatchPutDocument", "delete": "BatchDeleteDocument"},
    "bedrock": {"put": "IngestKnowledgeBaseDocuments", "delete": "DeleteKnowledgeBaseDocuments"},
}
"""The operations by which a sink is changed."""
BOTH_OPTIONS = pytest.mark.parametrize("stack", ["sfn", "sqs"], indirect=True)


def metadata(document_id: str | None, **more: Any) -> bytes:
    """A metadata file in Kendra's S3 format."""
    named = {} if document_id is None else {"DocumentId": document_id}
    return json.dumps({**named, "Title": document_id, "ContentType": "PLAIN_TEXT", **more}).encode()


def pair(document_id: str, text: str = "some text", **more: Any) -> dict[str, bytes]:
    """Two objects under `batches/`: the document and its metadata."""
    name = f"{document_id}.json"
    return {name: text.encode(), f"{name}.metadata.json": metadata(document_id, **more)}


def but_the_first(number: int) -> list[int]:
    """Which calls a fault is for that spares so many; `nth` of a `faults.Rule`, where none is all."""
    return list(range(number + 1, number + MANY)) if number else []


@dataclass(frozen=True)
class Execution:
    arn: str
    status: str
    error: str | None
    cause: str | None
    last_state: str


@dataclass(frozen=True)
class Stack:
    instance: Instance
    outputs: Mapping[str, Any]
    inbox: str
    _clients: dict[str, Any] = field(default_factory=dict)
    _inputs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def up(cls, folder: Path, options: Options = Options(), **variables: Any) -> Stack:  # noqa: B008 (frozen)
        """Start an embedded AWS in the folder, and deploy to it with these variables."""
        return cls.begun(folder, options, lambda _: {"sink_requests_per_second": SINK_REQUESTS_PER_SECOND, **variables})

    @classmethod
    def begun(cls, folder: Path, options: Options, prepared: Callable[[Instance], Mapping[str, Any]]) -> Self:
        """Start an embedded AWS in the folder, make what the deployment relies on, and deploy with the variables that
        this gives."""
        instance = Instance.start(folder, options)
        try:
            outputs = deploy.apply(instance, prepared(instance))
            inbox = cls._subscribe(instance, outputs["notifications_topic_arn"])
            configure(instance, {WAIT_SCALE: PAUSES})
        except BaseException:
            instance.stop()
            raise
        return cls(instance, outputs, inbox)

    @staticmethod
    def _subscribe(instance: Instance, topic: str) -> str:
        sqs = instance.client("sqs")
        url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        instance.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def client(self, service: str) -> Any:
        """One client a service for all tests: making one takes longer than most calls."""
        if service not in self._clients:
            self._clients[service] = self.instance.client(service)
        return self._clients[service]

    def upload(self, prefix: str, objects: Mapping[str, bytes]) -> None:
        """Upload objects under the prefix's `batches/`."""
        for name, body in objects.items():
            self.put_object(f"{prefix}/batches/{name}", body)

    def put_object(self, key: str, body: bytes) -> None:
        self.client("s3").put_object(Bucket=self.outputs["ingestion_bucket"], Key=key, Body=body)

    def remove(self, prefix: str, names: Iterable[str]) -> None:
        """Delete objects under the prefix's `batches/`."""
        for name in names:
            key = f"{prefix}/batches/{name}"
            self.client("s3").delete_object(Bucket=self.outputs["ingestion_bucket"], Key=key)

    def submit(self, prefix: str, manifest: Mapping[str, Any] | bytes) -> str:
        """Upload the manifest, which starts the job; returns its key."""
        key = f"{prefix}/_control/manifest.json"
        body = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        self.put_object(key, body)
        return key

    def start(self, execution_input: Any) -> str:
        """Start an execution by hand; returns its ARN."""
        return self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["state_machine_arn"], input=json.dumps(execution_input)
        )["executionArn"]

    def executions(self, key: str) -> list[str]:
        """The executions that were started for the manifest at that key, oldest first."""
        states = self.client("stepfunctions")
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=self.outputs["state_machine_arn"])
        arns = [execution["executionArn"] for page in pages for execution in page["executions"]]
        return [arn for arn in reversed(arns) if key in self._input(arn)]

    def _input(self, arn: str) -> str:
        """An execution's input. It never changes, so it is asked for once."""
        if arn not in self._inputs:
            said = self.client("stepfunctions").describe_execution(executionArn=arn)
            self._inputs[arn] = said.get("input", "")
        return self._inputs[arn]

    def wait(self, arn: str, seconds: float = WAIT_SECONDS) -> Execution:
        """Wait for an execution to its end."""
        states = self.client("stepfunctions")
        deadline = time.monotonic() + seconds
        while (said := states.describe_execution(executionArn=arn))["status"] not in ENDED:
            if time.monotonic() > deadline:
                raise AssertionError(f"{arn} still runs after {seconds:.0f} s; it is in {self._last_state(arn)}")
            time.sleep(0.1)
        return Execution(arn, said["status"], said.get("error"), said.get("cause"), self._last_state(arn))

    def _last_state(self, arn: str) -> str:
        events = self.client("stepfunctions").get_execution_history(
            executionArn=arn, reverseOrder=True, maxResults=100
        )["events"]
        entered = (event.get("stateEnteredEventDetails") for event in events)
        return next((details["name"] for details in entered if details), "?")

    def entered(self, arn: str) -> list[str]:
        """The states that an execution has entered, in order."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        details = (event.get("stateEnteredEventDetails") for page in pages for event in page["events"])
        return [each["name"] for each in details if each]

    def wait_for_job(self, key: str, seconds: float = WAIT_SECONDS) -> Execution:
        """Wait for the execution that the event of the manifest at that key starts, to its end."""
        return self.wait(self.started(key), seconds)

    def started(self, key: str, number: int = 0) -> str:
        """The ARN of the execution with that number (0 is the first) for the manifest at that key."""
        self.wait_until(lambda: len(self.executions(key)) > number, f"execution {number} for {key} has begun")
        return self.executions(key)[number]

    def wait_for_lock(self, job_id: str, owner: str | None = None) -> str:
        """Wait until the execution with that ARN, or any, holds the job's lock; its ARN."""

        def held() -> bool:
            found = self.job(job_id).get("owner")
            return found is not None and found == (owner or found)

        self.wait_until(held, f"{owner or 'somebody'} holds the lock of {job_id}")
        return self.job(job_id)["owner"]

    def run(self, prefix: str, job_id: str, **more: Any) -> Execution:
        """Submit a job and wait for it to end, whatever ran in that folder before."""
        before = len(self.executions(f"{prefix}/_control/manifest.json"))
        key = self.submit(prefix, {"jobId": job_id, "prefix": prefix, **more})
        return self.wait(self.started(key, number=before))

    def report(self, key: str) -> bytes:
        return self.client("s3").get_object(Bucket=self.outputs["reports_bucket"], Key=key)["Body"].read()

    def work(self, job_id: str) -> list[str]:
        """The names of what the job's latest run has in the work area."""
        folder = f"_work/{job_id}/{self.job(job_id).get('run')}/"
        pages = self.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.outputs["reports_bucket"], Prefix=folder)
        return [item["Key"].removeprefix(folder) for page in found for item in page.get("Contents", [])]

    def manifest_is_at(self, key: str) -> bool:
        listed = self.client("s3").list_objects_v2(Bucket=self.outputs["ingestion_bucket"], Prefix=key)
        return key in [item["Key"] for item in listed.get("Contents", [])]

    def summary(self, job_id: str) -> dict[str, Any]:
        return json.loads(self.report(f"_reports/{job_id}/summary.json"))

    def counts(self, job_id: str) -> dict[str, int]:
        """A job's counts that are not 0."""
        return {name: number for name, number in self.summary(job_id)["counts"].items() if number}

    def rows(self, job_id: str) -> list[dict[str, str]]:
        """The rows of failures.csv."""
        text = self.report(f"_reports/{job_id}/failures.csv").decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def failures(self, job_id: str) -> dict[str, str]:
        """Document id -> error code, out of failures.csv; a second row for one id is an error."""
        rows = self.rows(job_id)
        found = {row["documentId"]: row["errorCode"] for row in rows}
        assert len(found) == len(rows), f"a document has more than one row: {rows}"
        return found

    @property
    def sink(self) -> str:
        return self.outputs["sink"]

    @property
    def option(self) -> str:
        return self.outputs["deploy_option"]

    def statuses(self, *document_ids: str) -> dict[str, str]:
        """What the index or the knowledge base itself says of each document."""
        ask = self._kendra_statuses if self.sink == "kendra" else self._bedrock_statuses
        tens = (document_ids[start : start + 10] for start in range(0, len(document_ids), 10))
        return {name: status for ten in tens for name, status in ask(ten).items()}

    def _kendra_statuses(self, document_ids: Sequence[str]) -> dict[str, str]:
        answer = self._patient_client("kendra").batch_get_document_status(
            IndexId=self.outputs["kendra_index_id"], DocumentInfoList=[{"DocumentId": name} for name in document_ids]
        )
        return {row["DocumentId"]: row["DocumentStatus"] for row in answer["DocumentStatusList"]}

    def _bedrock_statuses(self, document_ids: Sequence[str]) -> dict[str, str]:
        answer = self._patient_client("bedrock-agent").get_knowledge_base_documents(
            knowledgeBaseId=self.outputs["knowledge_base_id"],
            dataSourceId=self.outputs["data_source_id"],
            documentIdentifiers=[{"dataSourceType": "CUSTOM", "custom": {"id": name}} for name in document_ids],
        )
        return {row["identifier"]["custom"]["id"]: row["status"] for row in answer["documentDetails"]}

    def _patient_client(self, service: str) -> Any:
        name = f"patient {service}"
        if name not in self._clients:
            self._clients[name] = self.instance.client(service, retries={"mode": "standard", "total_max_attempts": 10})
        return self._clients[name]

    def requests(self, change: str) -> int:
        """How many requests to "put" or to "delete" the sink has let through since it began."""
        if self.sink == "kendra":
            counted = self.instance.kendra_statistics()["indices"].get(self.outputs["kendra_index_id"], {})
        else:
            counted = self.instance.bedrock_statistics()["regions"].get(self.outputs["aws_region"], {})
        calls = counted.get(CHANGES[self.sink][change], {"calls": 0, "throttled": 0})
        return calls["calls"] - calls["throttled"]

    def hold(self, change: str = "put", after: int = 0) -> int:
        """Let the sink be too busy for requests of that kind, but for so many, until `instance.forget_faults`. The
        number of the rule."""
        return self.instance.order_fault(
            self._action(change), nth=but_the_first(after), code="ThrottlingException", status=400
        )

    def refuse(self, change: str) -> None:
        """Let the sink refuse each request of that kind, as it does when a permission is missing, until
        `instance.forget_faults`."""
        self.instance.order_fault(self._action(change), code="AccessDeniedException", status=403)

    def _action(self, change: str) -> str:
        return f"{self.sink}:{CHANGES[self.sink][change]}"

    @contextlib.contextmanager
    def held(self, **fault: Any) -> Iterator[None]:
        """The calls that `fault` says, as `Instance.order_fault` takes it, have no effect and no answer until this
        ends."""
        rule = self.instance.order_fault(**fault, hold=True)
        try:
            yield
        finally:
            self.instance.forget_fault(rule)
            for call in self.instance.held_calls():
                self.instance.let_go(call["id"])

    def wait_until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:.0f} s: {what}"
            time.sleep(0.05)

    def wait_until_calm(self, change: str = "put", seconds: float = 1.5) -> None:
        """Wait until nobody has sent requests of that kind for so long."""
        seen, since = self.requests(change), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(0.1)
            if (now := self.requests(change)) != seen:
                seen, since = now, time.monotonic()

    def job(self, job_id: str) -> dict[str, str]:
        """The item of a job in the jobs table, without DynamoDB's types; empty where there is none."""
        key = {"jobId": {"S": job_id}}
        item = self.client("dynamodb").get_item(TableName=self.outputs["jobs_table"], Key=key).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()}

    def notification(self, mentioning: str) -> dict[str, str]:
        """The notification whose text mentions that; others are dropped."""
        sqs = self.client("sqs")
        found: list[dict[str, str]] = []

        def arrived() -> bool:
            for message in sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages", []):
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
                envelope = json.loads(message["Body"])
                if mentioning in envelope["Message"]:
                    found.append(envelope)
            return bool(found)

        self.wait_until(arrived, f"a notification mentions {mentioning!r}")
        return found[0]


StackOf = Callable[[str, str], Stack]
"""Gives the stack with that deploy option and that sink."""
