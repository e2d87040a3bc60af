"""What both workers promise, seen from the queue: whatever is delivered, in the end each message is accounted for once
and each of its documents has one outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kendra_ingestion.documents import JobKey
from tests.fakes.crash import Crash
from tests.fakes.pipeline import INGESTION, REPORTS
from tests.fakes.queue_option import ASIDE_URL, DEAD_URL, HOLD_SECONDS, URL, QueueOption
from tests.fakes.s3 import FakeS3, client_error
from tests.fakes.sqs import Stored, event_of

JOB = JobKey("job-1", "run-1", "attempt-1")
OTHER = JobKey("job-2", "run-2", "attempt-9")
PUT = URL["put"]


@pytest.fixture
def option(dynamodb_client: Any) -> QueueOption:
    return QueueOption(dynamodb_client, FakeS3(INGESTION, REPORTS))


def queued(option: QueueOption, number: int = 4, *, job: JobKey = JOB, prefix: str = "doc") -> list[str]:
    """Put a chunk of that many requests of two documents into the queue; returns the ids."""
    ids = option.plan(job, [("put", [[f"{prefix}-{request}-{place}" for place in "ab"] for request in range(number)])])
    option.produce(job, option.wait_with(f"token of {job.job_id}"))
    return ids


def everything(option: QueueOption, number: int, job: JobKey = JOB) -> None:
    """The law, of a chunk of that many messages."""
    assert option.counted(job) == {(0, request) for request in range(number)}
    assert option.counter(job)["done"] == number
    assert option.machine.answered.count(f"token of {job.job_id}") == 1
    assert option.queues.bodies(PUT) == []


def kills(option: QueueOption, *poison: str, until: int = 10**6) -> list[str]:
    """Make these documents kill the process that sends them, so many times; returns the victims as they come."""
    victims: list[str] = []
    send = option.index.batch_put_document

    def deadly(**request: Any) -> dict[str, Any]:
        found = [item["Id"] for item in request["Documents"] if item["Id"] in poison]
        if found and len(victims) < until:
            victims.extend(found)
            raise Crash
        return send(**request)

    option.index.batch_put_document = deadly  # type: ignore[method-assign]
    return victims


def test_a_batch_is_sent_accounted_for_and_acknowledged(option: QueueOption) -> None:
    ids = queued(option)
    assert option.queues.deliver(PUT, option.put_worker) == {"batchItemFailures": []}
    everything(option, 4)
    assert option.outcomes(JOB) == dict.fromkeys(ids, "sent")
    assert option.index.sent() == option.marked == ids
    assert option.store.keys(REPORTS, "_reports/") == []


def test_deletes_go_the_same_way(option: QueueOption) -> None:
    ids = option.plan(JOB, [("delete", [["old-1", "old-2"], ["old-3"]])])
    option.produce(JOB, option.wait_with("token"))
    option.drain()
    assert option.index.sent("BatchDeleteDocument") == option.marked == ids
    assert option.outcomes(JOB) == dict.fromkeys(ids, "sent")
    assert option.machine.answered == ["token"]


def test_documents_that_fail_are_rows_of_a_part_of_the_report(option: QueueOption) -> None:
    queued(option, 2)
    option.index.rejections["doc-1-a"] = [("InvalidRequest", "=bad")]
    option.drain()
    assert option.outcomes(JOB)["doc-1-a"] == "InvalidRequest"
    part = option.store[f"{REPORTS}/_reports/job-1/put/part-run-1-00000-00001.csv"]
    assert part == b"job-1,doc-1-a,InvalidRequest,'=bad\r\n"
    everything(option, 2)


def test_what_changed_since_it_was_planned_is_sent_as_it_is_now_or_becomes_a_row(option: QueueOption) -> None:
    queued(option, 3)
    option.write_metadata("doc-0-a", Title="New title")
    option.write_metadata("doc-0-b", DocumentId="another")
    option.write_metadata("doc-1-a", Attributes={"nobody": "knows"})
    del option.store[f"{INGESTION}/day/batches/doc-2-a.json.metadata.json"]
    del option.store[f"{INGESTION}/day/batches/doc-2-b.json.metadata.json"]
    option.drain()
    assert option.outcomes(JOB) == {
        "doc-0-a": "sent",
        "doc-0-b": "Unreadable",
        "doc-1-a": "UnknownAttribute",
        "doc-1-b": "sent",
        "doc-2-a": "Unreadable",
        "doc-2-b": "Unreadable",
    }
    assert option.index.documents["doc-0-a"]["Title"] == "New title"
    assert option.index.sent() == ["doc-0-a", "doc-1-b"]
    everything(option, 3)


def test_messages_that_are_in_the_queue_twice_are_sent_once(option: QueueOption) -> None:
    ids = queued(option)
    option.queues.repeat(PUT)
    option.drain()
    everything(option, 4)
    assert option.index.sent() == ids


def test_a_whole_batch_that_is_delivered_again_is_acknowledged_and_not_sent_again(option: QueueOption) -> None:
    ids = queued(option)
    event = event_of(option.queues.receive(PUT))
    for _ in range(3):
        assert option.put_worker(event) == {"batchItemFailures": []}
    assert option.index.sent() == ids
    assert option.counter(JOB)["done"] == 4
    assert option.machine.answered == ["token of job-1"]


def test_a_message_is_answered_for_though_the_one_who_counted_it_died_before(option: QueueOption) -> None:
    queued(option, 1)
    event = event_of(option.queues.receive(PUT))
    option.machine.errors = ["ServiceUnavailable"]
    assert option.put_worker(event) == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert option.machine.answered == []
    assert option.put_worker(event) == {"batchItemFailures": []}
    assert option.machine.answered == ["token of job-1"]


def test_a_token_that_nobody_waits_with_any_more_does_not_hold_up_the_messages(option: QueueOption) -> None:
    queued(option)
    option.machine.waiting.clear()
    option.drain()
    assert len(option.counted(JOB)) == 4
    assert option.queues.bodies(PUT) == []


def test_what_nobody_can_read_is_set_aside_and_its_neighbours_go_on(option: QueueOption) -> None:
    queued(option)
    option.queues.queue(PUT).messages.insert(2, Stored("broken", '{"action": "put"', "put-0"))
    option.drain()
    everything(option, 4)
    assert option.queues.bodies(ASIDE_URL) == ['{"action": "put"']


def test_a_message_that_raises_fails_alone(option: QueueOption) -> None:
    queued(option, 5)
    option.store.before_get = raises_for("doc-2-a")
    answer = option.queues.deliver(PUT, option.put_worker)
    assert answer is not None
    assert len(answer["batchItemFailures"]) == 1
    assert option.counted(JOB) == {(0, request) for request in (0, 1, 3, 4)}
    option.clock.now += 120
    option.queues.deliver(PUT, option.put_worker)
    assert not option.progress(JOB).was_tried(0, 2), "it raised, and killed nobody"
    option.store.before_get = lambda _: None
    option.drain()
    everything(option, 5)


def test_a_message_whose_sending_raises_spoils_none_of_its_group(option: QueueOption) -> None:
    """The call itself dies of something that nobody foresaw, which ends all that is under way."""
    ids = queued(option, 5)
    send = option.index.batch_put_document

    def broken(**request: Any) -> dict[str, Any]:
        if request["Documents"][0]["Id"] == "doc-2-a":
            raise KeyError("nobody foresaw this")
        return send(**request)

    option.index.batch_put_document = broken  # type: ignore[method-assign]
    answer = option.queues.deliver(PUT, option.put_worker)
    assert answer is not None
    assert len(answer["batchItemFailures"]) == 1
    assert option.counted(JOB) == {(0, request) for request in (0, 1, 3, 4)}
    option.drain()
    assert option.outcomes(JOB) == dict.fromkeys(ids, "sent") | {"doc-2-a": "NotProcessed", "doc-2-b": "NotProcessed"}
    everything(option, 5)


def test_a_message_whose_outcomes_cannot_be_written_fails_alone(option: QueueOption) -> None:
    queued(option, 3)
    option.index.rejections["doc-1-a"] = [("InvalidRequest", "no")] * 9
    put = option.store.put_object

    def no_parts(**arguments: Any) -> dict[str, Any]:
        if "/part-" in arguments["Key"]:
            raise client_error("PutObject", "AccessDenied", status=403)
        return put(**arguments)

    option.store.put_object = no_parts
    option.queues.deliver(PUT, option.put_worker)
    assert option.counted(JOB) == {(0, 0), (0, 2)}
    option.store.put_object = put
    option.drain()
    everything(option, 3)


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_message_that_kills_the_process_takes_no_neighbour_along(option: QueueOption, place: int) -> None:
    ids = queued(option, 5)
    victims = kills(option, f"doc-{place}-a")
    option.drain()
    everything(option, 5)
    lost = {f"doc-{place}-a": "NotProcessed", f"doc-{place}-b": "NotProcessed"}
    assert option.outcomes(JOB) == dict.fromkeys(ids, "sent") | lost
    assert len(victims) == option.queues.queue(PUT).max_receives


def test_its_neighbours_are_done_after_the_second_death(option: QueueOption) -> None:
    queued(option, 5)
    kills(option, "doc-1-a")
    for _ in range(3):
        assert option.queues.deliver(PUT, option.put_worker) == {"died": True}
        option.clock.now += HOLD_SECONDS
    assert option.counted(JOB) == {(0, 0), (0, 2), (0, 3), (0, 4)}


def test_two_that_kill_the_process_take_no_neighbour_along_either(option: QueueOption) -> None:
    queued(option, 6)
    kills(option, "doc-1-a", "doc-4-b")
    option.drain()
    everything(option, 6)
    assert [name for name, code in option.outcomes(JOB).items() if code == "NotProcessed"] == [
        "doc-1-a",
        "doc-1-b",
        "doc-4-a",
        "doc-4-b",
    ]


def test_one_of_another_job_that_kills_the_process_is_tried_last_as_well(option: QueueOption) -> None:
    queued(option, 2, prefix="poison")
    queued(option, 2, job=OTHER)
    kills(option, "poison-0-a")
    option.drain()
    everything(option, 2, OTHER)
    assert set(option.outcomes(OTHER).values()) == {"sent"}


def test_a_process_that_died_by_chance_costs_no_document(option: QueueOption) -> None:
    ids = queued(option, 5)
    kills(option, "doc-2-a", until=1)
    option.drain()
    assert option.outcomes(JOB) == dict.fromkeys(ids, "sent")
    everything(option, 5)


def test_after_a_death_a_group_waits_for_the_rest_of_the_invocation_only(option: QueueOption) -> None:
    queued(option, 2)
    kills(option, "doc-0-a")
    option.queues.deliver(PUT, option.put_worker)
    assert {item.visible_at for item in option.queues.queue(PUT).messages} == {option.clock.now + HOLD_SECONDS}


def throttle(option: QueueOption, times: int, after: int = 0) -> None:
    option.index.errors["BatchPutDocument"] = [None] * after + ["ThrottlingException"] * times


def test_a_sink_that_throttles_for_long_gets_its_messages_back_later_with_jitter(option: QueueOption) -> None:
    ids = queued(option)
    throttle(option, 100, after=2)
    option.random = lambda: 0.5
    answer = option.queues.deliver(PUT, option.put_worker)
    left = option.queues.queue(PUT).messages
    assert answer == {"batchItemFailures": [{"itemIdentifier": item.message_id} for item in left]}
    assert len(left) == 2
    assert {item.visible_at for item in left} == {option.clock.now + 1}
    assert option.counted(JOB) == {(0, 0), (0, 1)}
    option.clock.now += 1
    option.queues.deliver(PUT, option.put_worker)
    assert {item.visible_at for item in option.queues.queue(PUT).messages} == {option.clock.now + 2}
    option.index.errors.clear()
    option.drain()
    assert option.outcomes(JOB) == dict.fromkeys(ids, "sent")
    everything(option, 4)


def test_a_message_that_was_throttled_is_not_taken_for_one_that_kills(option: QueueOption) -> None:
    queued(option)
    for _ in range(2):
        throttle(option, 100)
        option.queues.deliver(PUT, option.put_worker)
        option.clock.now += 120
    assert not any(option.progress(JOB).was_tried(0, request) for request in range(4))


def test_a_sink_that_stays_down_ends_in_rows_and_an_end(option: QueueOption) -> None:
    ids = queued(option, 3)
    throttle(option, 10_000)
    option.drain()
    assert option.outcomes(JOB) == dict.fromkeys(ids, "NotProcessed")
    everything(option, 3)


def test_a_misconfigured_sink_makes_rows(option: QueueOption) -> None:
    ids = queued(option, 3)
    option.index.errors["BatchPutDocument"] = ["AccessDeniedException"] * 100
    assert option.queues.deliver(PUT, option.put_worker) == {"batchItemFailures": []}
    assert option.outcomes(JOB) == dict.fromkeys(ids, "SinkMisconfigured")
    everything(option, 3)


def test_an_index_that_is_not_there_makes_rows_before_anything_is_sent(option: QueueOption) -> None:
    ids = queued(option, 2)
    option.index.errors["DescribeIndex"] = ["ResourceNotFoundException"] * 100
    option.drain()
    assert option.outcomes(JOB) == dict.fromkeys(ids, "SinkMisconfigured")
    assert option.index.sent() == []
    everything(option, 2)


def test_what_is_not_sent_in_time_comes_back_at_once(option: QueueOption) -> None:
    ids = queued(option)
    option.index.call_seconds = 10
    event = event_of(option.queues.receive(PUT))
    stop_at = option.clock.now + 25
    answer = option.put_worker(event, stop_at=stop_at)
    left = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
    assert 0 < len(left) < 4
    visible = {item.message_id: item.visible_at for item in option.queues.queue(PUT).messages}
    assert all(visible[message_id] == option.clock.now for message_id in left)
    option.queues.queue(PUT).messages = [item for item in option.queues.queue(PUT).messages if item.message_id in left]
    option.drain()
    assert option.outcomes(JOB) == dict.fromkeys(ids, "sent")
    everything(option, 4)


def test_a_message_that_is_out_of_time_before_it_is_tried_is_not_read_and_leaves_no_mark(option: QueueOption) -> None:
    queued(option)
    option.queues.receive(PUT)
    option.clock.now += 1_000
    event = event_of(option.queues.receive(PUT))
    option.store.reads.clear()
    answer = option.put_worker(event, stop_at=option.clock.now)
    assert len(answer["batchItemFailures"]) == 4
    assert option.index.sent() == []
    assert option.store.reads == []
    assert not any(option.progress(JOB).was_tried(0, request) for request in range(4))


def test_a_stopped_job_is_sent_no_further_and_its_messages_are_not_counted(option: QueueOption) -> None:
    queued(option)
    option.stop(JOB)
    assert option.queues.deliver(PUT, option.put_worker) == {"batchItemFailures": []}
    assert option.index.sent() == []
    assert option.counted(JOB) == set()
    assert option.machine.answered == ["token of job-1"]


def test_a_job_that_is_stopped_midway_ends_at_the_next_whole_request(option: QueueOption) -> None:
    queued(option)
    send = option.index.batch_put_document

    def stopped_meanwhile(**request: Any) -> dict[str, Any]:
        option.stop(JOB)
        option.clock.now += 3
        return send(**request)

    option.index.batch_put_document = stopped_meanwhile  # type: ignore[method-assign]
    assert option.queues.deliver(PUT, option.put_worker) == {"batchItemFailures": []}
    sent = option.index.sent()
    assert 0 < len(sent) < 8
    assert option.outcomes(JOB) == dict.fromkeys(sent, "sent")
    assert option.machine.answered == ["token of job-1"]


def test_a_later_attempt_sends_what_a_stopped_one_left_and_keeps_its_own_token(option: QueueOption) -> None:
    ids = queued(option)
    option.progress(JOB).count(0, 0)
    option.stop(JOB)
    later = JOB._replace(attempt="attempt-2")
    option.produce(later, option.wait_with("later token"))
    stale = option.queues.receive(PUT)[:4]
    event = event_of([item for item in stale if '"attempt":"attempt-1"' in item.body])
    assert option.put_worker(event) == {"batchItemFailures": []}
    assert "later token" in option.machine.waiting
    option.clock.now += 1_000
    option.drain()
    assert option.machine.answered == ["later token"]
    assert option.index.sent() == ids[2:]
    assert option.counted(JOB) == {(0, request) for request in range(4)}


def test_messages_of_two_jobs_in_one_batch_for_the_same_documents_are_each_accounted_for(option: QueueOption) -> None:
    ids = queued(option, 2)
    assert queued(option, 2, job=OTHER) == ids
    answer = option.queues.deliver(PUT, option.put_worker)
    assert answer == {"batchItemFailures": []}
    assert option.outcomes(JOB) == option.outcomes(OTHER) == dict.fromkeys(ids, "sent")
    everything(option, 2)
    everything(option, 2, OTHER)
    assert option.index.sent() == ids * 2


def test_a_job_whose_work_area_is_out_of_reach_holds_up_no_other(option: QueueOption) -> None:
    queued(option, 2)
    queued(option, 2, job=OTHER)
    head = option.store.head_object

    def forbidden(**arguments: Any) -> dict[str, Any]:
        if "/job-1/" in arguments["Key"]:
            raise client_error("HeadObject", "403", status=403)
        return head(**arguments)

    option.store.head_object = forbidden
    answer = option.queues.deliver(PUT, option.put_worker)
    assert answer is not None
    assert len(answer["batchItemFailures"]) == 2
    assert option.counted(OTHER) == {(0, 0), (0, 1)}


def test_a_dead_lettered_message_becomes_rows_and_the_machine_goes_on(option: QueueOption) -> None:
    queued(option, 2)
    kills(option, "doc-0-a")
    option.queues.drain(PUT, option.put_worker)
    assert option.machine.answered == []
    option.queues.drain(DEAD_URL["put"], option.dead_letter_worker)
    everything(option, 2)


def raises_for(name: str) -> Callable[[str], None]:
    def before_get(key: str) -> None:
        if name in key:
            raise client_error("GetObject", "SlowDown", status=503)

    return before_get
