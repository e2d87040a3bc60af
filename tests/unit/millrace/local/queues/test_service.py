from __future__ import annotations

import time

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


def test_in_a_standard_queue_a_dead_letter_is_as_old_as_the_message():
    assert "enqueued_at" not in dead_letter(MESSAGE, SOURCE, {"is_fifo": False}, 100.0)


def test_deduplication_ids_are_forgotten_when_their_time_is_over():
    now = time.time()
    queue = {
        "dedup_cache": {"old": {"expire": now - 1}, "older than it looks": {"expire": now}, "new": {"expire": now + 60}}
    }
    forget_deduplication(queue)
    assert list(queue["dedup_cache"]) == ["new"]
