"""The incidents workflow on fakes: an application that changes incidents, the stream that tells of it, the functions as
Lambda runs them, and the machine around them. It watches every write and keeps what it saw, so that a test can hold the
workflow's law against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from copy import copy, deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from incident_sync.batch_sync import GRACE_SECONDS, Pass
from incident_sync.batch_sync import Means as PassMeans
from incident_sync.bucket import Bucket
from incident_sync.changes import take_in
from incident_sync.confirm import Confirmation
from incident_sync.confirm import Means as ConfirmMeans
from incident_sync.documents import document, metadata_key, object_key
from incident_sync.errors import IncidentInvalid, PassBusy, StoreUnavailable
from incident_sync.events import page_of, pass_of
from incident_sync.fields import Fields
from incident_sync.incidents import Item, is_closed
from incident_sync.intake import Intake
from incident_sync.knowledge_base import KnowledgeBase
from incident_sync.marks import Marks
from incident_sync.memory import Memory
from incident_sync.queue import INDEX, Queue
from incident_sync.tables import Tables
from tests.fakes.clock import FakeClock
from tests.fakes.crash import Crash
from tests.fakes.dynamodb import FakeDynamoDB, Table
from tests.fakes.intercepted import Intercepted
from tests.fakes.knowledge_base import DATA_SOURCE_ID, KNOWLEDGE_BASE_ID, FakeKnowledgeBase
from tests.fakes.pool import InlinePool
from tests.fakes.s3 import FakeS3

INCIDENTS, ITEMS, BUCKET, PREFIX = "incidents", "millrace-incident-sync", "knowledge", "incidents/closed/"
FIELDS = Fields(("title", "description"), ("priority", "tags"), ("closed_at",))
PASS_SECONDS = 300.0
CALL_SECONDS = 0.02
RUNS_MAX = 12
TRIES_MAX = 120


def tables() -> FakeDynamoDB:
    """Both tables, empty."""
    client = FakeDynamoDB()
    client.tables = {INCIDENTS: Table("incident_id"), ITEMS: Table("id", {INDEX: ("waits_for", "since")})}
    return client


def closed(incident_id: str, title: str = "Disk full", **values: Any) -> dict[str, Any]:
    """A closed incident as DynamoDB has it."""
    texts = {"incident_id": incident_id, "status": "CLOSED", "title": title, "closed_at": "2025-10-05T12:00:00Z"}
    return {name: {"S": text} for name, text in texts.items()} | values


class Broken(AssertionError):
    """The law is broken. The message says which of it, and for which incident."""


@dataclass
class Seen:
    """What a run did, counted where it was done."""

    marked: Counter[str] = field(default_factory=Counter)
    """Items stamped, by what was made."""
    settled: Counter[str] = field(default_factory=Counter)
    """Items that its confirmation settled, by what was made of them before."""


Guard = Callable[[Callable[..., Any], dict[str, Any]], Any]
"""Makes a call, or whatever it wants instead."""


def unguarded(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    return function(**arguments)


class Workflow:
    """One deployment. `guard` stands between the functions and AWS, and may be changed at any time."""

    pass_of_work: type[Pass] = Pass
    marks: type[Marks] = Marks
    memory: type[Memory] = Memory
    confirmation: type[Confirmation] = Confirmation

    def __init__(self, client: Any = None, pool: Executor | None = None) -> None:
        self.clock = FakeClock()
        self.dynamodb = client or tables()
        self.s3 = FakeS3(BUCKET)
        self.bedrock = FakeKnowledgeBase()
        self.pool = pool or InlinePool()
        self.guard: Guard = unguarded
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.records: list[dict[str, Any]] = []
        """What the stream has told, delivered or not."""
        self.delivered = 0
        self.runs: dict[str, Seen] = {}
        self.answers: dict[str, dict[str, Counter[str]]] = {}
        self.written: dict[tuple[str, str], bytes] = {}
        """The document that a mark speaks of, by incident and time of the mark."""
        self._images: dict[str, Item] = {}
        self._numbers = 0

    def twin(self) -> Workflow:
        """Another deployment in the same state; what happens to one does not happen to the other."""
        twin = copy(self)
        twin.dynamodb, twin.s3, twin.bedrock = self.dynamodb.twin(), self.s3.twin(), deepcopy(self.bedrock)
        twin.clock = FakeClock(self.clock.now)
        twin.calls, twin.records, twin.written = list(self.calls), list(self.records), dict(self.written)
        twin.runs, twin.answers = deepcopy(self.runs), deepcopy(self.answers)
        return twin

    # The application

    def put(self, incident: dict[str, Any]) -> None:
        """Write a whole incident, as an application does that knows nothing of marks."""
        self.look()
        self.dynamodb.put_item(TableName=INCIDENTS, Item=incident)
        self.look()

    def change(self, incident_id: str, **values: Any) -> None:
        """Change some attributes of an incident, if it is there."""
        self.look()
        if incident := self.incident(incident_id):
            self.dynamodb.put_item(TableName=INCIDENTS, Item=incident | values)
        self.look()

    def reopen(self, incident_id: str) -> None:
        self.change(incident_id, status={"S": "OPEN"})

    def delete(self, incident_id: str) -> None:
        self.look()
        table = self.dynamodb.tables[INCIDENTS]
        table.items = {name: item for name, item in table.items.items() if name != incident_id}
        self.look()

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.dynamodb.tables[INCIDENTS].items.get(incident_id)
        return found

    def item(self, incident_id: str) -> dict[str, Any]:
        """The incident's item in Millrace's table; empty where it has none."""
        found: dict[str, Any] = self.dynamodb.tables[ITEMS].items.get(f"incident/{incident_id}", {})
        return found

    def waits_for(self, incident_id: str) -> str | None:
        return self.item(incident_id).get("waits_for", {}).get("S")

    def objects(self) -> dict[str, bytes]:
        return dict(self.s3.contents(BUCKET))

    # The stream

    def deliver(self, again: int = 0) -> None:
        """Let the stream tell what it has not told yet, after the last few records once more."""
        self.look()
        records = self.records[max(0, self.delivered - again) :]
        self.delivered = len(self.records)
        intake = Intake(self.dynamodb, ITEMS)
        assert take_in(records, fields=FIELDS, intake=intake, now=self.now()) is None
        self.look()

    def look(self) -> None:
        """See what has been written since the last look, tell it to the stream, and hold it against the law."""
        if self.dynamodb.tables[INCIDENTS].items is self._images:
            return
        for incident_id in sorted(self._images.keys() | self.dynamodb.tables[INCIDENTS].items.keys()):
            before = self._images.get(incident_id)
            now = self.dynamodb.tables[INCIDENTS].items.get(incident_id)
            if before is not now and before != now:
                self._tell(incident_id, before, now)
                self._check_mark(incident_id, before or {}, now or {})
        self._images = self.dynamodb.tables[INCIDENTS].items

    def _tell(self, incident_id: str, before: Item | None, now: Item | None) -> None:
        self._numbers += 1
        images = {name: image for name, image in (("OldImage", before), ("NewImage", now)) if image is not None}
        kind = "INSERT" if before is None else "REMOVE" if now is None else "MODIFY"
        told = {"Keys": {"incident_id": {"S": incident_id}}, "SequenceNumber": str(self._numbers), **images}
        self.records.append(
            {"eventName": kind, "dynamodb": {**told, "StreamViewType": "NEW_AND_OLD_IMAGES"}, "eventID": "1"}
        )

    def _check_mark(self, incident_id: str, before: Item, now: Item) -> None:
        was, mark = before.get("kb_sync_status", {}).get("M", {}), now.get("kb_sync_status", {}).get("M", {})
        if "synced_at" in mark and was.get("synced_at") != mark["synced_at"]:
            wanted = document(now, FIELDS)
            key = object_key(PREFIX, incident_id)
            held = (self.objects().get(key), self.objects().get(metadata_key(key)))
            if held != (wanted.body, wanted.metadata):
                raise Broken(f"{incident_id} is marked as synced, and its objects say something else")
            self.written[incident_id, mark["synced_at"]["S"]] = wanted.body
        if mark.get("searchable") == {"BOOL": True} and was.get("searchable") != {"BOOL": True}:
            read = self.bedrock.jobs[mark["job_id"]["S"]].get(f"s3://{BUCKET}/{object_key(PREFIX, incident_id)}")
            if read is None or read != self.written[incident_id, mark["synced_at"]["S"]]:
                raise Broken(f"{incident_id} is marked as searchable, and the job has read something else")

    def _count(self, parts: list[dict[str, Any]]) -> None:
        """Note what a transaction that took effect says of an incident's item."""
        for part in parts:
            values = part.get("Update", {}).get("ExpressionAttributeValues", {})
            if ":confirmed" in values:
                made = "failed" if ":made" in values else "removed" if ":expiresAt" in values else "written"
                self.seen(values[":confirmed"]["S"]).settled[made] += 1
            elif ":made" in values:
                self.seen(values[":run"]["S"]).marked[values[":made"]["S"]] += 1

    def seen(self, run: str) -> Seen:
        return self.runs.setdefault(run, Seen())

    # The functions

    def one_pass(self, run: str, number: int, started_at: datetime, *, seconds: float = PASS_SECONDS) -> dict[str, Any]:
        """One invocation of batch_sync."""
        event = {"run": run, "pass": number, "startedAt": started_at.isoformat()}
        dynamodb, s3 = self.client(self.dynamodb), self.client(self.s3)
        means = PassMeans(
            Queue(dynamodb, ITEMS),
            Tables(dynamodb, (INCIDENTS, ITEMS), clock=self.clock, random=lambda: 1.0),
            self.marks(INCIDENTS, ITEMS),
            self.memory(dynamodb, ITEMS),
            Bucket(s3, BUCKET, PREFIX),
            FIELDS,
            self.clock,
            self.pool,
        )
        work, began = pass_of(event)
        until = self.clock.wall() + seconds + GRACE_SECONDS
        return self.pass_of_work(work, began, means).go(stop_at=self.clock.monotonic() + seconds * 0.9, until=until)

    def one_page(
        self, run: str, requested_at: datetime, job: Any, cursor: Any = None, *, seconds: float = 800.0
    ) -> Any:
        """One invocation of confirm."""
        event = {"run": run, "requestedAt": requested_at.isoformat(), "job": job, "cursor": cursor}
        dynamodb = self.client(self.dynamodb)
        knowledge_base = KnowledgeBase(
            self.client(self.bedrock),
            knowledge_base_id=KNOWLEDGE_BASE_ID,
            data_source_id=DATA_SOURCE_ID,
            bucket=BUCKET,
            prefix=PREFIX,
            clock=self.clock,
        )
        means = ConfirmMeans(
            Queue(dynamodb, ITEMS),
            Tables(dynamodb, (INCIDENTS, ITEMS), clock=self.clock, random=lambda: 1.0),
            self.marks(INCIDENTS, ITEMS),
            self.memory(dynamodb, ITEMS),
            knowledge_base,
            self.clock,
            self.pool,
        )
        return self.confirmation(page_of(event), means).go(stop_at=self.clock.monotonic() + seconds)

    def client(self, client: Any) -> Any:
        """The client, every call of it guarded and watched."""
        return Intercepted(client, self.call)

    def call(self, name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        self.clock.now += CALL_SECONDS
        self.calls.append((name, arguments))

        def watched(**given: Any) -> Any:
            reply = function(**given)
            if name == "transact_write_items":
                self._count(given["TransactItems"])
            self.look()
            return reply

        return self.guard(watched, arguments)

    # The machine

    def run(self, name: str) -> None:
        """One run, as the machine does it: what dies or cannot go on is tried again."""
        self.clock.now += 1
        started_at = self.now()
        for number in range(1, 21):
            answer = self._tried(lambda number=number: self.one_pass(name, number, started_at))  # type: ignore[misc]
            self.told(name, "sync", answer)
            if not answer["more"]:
                break
        if not answer["uncovered"]:
            return
        requested_at = self.now()
        job = self.bedrock.run_job(BUCKET, self.objects())
        cursor: Any = None
        while True:
            page = self._tried(lambda cursor=cursor: self.one_page(name, requested_at, job, cursor))  # type: ignore[misc]
            self.told(name, "ingestion", page)
            cursor = page["cursor"]
            if cursor is None:
                return

    def told(self, run: str, phase: str, answer: dict[str, Any]) -> None:
        """Add an answer to what a run says."""
        told = self.answers.setdefault(run, {"sync": Counter(), "ingestion": Counter()})
        told[phase].update(
            {name: number for name, number in answer.items() if name not in ("more", "uncovered", "cursor")}
        )

    def settle(self) -> None:
        """Let the stream tell all, and later runs do what waits, until nothing waits but for a person."""
        for number in range(RUNS_MAX):
            self.clock.now += 3600 if number else 1
            self.deliver()
            kinds = {item.get("waits_for", {}).get("S") for item in self.dynamodb.tables[ITEMS].items.values()}
            if kinds <= {None, "person"} and self.delivered == len(self.records):
                return
            self.run(f"later-{len(self.answers)}")
        raise Broken("something waits for ever")

    def check(self, *, exactly: bool = True) -> None:
        """Raise Broken where the end is not what the incidents say; a run must not have counted more than
        it did, nor less where it says `exactly`."""
        self.look()
        wanted: dict[str, bytes] = {}
        for incident_id, incident in self.dynamodb.tables[INCIDENTS].items.items():
            if not is_closed(incident):
                continue
            try:
                made = document(incident, FIELDS)
            except IncidentInvalid as error:
                if self.waits_for(incident_id) != "person" or self.item(incident_id)["reason"] != {"S": str(error)}:
                    raise Broken(f"{incident_id} cannot be written, and nobody is told") from error
                continue
            key = object_key(PREFIX, incident_id)
            wanted |= {key: made.body, metadata_key(key): made.metadata}
            mark = incident.get("kb_sync_status", {}).get("M", {})
            if not mark.get("synced", {}).get("BOOL") or not mark.get("searchable", {}).get("BOOL"):
                raise Broken(f"{incident_id} is not marked in the end")
        if self.objects() != wanted:
            raise Broken(
                f"the bucket does not say what the incidents say: {sorted(self.objects().keys() ^ wanted.keys())}"
            )
        found = {uri.removeprefix(f"s3://{BUCKET}/"): body for uri, body in self.bedrock.documents.items()}
        if found != {key: body for key, body in wanted.items() if not key.endswith(".metadata.json")}:
            raise Broken("a search does not find what the incidents say")
        for run, told in self.answers.items():
            self._check_counts(run, told, exact=exactly)

    def _check_counts(self, run: str, told: dict[str, Counter[str]], *, exact: bool) -> None:
        seen = self.seen(run)
        pairs = {
            "synced": (told["sync"]["synced"], seen.marked["written"]),
            "removed": (told["sync"]["removed"], seen.marked["removed"]),
            "failed": (told["sync"]["failed"], seen.marked["failed"]),
            "searchable": (told["ingestion"]["searchable"], seen.settled["written"]),
            "left": (told["ingestion"]["removed"], seen.settled["removed"]),
            "failed in the job": (told["ingestion"]["failed"], seen.settled["failed"]),
        }
        for what, (counted, did) in pairs.items():
            if counted > did or (exact and counted != did):
                raise Broken(f"run {run} says {counted} {what}, and did {did}")

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall(), UTC)

    def _tried(self, invoke: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        for _ in range(TRIES_MAX):
            try:
                return invoke()
            except (PassBusy, Crash):
                self.clock.now += 15
            except StoreUnavailable:
                self.clock.now += 2
        raise Broken("a step never ends")
