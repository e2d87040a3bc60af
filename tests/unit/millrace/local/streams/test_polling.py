from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from millrace.local.acting import Acting, Actor
from millrace.local.event_source_mappings import Mapped
from millrace.local.faults import Faults, Rule
from millrace.local.iam import Everything
from millrace.local.streams import polling
from millrace.local.streams.event_sources import StreamSource
from millrace.local.streams.polling import Poller
from millrace.local.streams.service import Record, Stream
from millrace.local.targets import NotDelivered

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-22T13:00:00.000"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:dead"
REPORTS: dict[str, Any] = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
TOLD: dict[str, Any] = {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}


class Queue:
    """Takes what is sent, unless it is not there."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.gone = False

    def send_message(self, queue: str, message: dict[str, str]) -> None:
        if self.gone:
            raise NotDelivered("QueueDoesNotExist", queue)
        self.messages.append(message["MessageBody"])


class Reader:
    """A function mapped to a stream of numbers; it notes its batches and answers as the test says."""

    def __init__(self, stream: Stream, **settings: Any) -> None:
        self.mapping = {
            "UUID": f"mapping-{id(self)}",
            "EventSourceArn": ARN,
            "Enabled": True,
            "State": "Enabled",
            "LastProcessingResult": "No records processed",
            **settings,
        }
        self.stream = stream
        self.position: int | None = 0
        self.batches: list[list[int]] = []
        self.answer: Callable[[list[int]], Any] = lambda _: {}
        self.ages: list[float] = []
        self.at_once = self.most_at_once = 0
        actor = Actor("lambda.amazonaws.com", "role", "arn:function", "123456789012", "us-east-1")
        self.source = StreamSource(
            Mapped(self.mapping, actor, self._invoke, self._filtered),
            find=lambda: self.stream,
            position=lambda: self.position,
            keep=self._keep,
            measure=self.ages.append,
        )

    def _keep(self, position: int) -> None:
        self.position = position

    def _invoke(self, records: list[Record]) -> dict[str, Any]:
        numbers = [number_of(record) for record in records]
        self.batches.append(numbers)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return dict(self.answer(numbers))
        finally:
            self.at_once -= 1

    @staticmethod
    def _filtered(records: list[Record]) -> list[Record]:
        return [record for record in records if number_of(record) >= 0]

    def drained(self) -> bool:
        return self.position == self.stream.end


def number_of(record: Record) -> int:
    return int(record["dynamodb"]["n"])


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(polling, "THROTTLED_SECONDS", 0.01)
        monkeypatch.setattr(polling, "REFUSED_SECONDS", 0.01)
        self.faults = Faults()
        self.queue = Queue()
        self.readers: list[Reader] = []
        self.stream = Stream(0, [])
        acting = Acting(Everything(), self.faults)
        sources = lambda: [reader.source for reader in self.readers if reader.mapping["Enabled"]]  # noqa: E731
        self.poller = Poller(acting, self.queue, sources, retry_seconds=0.001)  # type: ignore[arg-type]
        self.poller.start()

    def write(self, *numbers: int, at: float | None = None) -> None:
        for number in numbers:
            change = {
                "n": number,
                "SequenceNumber": f"{len(self.stream.records):021d}",
                "ApproximateCreationDateTime": time.time() if at is None else at,
                "SizeBytes": 10,
            }
            self.stream.records.append({"dynamodb": change})
        self.poller.wake()

    def map(self, **settings: Any) -> Reader:
        reader = Reader(self.stream, **settings)
        self.readers.append(reader)
        return reader

    def begin(self) -> None:
        self.poller.wake()


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(monkeypatch)
    yield made
    for reader in made.readers:
        reader.mapping["Enabled"] = False


def raises(numbers: list[int]) -> dict[str, Any]:
    return {"error": True, "body": {"errorMessage": str(numbers)}}


def test_batches_are_of_the_asked_size_in_order_and_one_at_a_time(world: World) -> None:
    reader = world.map(BatchSize=4)
    reader.answer = lambda _: time.sleep(0.01) or {}  # type: ignore[func-returns-value]
    world.write(*range(10))
    until(reader.drained)
    assert all(0 <= age < 5 for age in reader.ages)
    assert len(reader.ages) == len(reader.batches)
    assert [number for batch in reader.batches for number in batch] == list(range(10))
    assert max(len(batch) for batch in reader.batches) <= 4
    assert reader.most_at_once == 1


def test_a_window_gathers_records_until_the_batch_is_full(world: World) -> None:
    reader = world.map(BatchSize=3, MaximumBatchingWindowInSeconds=30)
    world.write(0, 1)
    time.sleep(0.02)
    assert reader.batches == []
    world.write(2)
    until(reader.drained)
    assert reader.batches == [[0, 1, 2]]


def test_a_window_that_closes_hands_out_what_there_is(world: World) -> None:
    reader = world.map(MaximumBatchingWindowInSeconds=0.05)
    world.write(0)
    world.write(1)
    until(reader.drained)
    assert reader.batches == [[0, 1]]


def test_a_reader_that_is_stuck_does_not_stop_another(world: World) -> None:
    stuck, quick = world.map(), world.map()
    stuck.answer = raises
    world.write(1)
    until(quick.drained)
    assert not stuck.drained()


def test_nothing_is_tried_before_what_is_in_front_of_it_is_done(world: World) -> None:
    reader = world.map(BatchSize=1)
    failing = iter([True, True, False])
    reader.answer = lambda numbers: raises(numbers) if numbers == [0] and next(failing) else {}
    world.write(0, 1)
    until(reader.drained)
    assert reader.batches == [[0], [0], [0], [1]]
    assert reader.mapping["LastProcessingResult"] == "OK"


def test_records_go_on_from_the_one_that_failed(world: World) -> None:
    reader = world.map(BatchSize=3, MaximumBatchingWindowInSeconds=30, **REPORTS)
    failures = iter([[{"itemIdentifier": f"{1:021d}"}], []])
    reader.answer = lambda _: {"body": {"batchItemFailures": next(failures)}}
    world.write(0, 1, 2)
    until(reader.drained)
    assert reader.batches == [[0, 1, 2], [1, 2]]


def test_a_poisoned_record_is_singled_out_given_up_and_told_of(world: World) -> None:
    settings = {"MaximumBatchingWindowInSeconds": 30, "BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 1}
    reader = world.map(BatchSize=5, **settings, **TOLD)
    reader.answer = lambda numbers: raises(numbers) if 3 in numbers else {}
    world.write(*range(5))
    until(reader.drained)
    assert reader.batches == [[0, 1, 2, 3, 4], [0, 1, 2], [3, 4], [3], [3], [4]]
    (message,) = world.queue.messages
    assert '"batchSize": 1' in message
    assert '"condition": "RetryAttemptsExhausted"' in message
    assert '"approximateInvokeCount": 2' in message


def test_what_is_too_old_is_given_up_without_being_tried(world: World) -> None:
    reader = world.map(MaximumRecordAgeInSeconds=60, **TOLD)
    world.write(0, at=time.time() - 100)
    until(reader.drained)
    world.write(1)
    until(reader.drained)
    assert reader.batches == [[1]]
    assert '"condition": "RecordAgeExceeded"' in world.queue.messages[0]


def test_what_the_filters_leave_out_counts_as_done(world: World) -> None:
    reader = world.map()
    world.write(-1, -2)
    until(reader.drained)
    assert reader.batches == []


def test_a_throttle_is_no_try(world: World) -> None:
    reader = world.map(MaximumRetryAttempts=0, **TOLD)
    throttled = iter([True, True, True, False])
    reader.answer = lambda _: {"throttle": True, "error": True} if next(throttled) else {}
    world.write(0)
    until(reader.drained)
    assert reader.batches == [[0]] * 4
    assert world.queue.messages == []


def test_a_mapping_that_is_stopped_goes_on_where_it_was(world: World) -> None:
    reader = world.map(BatchSize=2)
    reader.answer = lambda numbers: raises(numbers) if numbers[0] == 2 else {}
    world.write(0, 1, 2, 3)
    until(lambda: len(reader.batches) >= 3)
    reader.mapping["Enabled"] = False
    until(lambda: reader.at_once == 0)
    time.sleep(0.02)
    tried = len(reader.batches)
    assert reader.position == 2
    reader.answer = lambda _: {}
    reader.mapping["Enabled"] = True
    world.begin()
    until(reader.drained)
    assert reader.batches[tried:] == [[2, 3]]


def test_a_stream_that_cannot_be_read_is_read_later(world: World) -> None:
    world.faults.order(Rule.of({"action": "dynamodb:GetRecords", "code": "InternalServerError", "nth": [1, 2]}))
    reader = world.map()
    world.write(0)
    until(reader.drained)
    assert reader.batches == [[0]]


def test_a_destination_that_is_not_there_does_not_stop_the_stream(world: World) -> None:
    world.queue.gone = True
    reader = world.map(BatchSize=1, MaximumRetryAttempts=0, **TOLD)
    reader.answer = lambda numbers: raises(numbers) if numbers == [0] else {}
    world.write(0, 1)
    until(reader.drained)
    assert reader.batches == [[0], [1]]


def test_all_tells_how_many_records_wait(world: World) -> None:
    gate = threading.Event()
    reader = world.map(BatchSize=1)
    reader.answer = lambda _: {"body": gate.wait(5)}
    world.write(0, 1, 2)
    until(lambda: reader.at_once == 1)
    (told,) = world.poller.all()
    assert (told["stream"], told["function"], told["waiting"]) == (ARN, "arn:function", 3)
    gate.set()
    until(reader.drained)
