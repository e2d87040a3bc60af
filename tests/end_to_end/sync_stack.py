"""What an end-to-end test of kb_sync does, in the words of its users: upload, delete, ask, wait, and look at what is
covered, found and told."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from millrace.deployment import SyncSource
from millrace.executions.sync_outcome import key_of_input
from millrace.local.instance import Instance, Options
from millrace.local.sync_sources import folder_of, made, variables_of
from millrace.search import Answer, of_source
from millrace.syncs import SyncItem, Syncs
from tests.end_to_end.stack import ENDED, Stack

BUCKET = "millrace-data"
UPLOADS_AT_ONCE = 16
PLENTY = 10_000.0
OPTIONS = Options(
    bedrock_requests_per_second=PLENTY,
    bedrock_creating_seconds=0,
    bedrock_ingestion_seconds=0.3,
    bedrock_ingestion_starts_per_second=PLENTY,
    bedrock_ingestion_reads_per_second=PLENTY,
)
SHORT = {
    "sync_batching_window_seconds": 1,
    "sync_poll_seconds": 1,
    "sync_seconds_between_starts": 1,
}
SWEEP, TICK = "millrace-kb-sync-sweep", "millrace-kb-sync-tick"
METRICS_LOGS = "/aws/lambda/millrace-kb-sync-metrics"
UNSUCCESSFUL = ENDED - {"SUCCEEDED"}

Objects = Mapping[str, bytes]
"""Contents by the names of objects, without their source's prefix."""
ETags = dict[str, str]
"""ETags by keys."""
Values = dict[str, list[float]]
"""What was measured, by the names of metrics."""


@dataclass(frozen=True)
class Told:
    """An execution as it is told of; `input` is what it was given, `output` what it answered, if it succeeded."""

    arn: str
    status: str
    input: Any
    output: Mapping[str, Any]
    error: str | None
    cause: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """As DescribeExecution says it."""
        output = json.loads(said.get("output", "{}"))
        told = json.loads(said["input"]), output, said.get("error"), said.get("cause", "")
        return cls(said["executionArn"], said["status"], *told)

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]


class Sync(Told):
    """An execution of kb_sync."""

    @property
    def key(self) -> str | None:
        """The key that it is about; None where its input names none."""
        return key_of_input(json.dumps(self.input))

    @property
    def events(self) -> int:
        """How many uploads and deletions the pipe put into it."""
        return len(self.input) if isinstance(self.input, list) else 0

    @property
    def became(self) -> str | None:
        return self.output.get("status")

    @property
    def job(self) -> str | None:
        return self.output["job"]["id"] if "job" in self.output else None

    @property
    def spans(self) -> list[str]:
        return [span for span in self.output.get("spans", "").split(";") if span]


