from __future__ import annotations

import json
from typing import Any

import pytest

from kendra_ingestion.documents import JobKey
from kendra_ingestion.errors import QueueingUnfinished, QueueUnavailable
from kendra_ingestion.messages import read
from tests.fakes.pipeline import INGESTION, REPORTS
from tests.fakes.queue_option import URL, QueueOption
from tests.fakes.s3 import FakeS3

JOB = JobKey("job-1", "run-1", "attempt-1")
AGAIN = JOB._replace(attempt="attempt-2")


@pytest.fixture
def option(dynamodb_client: Any) -> QueueOption:
    return QueueOption(dynamodb_client, FakeS3(INGESTION, REPORTS), shards=2)


def requests(number: int, size: int = 2, prefix: str = "doc") -> list[list[str]]:
    return [[f"{prefix}-{request}-{place}" for place in range(size)] for request in range(number)]


def test_every_request_of_the_plan_is_one_message_of_its_queue(option: QueueOption) -> None:
    option.plan(JOB, [("put", requests(12)), ("put", requests(3, prefix="more")), ("delete", requests(2))])
    option.produce(JOB, option.wait_with("token"))
    puts = [read(body) for body in option.queues.bodies(URL["put"])]
    assert sorted((item.chunk, item.request) for item in puts) == [(0, n) for n in range(12)] + [(1, 0), (1, 1), (1, 2)]
    assert puts[0].document_ids == ("doc-0-0", "doc-0-1")
    assert puts[0].references[0].bucket == INGESTION
    assert puts[0].references[0].digest == "digest of doc-0-0"
    deletes = [json.loads(body) for body in option.queues.bodies(URL["delete"])]
    assert [item["documentIds"] for item in deletes] == requests(2)
    assert option.counter(JOB)["expected"] == 17
    assert option.machine.answered == []
    assert option.queues.calls == [10, 2, 3, 2]


def test_a_plan_without_requests_ends_at_once(option: QueueOption) -> None:
    option.plan(JOB, [])
    option.produce(JOB, option.wait_with("token"))
    assert option.machine.answered == ["token"]


def test_called_again_at_once_nothing_is_in_the_queue_twice(option: QueueOption) -> None:
    option.plan(JOB, [("put", requests(4))])
    option.produce(JOB, "token-1")
    option.produce(JOB, "token-2")
    assert len(option.queues.bodies(URL["put"])) == 4
    assert option.counter(JOB)["token"] == "token-2"


def test_a_later_attempt_sends_what_is_not_counted_and_waits_for_it_alone(option: QueueOption) -> None:
    option.plan(JOB, [("put", requests(3))])
    option.produce(JOB, "token-1")
    option.progress(JOB).count(0, 1)
    option.queues.queue(URL["put"]).messages.clear()
    option.produce(AGAIN, option.wait_with("token-2"))
    sent = [read(body) for body in option.queues.bodies(URL["put"])]
    assert sorted(item.request for item in sent) == [0, 2]
    assert {item.job.attempt for item in sent} == {"attempt-2"}
    option.drain()
    assert option.machine.answered == ["token-2"]


def test_when_all_is_counted_the_producer_itself_answers(option: QueueOption) -> None:
    option.plan(JOB, [("put", requests(2))])
    option.progress(JOB).count(0, 0)
    option.progress(JOB).count(0, 1)
    option.produce(JOB, option.wait_with("token"))
    assert option.queues.bodies(URL["put"]) == []
    assert option.machine.answered == ["token"]


def test_workers_that_are_faster_than_the_producer_leave_the_answer_to_it(option: QueueOption) -> None:
    option.plan(JOB, [("put", requests(1)), ("put", requests(1, prefix="more"))])
    send = option.queues.send_message_batch

    def worked_at_once(**arguments: Any) -> dict[str, Any]:
        reply = send(**arguments)
        option.queues.drain(URL["put"], option.put_worker)
        assert option.machine.answered == []
        return reply

    option.queues.send_message_batch = worked_at_once  # type: ignore[method-assign]
    option.produce(JOB, option.wait_with("token"))
    assert option.machine.answered == ["token"]


def test_when_time_runs_out_it_says_how_far_it_came_and_the_next_call_ends_it(option: QueueOption) -> None:
    option.plan(JOB, [("put", requests(25))])
    send = option.queues.send_message_batch

    def slow(**arguments: Any) -> dict[str, Any]:
        option.clock.now += 10
        return send(**arguments)

    option.queues.send_message_batch = slow  # type: ignore[method-assign]
    with pytest.raises(QueueingUnfinished, match="20 messages are sent, up to chunk 0"):
        option.produce(JOB, "token-1", stop_at=15)
    assert "expected" not in option.counter(JOB)
    option.produce(JOB, option.wait_with("token-2"), stop_at=1_000)
    option.drain()
    assert option.machine.answered == ["token-2"]
    assert len(option.counted(JOB)) == 25


def test_entries_that_fail_are_sent_again(option: QueueOption) -> None:
    option.queues.throttled = {1, 7, 12}
    option.plan(JOB, [("put", requests(15))])
    option.produce(JOB, "token")
    assert len(option.queues.bodies(URL["put"])) == 15


def test_a_queue_that_takes_nothing_is_an_error_for_the_machine(option: QueueOption) -> None:
    option.queues.throttled = set(range(1_000))
    option.plan(JOB, [("put", requests(1))])
    with pytest.raises(QueueUnavailable):
        option.produce(JOB, "token")
    assert option.counter(JOB)["token"] == "token"


def test_a_stopped_job_sends_nothing_and_the_machine_goes_on(option: QueueOption) -> None:
    option.plan(JOB, [("put", requests(3))])
    option.stop(JOB)
    option.produce(JOB, option.wait_with("token"))
    assert option.queues.bodies(URL["put"]) == []
    assert option.machine.answered == ["token"]


def test_a_job_that_is_stopped_midway_sends_no_further_chunk(option: QueueOption) -> None:
    option.plan(JOB, [("put", requests(1, prefix=f"chunk-{number}")) for number in range(5)])
    send = option.queues.send_message_batch

    def stopped_meanwhile(**arguments: Any) -> dict[str, Any]:
        option.stop(JOB)
        option.clock.now += 3
        return send(**arguments)

    option.queues.send_message_batch = stopped_meanwhile  # type: ignore[method-assign]
    option.produce(JOB, option.wait_with("token"))
    assert len(option.queues.bodies(URL["put"])) == 1
    assert option.machine.answered == ["token"]
