from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared.outbox import BATCH_MAX_BYTES, Envelope, Outbox, TurnedAway, Untaken, in_batches
from tests.fakes.clock import FakeClock
from tests.fakes.sqs import FakeSqs

BATCH = [Envelope(f"body-{number}") for number in range(10)]


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs(FakeClock())


def outbox(sqs: FakeSqs) -> Outbox:
    return Outbox(sqs, "lines", clock=sqs.clock, random=lambda: 1.0)


def test_a_batch_has_at_most_ten_messages_and_one_mebibyte() -> None:
    small = [Envelope("x", "g", str(number)) for number in range(23)]
    assert [len(batch) for batch in in_batches(small)] == [10, 10, 3]
    large = [Envelope("x" * (BATCH_MAX_BYTES // 2), "g", str(number)) for number in range(3)]
    assert [len(batch) for batch in in_batches(large)] == [2, 1]
    assert list(in_batches([])) == []


def test_a_batch_is_measured_in_bytes_and_not_in_characters() -> None:
    half = Envelope("é" * (BATCH_MAX_BYTES // 4))
    assert [len(batch) for batch in in_batches([half] * 3)] == [2, 1]


def test_who_is_not_served_is_named_by_its_place() -> None:
    sqs = FakeSqs(FakeClock())
    sqs.throttled = {2, 5} | set(range(11, 100))
    with pytest.raises(Untaken, match="lines did not take 2 messages: Nope: no") as caught:
        outbox(sqs).send(BATCH)
    assert caught.value.places == {1, 4}
    assert len(sqs.bodies("lines")) == 8


def test_what_is_refused_for_good_is_told_at_once_with_all_that_were_not_taken(sqs: FakeSqs) -> None:
    sqs.throttled, sqs.refused = {1}, {3}
    with pytest.raises(TurnedAway, match="lines refuses a message") as caught:
        outbox(sqs).send(BATCH)
    assert caught.value.places == {0, 2}
    assert sqs.calls == [10]


@pytest.fixture
def real() -> Iterator[Any]:
    """An SQS client that checks what SQS does."""
    with mock_aws():
        yield boto3.client("sqs", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")


def test_standard_and_fifo_queues_both_take_a_batch(real: Any) -> None:
    standard = real.create_queue(QueueName="lines")["QueueUrl"]
    fifo = real.create_queue(QueueName="lines.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for url, batch in {
        standard: BATCH,
        fifo: [Envelope(body, "compaction:lines", f"id-{body}") for body, _, _ in BATCH],
    }.items():
        Outbox(real, url, clock=FakeClock(), random=lambda: 1.0).send(batch)
        received = real.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert {message["Body"] for message in received} == {envelope.body for envelope in batch}
