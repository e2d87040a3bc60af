from __future__ import annotations

import threading
import time

import pytest

from millrace.local.queues.messages import Messages
from millrace.local.queues.service import dead_letter, forget_deduplication

SOURCE = {"attributes": {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:put.fifo"}}
MESSAGE = {
    "id": "1",
    "body": "poison",
    "group_id": "put-3",
    "dedup_id": "d",
    "receive_count": 3,
    "receipt_handle": "h",
    "visible_at": 5.0,
    "sent_at": 1.0,
    "sys": {"SenderId": "s"},
}


def test_a_dead_letter_keeps_its_identity_and_tells_where_it_was():
    letter = dead_letter(MESSAGE, SOURCE, {"is_fifo": True}, 100.0)
    same = ("id", "body", "group_id", "dedup_id", "receive_count", "sent_at")
    assert {name: letter[name] for name in same} == {name: MESSAGE[name] for name in same}
    assert (letter["receipt_handle"], letter["visible_at"], letter["enqueued_at"]) == (None, 100.0, 100.0)
    assert letter["sys"] == {"SenderId": "s", "DeadLetterQueueSourceArn": SOURCE["attributes"]["QueueArn"]}
    assert MESSAGE["sys"] == {"SenderId": "s"}


def test_a_standard_queue_keeps_a_dead_letter_no_longer_than_the_message():
    assert "enqueued_at" not in dead_letter(MESSAGE, SOURCE, {"is_fifo": False}, 100.0)


@pytest.mark.parametrize("fifo", [True, False])
def test_a_dead_letter_is_as_old_as_its_stay_in_the_queue(fifo: bool):
    letters = Messages(threading.RLock(), fifo=fifo, complete=lambda _: None, changed=lambda: None)
    letters.append(dead_letter(MESSAGE, SOURCE, {"is_fifo": fifo}, 100.0))
    assert letters.oldest() == 100


def test_deduplication_ids_are_forgotten_when_their_time_is_over():
    now = time.time()
    queue = {
        "dedup_cache": {"old": {"expire": now - 1}, "older than it looks": {"expire": now}, "new": {"expire": now + 60}}
    }
    forget_deduplication(queue)
    assert list(queue["dedup_cache"]) == ["new"]
