"""A deployed kb_sync on the embedded AWS, or another machine with single flight. Every call that one of its executions
makes waits until a play lets it go.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from millrace.deployment import SyncSource
from millrace.local.instance import Instance, Options
from millrace.local.knowledge_bases import description
from millrace.local.sync_sources import folder_of
from tests.single_flight.calls import Call
from tests.single_flight.definitions import Change, Definition, as_it_is, kb_sync, sweeper
from tests.state_machines.running import ROLE
from tests.substrate import WAIT_SCALE, configure

T = TypeVar("T")
LOOK_SECONDS = 0.001
REST_SECONDS = 30.0
"""How long a busy machine may take for what takes milliseconds."""
PLENTY = 100_000.0
NEWEST = 10
BUCKET = "single-flight-data"
_numbers = itertools.count(1)


class Target(Protocol):
    """What a play's requests are for: `ids` is what they say, `key` what they are registered for, and what is put under
    the prefix is to be covered."""

    @property
    def key(self) -> str: ...
    @property
    def ids(self) -> dict[str, str]: ...
    @property
    def prefix(self) -> str: ...


class Cloud:
    """An embedded AWS that is never slow by itself, where no wait takes time, and its clients."""

    def __init__(self, folder: Path) -> None:
        self.instance = Instance.start(
            folder,
            Options(
                enforce_iam=False,
                bedrock_requests_per_second=PLENTY,
                bedrock_indexing_seconds=0,
                bedrock_creating_seconds=0,
                bedrock_ingestion_seconds=0,
                bedrock_ingestion_starts_per_second=PLENTY,
                bedrock_ingestion_reads_per_second=PLENTY,
            ),
        )
        configure(self.instance, {WAIT_SCALE: 0})
        self.states = self.instance.client("stepfunctions")
        self.dynamodb = self.instance.client("dynamodb")
        self.bedrock = self.instance.client("bedrock-agent")
        self.s3 = self.instance.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.topic = str(self.instance.client("sns").create_topic(Name="notifications")["TopicArn"])


def eventually(ask: Callable[[], T | None], what: str) -> T:
    """The first answer that is not None. AssertionError after REST_SECONDS."""
    deadline = time.monotonic() + REST_SECONDS
    while (found := ask()) is None:
        assert time.monotonic() < deadline, f"{what} is not so after {REST_SECONDS:.0f} s"
        time.sleep(LOOK_SECONDS)
    return found


class Stage:
    """One machine, its sweeper and their table. Plays use it one after the other: the sweeper knows the whole table."""

    def __init__(self, cloud: Cloud, change: Change = as_it_is) -> None:
        self.instance = cloud.instance
        self.states, self.dynamodb, self.bedrock, self.s3 = cloud.states, cloud.dynamodb, cloud.bedrock, cloud.s3
        self.name = f"stage{next(_numbers)}"
        self.seen: set[str] = set()
        self.dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.machine = self._machine(self.name, self.definition(cloud.topic, change))
        self.sweeper = self._machine(f"{self.name}-sweeper", sweeper(self.name, self.machine))
        for machine in (self.machine, self.sweeper):
            self.instance.order_fault("*", execution=f"{executions_of(machine)}:*", hold=True)

    def definition(self, topic: str, change: Change) -> Definition:
        return kb_sync(self.name, topic, change)

    def _machine(self, name: str, definition: dict[str, Any]) -> str:
        made = self.states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
        return str(made["stateMachineArn"])

    def new_executions(self) -> list[str]:
        """The newest executions of the machine that nobody has seen."""
        newest = self.states.list_executions(stateMachineArn=self.machine, maxResults=NEWEST)["executions"]
        return [each["executionArn"] for each in newest if each["executionArn"] not in self.seen]

    def make(self, call: Call, source: Target) -> None:
        """Make a call in its execution's place; nobody hears what becomes of it."""
        asked = json.loads(call.body)
        with contextlib.suppress(ClientError):
            if call.action == "dynamodb:UpdateItem":
                self.dynamodb.update_item(**asked)
            elif call.action == "states:StartExecution":
                self.states.start_execution(**asked)
            elif call.action == "bedrock:StartIngestionJob":
                self.bedrock.start_ingestion_job(**source.ids, **asked)

    def source(self) -> Target:
        """A data source that nobody has used."""
        name = f"{self.name}-{next(_numbers)}"
        made = self.bedrock.create_knowledge_base(**description(self.instance, name, ROLE))
        base = made["knowledgeBase"]["knowledgeBaseId"]
        prefix = f"{name}/"
        source = self.bedrock.create_data_source(
            knowledgeBaseId=base, name=name, dataSourceConfiguration=folder_of(BUCKET, prefix)
        )["dataSource"]["dataSourceId"]
        return SyncSource(name, base, source, BUCKET, prefix)

    def jobs(self, source: Target) -> list[dict[str, Any]]:
        """The jobs of the source, the oldest first, and what each has covered."""
        return self.instance.jobs(source.ids["dataSourceId"], covered=True)

    def order_job(self, source: Target, outcome: str) -> None:
        """How the source's next job will end, once it is released."""
        self.instance.order_job(source.ids["dataSourceId"], outcome, hold=True)

    def release_jobs(self, source: Target) -> int:
        """Let the source's jobs end; how many there were."""
        return self.instance.release_jobs(source.ids["dataSourceId"])


def executions_of(machine: str) -> str:
    """What the ARNs of its executions begin with."""
    return machine.replace(":stateMachine:", ":execution:")