@dataclass(frozen=True)
class SyncStack(Stack):
    """kb_sync alone, deployed for data sources that were made before it."""

    _ended: dict[str, Sync] = field(default_factory=dict, repr=False)

    @classmethod
    def with_sources(
        cls, folder: Path, names: Iterable[str], siblings: Mapping[str, str] | None = None, **variables: Any
    ) -> SyncStack:
        """Make a knowledge base with a data source for each name, for each sibling (its name, and whose sibling it is)
        another data source of the same knowledge base, and deploy kb_sync for all of them."""

        def prepared(instance: Instance) -> dict[str, Any]:
            instance.client("s3").create_bucket(Bucket=BUCKET)
            sources = {name: made(instance, name, BUCKET, base=name) for name in names}
            for name, other in (siblings or {}).items():
                sources[name] = _sibling(instance, sources[other], name)
            named = variables_of(sources.values())
            known = {**named["sync_sources"], **variables.get("sync_sources", {})}
            return {"workflows": ["kb_sync"], **named, **SHORT, **variables, "sync_sources": known}

        return cls.begun(folder, OPTIONS, prepared)

    def source(self, name: str) -> Source:
        return Source(self, SyncSource(name=name, **self.outputs["sync_sources"][name]), time.time())

    def begin(self, execution_input: Any) -> str:
        """Start an execution of kb_sync by hand; its ARN."""
        return self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["kb_sync_state_machine_arn"], input=json.dumps(execution_input)
        )["executionArn"]

    def sync(self, arn: str) -> Sync:
        """The execution as it is now. One that has ended is asked for once."""
        if arn in self._ended:
            return self._ended[arn]
        found = Sync.of(self.client("stepfunctions").describe_execution(executionArn=arn))
        if found.status in ENDED:
            self._ended[arn] = found
        return found

    def ended(self, arn: str) -> Sync:
        """The execution once it has ended."""
        self.wait(arn)
        return self.sync(arn)

    def syncs(self, since: float = 0.0) -> list[Sync]:
        """The executions that have begun since then, in seconds since the epoch; oldest first."""
        pages = self.client("stepfunctions").get_paginator("list_executions")
        found = pages.paginate(stateMachineArn=self.outputs["kb_sync_state_machine_arn"])
        begun = [each for page in found for each in page["executions"] if each["startDate"].timestamp() >= since]
        return [self.sync(each["executionArn"]) for each in reversed(begun)]

    def table(self) -> dict[str, Any]:
        """Every item by its key, as DynamoDB has it."""
        pages = self.client("dynamodb").get_paginator("scan")
        found = pages.paginate(TableName=self.outputs["sync_table"], ConsistentRead=True)
        return {item["key"]["S"]: item for page in found for item in page["Items"]}

    def measured(self, log_group: str = METRICS_LOGS) -> list[dict[str, Any]]:
        """What a metrics function has written in CloudWatch's embedded metric format: kb_sync's, or that of the log."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=log_group)
        lines = [event["message"] for page in pages for event in page["events"]]
        return [json.loads(line) for line in lines if line.startswith("{") and '"_aws"' in line]

    def told(self, key: str) -> list[str]:
        """The notifications about a key that nobody has looked at yet; those about others are dropped."""
        sqs, found = self.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"])["Message"])
        return [text for text in found if text.startswith(key)]


@dataclass(frozen=True)
class Source:
    """A data source; of its executions and jobs those since then are told, in seconds since the epoch."""

    stack: SyncStack
    place: SyncSource
    since: float

    @property
    def key(self) -> str:
        return self.place.key

    def put(self, objects: Objects) -> ETags:
        """Upload objects below the source's prefix, many at once."""
        s3 = self.stack.client("s3")

        def upload(name: str) -> tuple[str, str]:
            key = self.place.prefix + name
            return key, s3.put_object(Bucket=self.place.bucket, Key=key, Body=objects[name])["ETag"].strip('"')

        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            return dict(pool.map(upload, objects))

    def remove(self, *names: str) -> None:
        for name in names:
            self.stack.client("s3").delete_object(Bucket=self.place.bucket, Key=self.place.prefix + name)

    def ask(self, **more: Any) -> str:
        """Ask for a sync; the ARN of the execution."""
        return self.stack.begin({**self.place.ids, **more})

    def ask_as_owner(self, **more: Any) -> str:
        """Ask for a sync, whose execution acts now: its job has begun. Its ARN."""
        arn = self.ask(**more)
        self.stack.wait_until(lambda: self.item.owner == arn and self.item.job, f"{arn} has a job on record")
        return arn

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """The source's next job goes on when this ends."""
        self.order(hold=True)
        yield
        self.release()

    def release(self) -> None:
        self.stack.instance.release_jobs(self.place.data_source_id)

    def order(self, outcome: str = "COMPLETE", **more: Any) -> None:
        """Order how the source's next jobs go, as `Instance.order_job`."""
        self.stack.instance.order_job(self.place.data_source_id, outcome, **more)

    @property
    def item(self) -> SyncItem:
        return Syncs(self.stack.client("dynamodb"), self.stack.outputs["sync_table"]).get(self.key)

    def syncs(self) -> list[Sync]:
        """The executions that are about it, oldest first."""
        return [each for each in self.stack.syncs(self.since) if each.key == self.key]

    def sweeps(self) -> list[Sync]:
        """The executions that the sweeper started."""
        return [each for each in self.syncs() if each.name.startswith("sweep-")]

    def jobs(self) -> list[dict[str, Any]]:
        """Its ingestion jobs, with what each one's scan saw; oldest first."""
        found = self.stack.instance.jobs(self.place.data_source_id, covered=True)
        return [job for job in found if job["started"] >= self.since]

    def wait_for_events(self, number: int) -> None:
        """Wait until so many uploads and deletions have become requests."""
        self.stack.wait_until(
            lambda: sum(each.events for each in self.syncs()) >= number, f"{number} events of {self.key} are requests"
        )

    def wait_until_calm(self, events: int = 0) -> list[Sync]:
        """Wait until so many uploads and deletions have become requests, nothing is pending, and nobody runs; the
        executions."""

        def calm() -> bool:
            syncs = self.syncs()
            return (
                sum(each.events for each in syncs) >= events
                and all(each.status in ENDED for each in syncs)
                and not self.item.pending
            )

        self.stack.wait_until(calm, f"{events} events of {self.key} are covered: {self.item}")
        return self.syncs()

    def answers(self, question: str) -> list[Answer]:
        return of_source(self.place, self.stack.client).ask(question)

    def answer(self, question: str) -> str | None:
        """The name of the object that answers a question first."""
        found = self.answers(question)
        return found[0].uri.removeprefix(f"s3://{self.place.bucket}/{self.place.prefix}") if found else None

    def expect_covered(self, uploads: Mapping[str, str]) -> None:
        """Each of these versions was seen by the scan of a complete job."""
        seen = {
            (each["key"], each["etag"].strip('"'))
            for job in self.jobs()
            if job["status"] == "COMPLETE"
            for each in job["covered"]
        }
        missing = uploads.items() - seen
        assert not missing, f"{len(missing)} of {len(uploads)} uploads are not covered, such as {sorted(missing)[:3]}"

    def metrics(self) -> Values:
        """What was measured with the source's key, since the stack began."""
        found: Values = {}
        for line in self.stack.measured():
            if line.get("key") == self.key:
                for name in names_of(line):
                    found.setdefault(name, []).extend(line[name] if isinstance(line[name], list) else [line[name]])
        return found

    def expect_metrics(self) -> Values:
        """Wait until the metrics tell what the source's executions did, of all that the stack ever ran; the metrics."""
        done = [each for each in self.stack.syncs() if each.key == self.key and each.status in ENDED]
        expected = {name: number for name, number in counted(done).items() if number}

        def told() -> dict[str, float]:
            measured = self.metrics()
            seconds = measured.pop("SecondsToCovered", [])
            measured.pop("OldestPendingSeconds", None)
            numbers = {name: sum(values) for name, values in measured.items()}
            return {**numbers, **({"SecondsToCovered": len(seconds)} if seconds else {})}

        self.stack.wait_until(lambda: told() == expected, f"the metrics of {self.key} are {expected}: {told()}")
        return self.metrics()


