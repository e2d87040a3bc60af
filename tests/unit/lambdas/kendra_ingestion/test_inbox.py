from __future__ import annotations

from typing import Any

import pytest

from kendra_ingestion.documents import JobKey
from kendra_ingestion.inbox import FORWARD_MAX_BYTES, Inbox, answer, pause
from kendra_ingestion.messages import Message, to_body
from tests.fakes.clock import FakeClock
from tests.fakes.s3 import client_error
from tests.fakes.sqs import FakeSqs, Stored, event_of

DELETE = to_body(Message("delete", JobKey("job-1", "run-1", "a"), 0, 0, to_delete=("old",)))


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs(FakeClock())


def inbox(sqs: Any) -> Inbox:
    return Inbox(sqs, actions=["delete"], dead_letter_queue_url="aside")


def event(*bodies: str, receives: int = 1) -> dict[str, Any]:
    return event_of(
        [Stored(f"m-{place}", body, "g", receives=receives, receipt=f"r-{place}") for place, body in enumerate(bodies)]
    )


def test_what_can_be_read_is_read_with_how_often_it_was_received(sqs: FakeSqs) -> None:
    (letter,), stuck = inbox(sqs).open(event(DELETE, receives=3))
    assert letter.message.to_delete == ("old",)
    assert letter.delivery[:3] == ("m-0", "r-0", 3)
    assert stuck == []


def test_what_nobody_can_read_is_set_aside_with_the_reason_and_is_not_delivered_again(sqs: FakeSqs) -> None:
    letters, stuck = inbox(sqs).open(event("{", DELETE))
    assert [letter.delivery.message_id for letter in letters] == ["m-1"]
    assert answer(stuck) == {"batchItemFailures": []}
    (aside,) = sqs.queue("aside").messages
    assert aside.body == "{"
    assert "not JSON" in aside.attributes["reason"]["StringValue"]
    assert aside.attributes["messageId"]["StringValue"] == "m-0"


def test_a_message_for_the_other_queue_is_set_aside(sqs: FakeSqs) -> None:
    other = Inbox(sqs, actions=["put"], dead_letter_queue_url="aside")
    assert other.open(event(DELETE)) == ([], [])
    (aside,) = sqs.queue("aside").messages
    assert aside.attributes["reason"]["StringValue"] == '/action is "delete"; this queue takes put'


def test_a_message_as_long_as_sqs_takes_is_set_aside_too(sqs: FakeSqs) -> None:
    inbox(sqs).open(event("é" * (512 * 1024)))
    (aside,) = sqs.queue("aside").messages
    assert len(aside.body.encode()) <= FORWARD_MAX_BYTES
    assert aside.attributes["truncated"]["StringValue"] == "1,048,576 bytes"


def test_a_message_that_can_neither_be_read_nor_set_aside_comes_back() -> None:
    class Down:
        def send_message(self, **_: Any) -> Any:
            raise client_error("SendMessage", "ServiceUnavailable", status=503)

    letters, stuck = inbox(Down()).open(event("{", DELETE))
    assert len(letters) == 1
    assert answer(stuck) == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}


def test_a_pause_doubles_with_every_receive_up_to_two_minutes() -> None:
    assert [pause(receives, lambda: 1.0) for receives in range(1, 9)] == [2, 4, 8, 16, 32, 64, 120, 120]
    assert pause(5_000, lambda: 1.0) == 120
    assert pause(7, lambda: 0.5) == 60
    assert pause(7, lambda: 0.0) == 1


def test_messages_are_put_off_by_the_queue(sqs: FakeSqs) -> None:
    sqs.queue("put.fifo").messages = [Stored("m-0", DELETE, "g")]
    sqs.receive("put.fifo")
    (letter,), _ = inbox(sqs).open(event_of(sqs.queue("put.fifo").messages))
    inbox(sqs).put_off("put.fifo", [(letter.delivery, 7)])
    assert sqs.queue("put.fifo").messages[0].visible_at == sqs.clock.now + 7
    inbox(sqs).put_off("put.fifo", [])


def test_a_message_that_cannot_be_put_off_is_left_to_the_queue(sqs: FakeSqs) -> None:
    (letter,), _ = inbox(sqs).open(event(DELETE))
    inbox(sqs).put_off("put.fifo", [(letter.delivery, 7)])

    class Down:
        def change_message_visibility_batch(self, **_: Any) -> Any:
            raise client_error("ChangeMessageVisibilityBatch", "ServiceUnavailable", status=503)

    inbox(Down()).put_off("put.fifo", [(letter.delivery, 7)])
