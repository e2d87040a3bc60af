"""From the stream to the deltas, with every trouble at each call of the router and the delta writer, while records and
messages come late, twice and in any order, and compactions take what is pending. The law:

1. no change is lost: what compactions have taken is what the table's items say, no more and no less, and merges to it;
2. whatever is pending can be read;
3. after the last registration a compaction was asked for.

A copy of the functions that leaves one of its precautions out must be caught by the same campaign."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from itertools import product
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from shared.outbox import Outbox
from shared.store_errors import StoreUnavailable
from shared.stream_records import answer, read_record
from tests.conftest import Tell
from tests.fakes.clock import FakeClock
from tests.fakes.crash import Crash
from tests.fakes.dynamodb import FakeDynamoDB, Table
from tests.fakes.intercepted import Intercepted
from tests.fakes.receipts import Receipts
from tests.fakes.s3 import FakeS3, client_error
from tests.fakes.sqs import FakeSqs, Stored
from tests.fakes.stepfunctions import FakeStepFunctions
from vector_store.changes import Change
from vector_store.delta_writer import Delivery, Writer, name_of
from vector_store.deltas import INDEX, Delta, Deltas
from vector_store.errors import DeltaUnreadable
from vector_store.law import heard, merge
from vector_store.machine import Machine
from vector_store.messages import VectorsReady, read_message
from vector_store.places import COLLECTIONS, changes_key
from vector_store.receipts import told_by
from vector_store.router import route

pytestmark = pytest.mark.usefixtures("quiet")

TABLE, BUCKET, MACHINE = "millrace-vector-store", "store", "arn:aws:states:eu-west-1:123456789012:stateMachine:c"
CALLS = 100
"""As many as the longest runs make."""

ONE_IN = 3
"""Of all calls that meet a trouble, every so many-th; the soak run meets all of them."""

STEPS_MAX = 500


class Trouble(Enum):
    """What happens to one call. Who dies is called again with the same."""

    NONE = "none"
    DIES_BEFORE = "dies before it"
    DIES_AFTER = "dies after it"
    FAILS = "fails"
    UNANSWERED = "takes effect, unanswered"


class Gate:
    """Where every call of the functions passes. `log` has what took effect."""

    def __init__(self, trouble: Trouble, at: int) -> None:
        self._trouble = trouble
        self._at = at
        self.calls = 0
        self.log: list[tuple[str, dict[str, Any]]] = []

    def guard(self, client: Any) -> Any:
        return Intercepted(client, self.call)

    def call(self, name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        self.calls += 1
        trouble = self._trouble if self.calls == self._at else Trouble.NONE
        if trouble is Trouble.DIES_BEFORE:
            raise Crash
        if trouble is Trouble.FAILS:
            raise client_error(name, "InternalError", status=500)
        reply = function(**arguments)
        self.log.append((name, arguments))
        if trouble is Trouble.DIES_AFTER:
            raise Crash
        if trouble is Trouble.UNANSWERED:
            raise ReadTimeoutError(endpoint_url="https://aws")
        return reply


def receipts() -> Receipts:
    """A receipt that is written, changed and deleted, and one that stays."""
    table = Receipts()
    for receipt in ("r-1", "r-2"):
        table.put(receipt, "RECEIPT", total=1)
        table.put(receipt, "LINE#00001", text="Milch", x=1)
        table.put(receipt, "LINE#00001#WORD#00001", text="Milch", x=1)
        table.put(receipt, "LINE#00001#WORD#00001#LABEL#PRODUCT", status="PENDING")
        table.put(receipt, "PLACE", merchant_name="Rewe")
        table.put(receipt, f"RUN#run-{receipt}", prefix="delta/", lines=1, words=1)
        table.put(receipt, "LINE#1", text="broken")
    table.put("r-1", "LINE#00001", text="Milch 1,5%")
    table.put("r-1", "LINE#00001#WORD#00001#LABEL#PRODUCT", status="VALID")
    table.remove("r-1", "LINE#00001#WORD#00001#LABEL#PRODUCT")
    table.remove("r-1", "LINE#00001")
    table.remove("r-1", "RECEIPT")
    table.put("r-1", "LINE#00001", text="Milch, after all")
    return table


STREAM = receipts().stream


def expected(collection: str) -> set[str]:
    """What a collection must hear, by its canonical JSON."""
    told = (told_by(read_record(record)) for record in STREAM if record["dynamodb"]["Keys"]["sk"] != {"S": "LINE#1"})
    return {messages[collection].json() for messages in told if collection in messages}


EXPECTED = {collection: expected(collection) for collection in COLLECTIONS}


class Broken(AssertionError):
    """The law does not hold."""


class Flow:
    """One run of the whole from the stream to the compactions."""

    def __init__(
        self,
        seed: int,
        *,
        gate: Gate,
        fifo: bool = False,
        router: Callable[..., Any] = route,
        writer: type[Writer] = Writer,
    ) -> None:
        self._random = Random(seed)
        self._fifo = fifo
        self._gate = gate
        self._router = router
        self._writer = writer
        self._clock = FakeClock()
        self._sqs = FakeSqs(self._clock)
        fake = FakeDynamoDB()
        fake.hurried = True
        fake.tables = {TABLE: Table("id", {INDEX: ("pending", "since")})}
        self._dynamodb, self._s3, self._states = fake, FakeS3(BUCKET), FakeStepFunctions()
        self._urls = {name: f"https://sqs/1/{name}{'.fifo' if fifo else ''}" for name in COLLECTIONS}
        self._place = 0
        self._seen = {collection: set[str]() for collection in COLLECTIONS}
        self._merged = {collection: dict[str, Any]() for collection in COLLECTIONS}

    def go(self) -> None:
        """Work all, and hold it against the law."""
        for _ in range(STEPS_MAX):
            busy = [name for name in COLLECTIONS if self._sqs.queue(self._urls[name]).messages]
            if self._place == len(STREAM) and not busy:
                break
            self._clock.now += 1
            if self._place < len(STREAM) and (not busy or self._random.random() < 0.5):
                self._stream()
            else:
                self._queue(self._random.choice(busy))
            if self._random.random() < 0.2:
                self._compact(self._random.choice(COLLECTIONS))
        else:
            raise Broken(f"not at rest after {STEPS_MAX} steps")
        for collection in COLLECTIONS:
            self._compact(collection)
            self._check(collection)

    def _stream(self) -> None:
        """A batch as a mapping delivers it: again from where it failed, and now and then again though it did not."""
        batch = STREAM[self._place : self._place + self._random.randint(1, 6)]
        outboxes = {
            collection: Outbox(self._gate.guard(self._sqs), url, clock=self._clock, random=self._random.random)
            for collection, url in self._urls.items()
        }
        try:
            told = answer(self._router(batch, outboxes, fifo=self._fifo))
        except (Crash, Exception):
            return
        if failures := told["batchItemFailures"]:
            numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
            self._place += numbers.index(failures[0]["itemIdentifier"])
        elif self._random.random() < 0.8:
            self._place += len(batch)

    def _queue(self, collection: str) -> None:
        """Some messages, in any order where the queue promises none; what is done is now and then delivered again."""
        queue = self._sqs.queue(self._urls[collection])
        number = self._random.randint(1, min(10, len(queue.messages)))
        batch = queue.messages[:number] if self._fifo else self._random.sample(queue.messages, number)
        machine = Machine(self._gate.guard(self._states), MACHINE)
        writer = self._writer(collection, self._deltas(collection, self._gate), machine, self._clock)
        try:
            again = writer.write(map(delivery, batch), stop_at=self._clock.monotonic() + 60)
        except Crash:
            return
        again |= {message.message_id for message in batch if self._random.random() < 0.1}
        queue.messages = [one for one in queue.messages if one not in batch or one.message_id in again]

    def _compact(self, collection: str) -> None:
        """Take what is pending, in any order."""
        deltas = self._deltas(collection, Gate(Trouble.NONE, 0))
        pending = deltas.pending()
        self._random.shuffle(pending)
        for delta in pending:
            self._merge(collection, delta, deltas)
        deltas.done(pending, datetime.fromtimestamp(self._clock.wall(), UTC))

    def _merge(self, collection: str, delta: Delta, deltas: Deltas) -> None:
        if delta.kind == "vectors":
            self._seen[collection].add(VectorsReady(delta.name, "delta/", delta.records, delta.at).json())
            return
        try:
            rows = list(deltas.read(delta))
        except DeltaUnreadable as error:
            raise Broken(f"{delta.name} is pending and cannot be read: {error}") from error
        changes = [row for row in rows if isinstance(row, Change)]
        if len(changes) != len(rows):
            raise Broken(f"{delta.name} has rows that nobody wrote")
        self._seen[collection] |= {change.json() for change in changes}
        self._merged[collection] = merge(self._merged[collection], heard(changes, []))

    def _check(self, collection: str) -> None:
        if missing := EXPECTED[collection] - self._seen[collection]:
            raise Broken(f"{collection} has not heard {sorted(missing)}")
        if more := self._seen[collection] - EXPECTED[collection]:
            raise Broken(f"{collection} has heard {sorted(more)}, which nobody said")
        changes = [said for said in map(read_message, EXPECTED[collection]) if isinstance(said, Change)]
        if self._merged[collection] != merge({}, heard(changes, [])):
            raise Broken(f"{collection} does not merge to what was said")
        took_effect = [
            name
            for name, arguments in self._gate.log
            if (name == "put_item" and arguments["Item"]["pending"] == {"S": collection})
            or (name == "start_execution" and arguments["input"] == json.dumps({"collection": collection}))
        ]
        if took_effect[-1] != "start_execution":
            raise Broken(f"nobody has asked for a compaction of {collection} after the last registration")

    def _deltas(self, collection: str, gate: Gate) -> Deltas:
        dynamodb, s3 = gate.guard(self._dynamodb), gate.guard(self._s3)
        return Deltas(dynamodb, s3, table=TABLE, bucket=BUCKET, collection=collection)


def delivery(message: Stored) -> Mapping[str, Any]:
    return {"messageId": message.message_id, "body": message.body}


def campaign(seed: int, *, one_in: int = 1, troubles: Iterable[Trouble] = Trouble, **options: Any) -> int:
    """How many runs held the law: with each trouble at each call, or at some of them, each in another order."""
    runs = 0
    for trouble, at in product(troubles, range(1, CALLS + 1, one_in)):
        try:
            Flow(seed + 1_000 * at, gate=Gate(trouble, at), **options).go()
        except Broken as error:
            raise Broken(f"seed {seed + 1_000 * at}, call {at} {trouble.value}: {error}") from error
        runs += 1
    return runs


few_or_all = pytest.mark.parametrize(
    ("seeds", "one_in"), [(1, ONE_IN), pytest.param(10, 1, marks=pytest.mark.soak)], ids=["few", "all"]
)


@few_or_all
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_whatever_happens_at_any_call_no_change_is_lost(fifo: bool, seeds: int, one_in: int, tell: Tell) -> None:
    runs = sum(campaign(seed, one_in=one_in, fifo=fifo) for seed in range(seeds))
    tell(f"the law held in {runs:,} runs")


class RegistersFirst(Writer):
    def _register_changes(self, rows: Mapping[str, Any]) -> bool:
        name = name_of(rows)
        with suppress(StoreUnavailable):
            records = len({row.json() for row in rows.values()})
            self._register(Delta(name, "changes", changes_key(self._collection, name), records))
        return super()._register_changes(rows)


class SendsNothingBack(Writer):
    def write(self, deliveries: Iterable[Delivery], *, stop_at: float) -> set[str]:
        super().write(deliveries, stop_at=stop_at)
        return set()


class ForgetsToAsk(Writer):
    def _request(self) -> bool:
        super()._request()
        return True


class AsksFirst(Writer):
    def write(self, deliveries: Iterable[Delivery], *, stop_at: float) -> set[str]:
        super()._request()
        return super().write(deliveries, stop_at=stop_at)

    def _request(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("careless", "trouble"),
    [
        (RegistersFirst, Trouble.DIES_BEFORE),
        (SendsNothingBack, Trouble.FAILS),
        (ForgetsToAsk, Trouble.FAILS),
        (AsksFirst, Trouble.NONE),
    ],
)
def test_a_writer_without_one_of_its_precautions_is_caught(careless: type[Writer], trouble: Trouble) -> None:
    with pytest.raises(Broken):
        campaign(0, troubles=[trouble], writer=careless)


def test_a_router_that_names_no_record_that_failed_is_caught() -> None:
    def forgetful(*arguments: Any, **options: Any) -> None:
        route(*arguments, **options)

    with pytest.raises(Broken, match="has not heard"):
        campaign(0, troubles=[Trouble.FAILS], router=forgetful)