def counted(syncs: Sequence[Sync]) -> dict[str, float]:
    """What the metrics of these executions have to add up to; of seconds, how many values there are."""
    counts = [each.output.get("counts", {}) for each in syncs]
    return {
        "JobsStarted": sum(each.get("jobs", 0) for each in counts),
        "Conflicts": sum(each.get("conflicts", 0) for each in counts),
        "Takeovers": sum(each.get("takeovers", 0) for each in counts),
        "RequestsCoalesced": sum(each.became == "coalesced" and each.output["ticket"] > 0 for each in syncs),
        "SyncsFailed": sum(each.status in UNSUCCESSFUL for each in syncs),
        "SecondsToCovered": sum(len(each.spans) for each in syncs),
    }


def names_of(line: Mapping[str, Any]) -> list[str]:
    """The names of the metrics in a line of the embedded metric format."""
    return [metric["Name"] for told in line["_aws"]["CloudWatchMetrics"] for metric in told["Metrics"]]


def _sibling(instance: Instance, other: SyncSource, name: str) -> SyncSource:
    """Another data source of the same knowledge base."""
    prefix = f"{name}/"
    made = instance.client("bedrock-agent").create_data_source(
        knowledgeBaseId=other.knowledge_base_id, name=name, dataSourceConfiguration=folder_of(BUCKET, prefix)
    )
    return SyncSource(name, other.knowledge_base_id, made["dataSource"]["dataSourceId"], BUCKET, prefix)
