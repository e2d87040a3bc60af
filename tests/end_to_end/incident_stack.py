"""What an end-to-end test of incident_sync does, in the words of its users: close, change, reopen and delete incidents,
run the machine, and look at what is marked, written, found and told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks import incident_table
from benchmarks.incident_table import Incident, plain, read_items, typed, word, write_items
from millrace.local import sync_sources
from millrace.local.instance import Instance
from shared.clock import stamp
from tests.end_to_end.stack import but_the_first
from tests.end_to_end.sync_stack import BUCKET, OPTIONS, SHORT, Source, SyncStack, Told, names_of

TABLE = "incidents"
NEVER = "rate(365 days)"
"""Runs are started by the tests alone."""
PASS_SECONDS = 60
"""Enough for a busy machine. Where a pass dies, its lease is ended by the test."""
CHANGES = "millrace-incident-kb-changes"
"""The function that hears of the stream."""
METRICS_LOGS = "/aws/lambda/millrace-incident-kb-metrics"
MARKING = {"action": "dynamodb:TransactWriteItems", "function": "*-batch-sync", "body": "kb_sync_status"}
"""The calls by which a pass marks incidents, as `Instance.order_fault` names calls."""
WAITS = ("sync", "ingestion", "person")
ASKED_AT_ONCE = 8
A_WHILE = timedelta(minutes=10)
"""Longer than any lease of these tests, and than a run takes another's writing for too young to be confirmed."""

Item = dict[str, Any]
"""Plain values of an item of the table that says what waits."""
Metrics = dict[str, float]
"""Sums, by the names of metrics."""


def epoch(date: str) -> int:
    return int(datetime.fromisoformat(date).timestamp())


class Run(Told):
    """An execution of incident_sync that has ended."""

    @property
    def sync(self) -> Mapping[str, Any]:
        return self.output["sync"]

    @property
    def ingestion(self) -> Mapping[str, Any]:
        return self.output["ingestion"]

    @property
    def job(self) -> str:
        return self.ingestion["job"]["id"]


