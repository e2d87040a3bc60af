from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from millrace.local import event_source_mappings
from millrace.local.acting import Acting, Actor
from millrace.local.faults import Faults, Rule
from millrace.local.iam import Everything
from millrace.local.queues.functions import FunctionSource
from millrace.local.queues.polling import BATCH_BYTES, REFUSED_SECONDS, Poller, Record

ARN = "arn:aws:sqs:us-east-1:123456789012:"


def a_queue(name: str = "q.fifo") -> dict[str, Any]:
    attributes = {"QueueArn": ARN + name, "VisibilityTimeout": "30", "MessageRetentionPeriod": "345600"}
    return {"url": name, "is_fifo": name.endswith(".fifo"), "attributes": attributes, "messages": []}


class Mapped:
    """Queues that are mapped to one function, which notes its batches and answers as the test says."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.sources: list[FunctionSource] = []
        self.batches: list[list[str]] = []
        self.at_once = self.most_at_once = 0
        self.answer: Callable[[list[Record]], dict[str, Any]] = lambda _: {}
        self._lock = threading.Lock()

    def map(self, queue: dict[str, Any], **settings: Any) -> FunctionSource:
        actor = Actor("lambda.amazonaws.com", "role", "f", "123456789012", "us-east-1")
        mapping = {"UUID": queue["url"], **settings}
        source = FunctionSource(event_source_mappings.Mapped(mapping, actor, self.invoke, self.filtered), queue)
        self.sources.append(source)
        self.poller.wake()
        return source

    def send(self, queue: dict[str, Any], *bodies: str, group: str = "g") -> None:
        for body in bodies:
            self.poller.queues.messages(queue).append({"id": body, "body": body, "group_id": group})

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 5
        while not done():
            assert time.monotonic() < deadline, self.batches
            time.sleep(0.005)

    @staticmethod
    def filtered(records: list[Record]) -> list[Record]:
        return [record for record in records if not record["body"].startswith("-")]

    def invoke(self, records: list[Record]) -> dict[str, Any]:
        with self._lock:
            self.batches.append([record["body"] for record in records])
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self.answer(records)
        finally:
            with self._lock:
                self.at_once -= 1


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def mapped(faults: Faults) -> Iterator[Mapped]:
    poller = Poller(Acting(Everything(), faults))
    serving = Mapped(poller)
    poller.serve(lambda: list(serving.sources))
    poller.start()
    yield serving
    serving.sources.clear()


def test_what_the_function_has_done_with_is_deleted(mapped: Mapped):
    queue = a_queue()
    mapped.map(queue)
    mapped.send(queue, "a", "b")
    mapped.until(lambda: not len(queue["messages"]))
    assert [body for batch in mapped.batches for body in batch] == ["a", "b"]


def test_what_the_filters_leave_out_counts_as_done(mapped: Mapped):
    some, none = a_queue("some.fifo"), a_queue("none.fifo")
    mapped.send(some, "-a", "b")
    mapped.send(none, "-c")
    for queue in (some, none):
        mapped.map(queue)
    mapped.until(lambda: not some["messages"] and not none["messages"])
    assert mapped.batches == [["b"]]


def test_no_more_batches_are_at_work_than_the_mapping_allows(mapped: Mapped):
    queue = a_queue()

    def answer_late(_: list[Record]) -> dict[str, Any]:
        time.sleep(0.05)
        return {}

    mapped.answer = answer_late
    for number in range(12):
        mapped.send(queue, f"{number}", group=f"g{number}")
    mapped.map(queue, BatchSize=1, ScalingConfig={"MaximumConcurrency": 3})
    mapped.until(lambda: not len(queue["messages"]))
    assert mapped.most_at_once == 3


def test_failures_that_are_reported_stay_and_without_the_setting_nobody_reads_them(mapped: Mapped):
    reporting, not_reporting = a_queue("r.fifo"), a_queue("n.fifo")
    mapped.answer = lambda records: {"body": {"batchItemFailures": [{"itemIdentifier": records[-1]["messageId"]}]}}
    for queue in (reporting, not_reporting):
        mapped.send(queue, "a", "b")
    mapped.map(reporting, FunctionResponseTypes=["ReportBatchItemFailures"])
    mapped.map(not_reporting)
    mapped.until(lambda: len(reporting["messages"]) == 1 and not len(not_reporting["messages"]))
    assert [message["body"] for message in reporting["messages"]] == ["b"]


def test_a_batch_waits_for_its_window_or_until_it_is_full(mapped: Mapped):
    queue = a_queue("standard")
    mapped.map(queue, BatchSize=3, MaximumBatchingWindowInSeconds=0.3)
    mapped.send(queue, "a", "b")
    began = time.monotonic()
    mapped.until(lambda: bool(mapped.batches))
    assert time.monotonic() - began > 0.25
    mapped.send(queue, "c", "d", "e")
    began = time.monotonic()
    mapped.until(lambda: len(mapped.batches) == 2)
    assert time.monotonic() - began < 0.25
    assert mapped.batches == [["a", "b"], ["c", "d", "e"]]


def test_a_window_closes_when_the_payload_is_full(mapped: Mapped):
    queue = a_queue("standard")
    mapped.map(queue, BatchSize=100, MaximumBatchingWindowInSeconds=60)
    large = "x" * (BATCH_BYTES // 4)
    mapped.send(queue, "a" + large, "b" + large, "c" + large)
    assert not mapped.batches
    mapped.send(queue, "d" + large)
    mapped.until(lambda: bool(mapped.batches))
    assert [body[0] for body in mapped.batches[0]] == ["a", "b", "c"]


def test_a_throttled_batch_is_offered_again_and_is_received_once(mapped: Mapped):
    queue = a_queue()
    answers = iter([{"error": True, "throttle": True}, {}])
    mapped.answer = lambda _: next(answers)
    mapped.map(queue)
    mapped.send(queue, "a")
    mapped.until(lambda: not len(queue["messages"]))
    assert mapped.batches == [["a"], ["a"]]


def test_a_queue_that_cannot_be_read_does_not_keep_others_waiting(mapped: Mapped):
    broken, queue = a_queue("broken.fifo"), a_queue()
    broken["attributes"]["RedrivePolicy"] = "not JSON"
    mapped.map(broken)
    mapped.map(queue)
    mapped.send(broken, "x")
    mapped.send(queue, "a")
    mapped.until(lambda: mapped.batches == [["a"]])


def test_a_queue_that_was_refused_is_read_again_after_a_pause(mapped: Mapped, faults: Faults):
    queue = a_queue()
    faults.order(Rule("sqs:ReceiveMessage", nth=(1,), code="AccessDenied"))
    source = mapped.map(queue)
    mapped.send(queue, "a")
    began = time.monotonic()
    mapped.until(lambda: "PROBLEM" in source.mapped.mapping.get("LastProcessingResult", ""))
    mapped.until(lambda: mapped.batches == [["a"]])
    assert time.monotonic() - began > REFUSED_SECONDS * 0.9


def test_what_a_killed_worker_had_comes_back_when_the_rule_says(mapped: Mapped):
    queue = a_queue()
    mapped.map(queue)

    def die_once(records: list[Record]) -> dict[str, Any]:
        if len(mapped.batches) > 1:
            return {}
        mapped.poller.redeliver(json.dumps({"Records": records}), 0.1)
        return {"error": True}

    mapped.answer = die_once
    mapped.send(queue, "a", "b")
    mapped.until(lambda: not len(queue["messages"]))
    assert mapped.batches[-1][-1] == "b"
    mapped.poller.redeliver(json.dumps({"jobId": "of no queue"}), 0.1)
