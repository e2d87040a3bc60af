from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from kendra_ingestion.errors import MessageRefused, QueueUnavailable
from kendra_ingestion.outbox import Outbox
from shared.outbox import Envelope
from tests.fakes.clock import FakeClock
from tests.fakes.sqs import FakeSqs

BATCH = [Envelope(f"body-{number}", "put-0", f"id-{number}") for number in range(10)]
BODIES = [envelope.body for envelope in BATCH]


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs(FakeClock())


def outbox(sqs: FakeSqs) -> Outbox:
    return Outbox(sqs, "put.fifo", clock=sqs.clock, random=lambda: 1.0)


def test_a_batch_is_one_call(sqs: FakeSqs) -> None:
    outbox(sqs).send(BATCH)
    assert sqs.bodies("put.fifo") == BODIES
    assert sqs.calls == [10]


def test_entries_that_the_queue_did_not_take_are_sent_again_after_a_pause(sqs: FakeSqs) -> None:
    sqs.throttled = {2, 5, 11}
    outbox(sqs).send(BATCH)
    assert sorted(sqs.bodies("put.fifo")) == BODIES
    assert sqs.calls == [10, 2, 1]
    assert sqs.clock.slept == pytest.approx(0.1 + 0.2)


def test_a_queue_that_takes_nothing_is_an_error_in_the_end(sqs: FakeSqs) -> None:
    sqs.throttled = set(range(1_000))
    with pytest.raises(QueueUnavailable, match=r"put\.fifo did not take 10 messages: Nope: no"):
        outbox(sqs).send(BATCH)
    assert sqs.clock.slept <= 20


def test_a_message_that_the_queue_refuses_is_an_error_at_once(sqs: FakeSqs) -> None:
    sqs.refused = {3}
    with pytest.raises(MessageRefused, match=r"put\.fifo refuses a message: Nope: no"):
        outbox(sqs).send(BATCH)
    assert sqs.calls == [10]


class Deaf:
    """A client whose every call ends with this error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send_message_batch(self, **_: Any) -> Any:
        raise self._error


def refused(code: str, status: int) -> ClientError:
    reply: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(reply, "SendMessageBatch")


@pytest.mark.parametrize(
    "error",
    [
        refused("InternalError", 500),
        refused("ServiceUnavailable", 503),
        refused("RequestThrottled", 403),
        EndpointConnectionError(endpoint_url="https://sqs"),
    ],
)
def test_a_queue_that_does_not_answer_may_be_asked_again_later(error: Exception) -> None:
    with pytest.raises(QueueUnavailable, match=r"put\.fifo did not answer"):
        Outbox(Deaf(error), "put.fifo", clock=FakeClock(), random=lambda: 1.0).send(BATCH)


def test_a_queue_that_may_not_be_used_is_the_services_own_error() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        Outbox(Deaf(refused("AccessDenied", 403)), "put.fifo", clock=FakeClock(), random=lambda: 1.0).send(BATCH)