@dataclass(frozen=True)
class IncidentStack(SyncStack):
    """kb_sync and incident_sync, deployed for one data source that was made before them."""

    @classmethod
    def with_incidents(cls, folder: Path, before: Sequence[Incident] = (), **variables: Any) -> IncidentStack:
        """Make a knowledge base and deploy both workflows for it. The incidents that were there `before` are in a table
        that exists when Terraform comes, and whose stream begins after them."""

        def prepared(instance: Instance) -> dict[str, Any]:
            named = sync_sources.with_incidents(instance, {}, lambda _line: None)
            if before:
                incident_table.create_table(instance.client("dynamodb"), TABLE, before)
            return {
                "workflows": ["kb_sync", "incident_sync"],
                **named,
                **SHORT,
                "incident_schedule": NEVER,
                "incident_pass_seconds": PASS_SECONDS,
                "create_incidents_table": not before,
                **variables,
            }

        stack = cls.begun(folder, OPTIONS, prepared)
        stack.read_the_stream_at_once()
        return stack

    def read_the_stream_at_once(self) -> None:
        """Let changes be told of one by one: tests make few, and wait for each."""
        functions = self.client("lambda")
        (mapping,) = functions.list_event_source_mappings(FunctionName=CHANGES)["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumBatchingWindowInSeconds=0)

    @property
    def data_source(self) -> Source:
        """Where the incidents go, with all that ever happened to it."""
        return replace(self.source(sync_sources.INCIDENTS), since=0.0)

    @property
    def prefix(self) -> str:
        return self.outputs["incident_prefix"]

    def put(self, *incidents: Incident) -> list[str]:
        """Write incidents as they are, many at once, and wait until the stream has told of them; their ids."""
        self.write(*incidents)
        self.heard()
        return [each["incident_id"] for each in incidents]

    def write(self, *incidents: Incident) -> None:
        """Write incidents as they are, many at once."""
        write_items(self.client("dynamodb"), self.outputs["incidents_table"], incidents)

    def change(self, *incident_ids: str, **values: Any) -> None:
        """Set attributes of incidents, and wait until the stream has told of it."""
        self.assign(*incident_ids, **values)
        self.heard()

    def assign(self, *incident_ids: str, **values: Any) -> None:
        """Set attributes of incidents."""
        for incident_id in incident_ids:
            self.client("dynamodb").update_item(
                TableName=self.outputs["incidents_table"],
                Key={"incident_id": {"S": incident_id}},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues=typed({f":{name}": value for name, value in values.items()}),
                ConditionExpression="attribute_exists(incident_id)",
            )

    def reopen(self, *incident_ids: str) -> None:
        self.change(*incident_ids, status="OPEN")

    def delete(self, *incident_ids: str) -> None:
        """Delete incidents, and wait until the stream has told of it."""
        self.erase(*incident_ids)
        self.heard()

    def erase(self, *incident_ids: str) -> None:
        """Delete incidents."""
        for incident_id in incident_ids:
            self.client("dynamodb").delete_item(
                TableName=self.outputs["incidents_table"], Key={"incident_id": {"S": incident_id}}
            )

    def heard(self) -> None:
        """Wait until every change in the stream is noted down, or given up."""
        self.wait_until(lambda: not any(each["waiting"] for each in self.instance.streams()), "the stream is read")

    def synced_before(self, incidents: Sequence[Incident]) -> str:
        """Make of incidents that the table had before the stream began those of a run that is long over: with objects
        and marks, and known to the knowledge base by one job, whose id this is."""
        at = datetime.now(UTC)
        incident_table.upload(self.client("s3"), BUCKET, self.prefix, incidents)
        job = self.ended(self.data_source.ask(wait=True)).job
        assert job, "one job makes them known"
        tables = self.outputs["incidents_table"], self.outputs["incident_sync_table"]
        incident_table.mark_synced(self.client("dynamodb"), *tables, self.prefix, incidents, job, at)
        return job

    def begin_run(self, **more: Any) -> str:
        """Start the machine as a person does; the ARN of the execution."""
        return self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["incident_sync_state_machine_arn"], input="{}", **more
        )["executionArn"]

    def marking_held(self, after: int = 0) -> contextlib.AbstractContextManager[None]:
        """A pass marks nothing, but so many incidents, until this ends."""
        return self.held(**MARKING, nth=but_the_first(after))

    def runs(self) -> list[dict[str, Any]]:
        """The machine's executions as they are listed, newest first."""
        machine = self.outputs["incident_sync_state_machine_arn"]
        return self.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]

    def one_run(self) -> Run:
        """Run the machine to its end."""
        return self.run_ended(self.begin_run())

    def run_ended(self, arn: str) -> Run:
        """The execution once it has ended."""
        self.wait(arn)
        return Run.of(self.client("stepfunctions").describe_execution(executionArn=arn))

    def done(self) -> Run:
        """Run the machine, which comes out well."""
        run = self.one_run()
        assert run.status == "SUCCEEDED", run
        return run

    def time_passes(self) -> None:
        """Let it be a while later: what is leased is free again, and what waits for ingestion was written long ago."""
        self.end_lease()
        before = stamp(datetime.now(UTC) - A_WHILE)
        waiting = self.waiting("ingestion")
        for name, mark in self.marks(*waiting).items():
            if mark.get("synced"):
                self.assign(name, kb_sync_status={**mark, "synced_at": before})
        for item in waiting.values():
            self._set_in_item(item["id"], "since", before)

    def end_lease(self) -> None:
        """Let nobody hold the lease any more, as when its time is over. Only where its holder has certainly ended."""
        with contextlib.suppress(self.client("dynamodb").exceptions.ConditionalCheckFailedException):
            self._set_in_item("pass", "until", 0)

    def _set_in_item(self, item_id: str, name: str, value: Any) -> None:
        self.client("dynamodb").update_item(
            TableName=self.outputs["incident_sync_table"],
            Key={"id": {"S": item_id}},
            UpdateExpression="SET #name = :value",
            ConditionExpression="attribute_exists(id)",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues=typed({":value": value}),
        )

    def incidents(self) -> dict[str, Incident]:
        """The application's table, by id."""
        return {item["incident_id"]: item for item in self._scanned("incidents_table")}

    def items(self) -> dict[str, Item]:
        """What is known of each incident that was ever closed."""
        found = self._scanned("incident_sync_table")
        return {item["incident_id"]: item for item in found if item["id"].startswith("incident/")}

    def _scanned(self, output: str) -> Iterator[dict[str, Any]]:
        pages = self.client("dynamodb").get_paginator("scan")
        for page in pages.paginate(TableName=self.outputs[output], ConsistentRead=True):
            yield from map(plain, page["Items"])

    def marks(self, *incident_ids: str) -> dict[str, dict[str, Any]]:
        """`kb_sync_status` of each incident that has it."""
        keys = [{"incident_id": each} for each in incident_ids]
        found = read_items(self.client("dynamodb"), self.outputs["incidents_table"], keys)
        return {item["incident_id"]: item["kb_sync_status"] for item in found if "kb_sync_status" in item}

    def waiting(self, what: str) -> dict[str, Item]:
        """The items of incidents that wait for `what`, by incident."""
        pages = (
            self.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.outputs["incident_sync_table"],
                IndexName="waits-for-index",
                KeyConditionExpression="waits_for = :what",
                ExpressionAttributeValues={":what": {"S": what}},
            )
        )
        return {item["incident_id"]: item for page in pages for item in map(plain, page["Items"])}

    def left(self) -> set[str]:
        """The incidents that wait for anything."""
        return {name for what in WAITS for name in self.waiting(what)}

    def objects(self) -> dict[str, str]:
        """ETags by keys of what is under the incidents' prefix."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=self.prefix)
        return {each["Key"]: each["ETag"].strip('"') for page in pages for each in page.get("Contents", [])}

    def body(self, key: str) -> Any:
        """The JSON of an object, with its numbers as they are written."""
        read = self.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return json.loads(read.decode(), parse_float=Decimal, parse_int=Decimal)

    def found(self, question: str, condition: Mapping[str, Any] | None = None, most: int = 100) -> list[str]:
        """The incidents that Retrieve answers with, the best first."""
        search = {"numberOfResults": most, **({"filter": condition} if condition else {})}
        said = self.client("bedrock-agent-runtime").retrieve(
            knowledgeBaseId=self.data_source.place.knowledge_base_id,
            retrievalQuery={"text": question},
            retrievalConfiguration={"vectorSearchConfiguration": search},
        )
        return list(dict.fromkeys(each["metadata"]["incident_id"] for each in said["retrievalResults"]))

    def searchable(self, *incident_ids: str) -> set[str]:
        """Those that Retrieve finds by the word that is theirs alone."""
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            answers = pool.map(lambda name: self.found(word(name), most=1), incident_ids)
            return {name for name, answer in zip(incident_ids, answers, strict=True) if answer == [name]}

    def emitted(self, namespace: str) -> set[tuple[Any, ...]]:
        """Name and dimensions of every metric of that namespace that was ever measured, as CloudWatch knows it."""
        return {
            (metric["Name"], *((name, line[name]) for name in sorted(dimensions)))
            for line in self._measured_by_runs()
            for told in line["_aws"]["CloudWatchMetrics"]
            if told["Namespace"] == namespace
            for metric in told["Metrics"]
            for dimensions in told["Dimensions"]
        }

    def run_metrics(self) -> list[Metrics]:
        """What each run has measured, in order: the embedded metric format in the log of the function that measures."""
        told = self._measured_by_runs()
        return [{name: sum(line[name]) for name in names_of(line)} for line in told]

    def _measured_by_runs(self) -> list[dict[str, Any]]:
        return self.measured(METRICS_LOGS)
