from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from kendra_ingestion.documents import JobKey
from kendra_ingestion.outcomes import NOT_PROCESSED, SENT, Outcome
from tests.fakes.pipeline import INGESTION, REPORTS
from tests.fakes.queue_option import ASIDE_URL, DEAD_URL, URL, QueueOption
from tests.fakes.s3 import FakeS3
from tests.fakes.sqs import Stored, event_of

JOB = JobKey("job-1", "run-1", "attempt-1")
DEAD = DEAD_URL["put"]


@pytest.fixture
def option(dynamodb_client: Any) -> QueueOption:
    """A job of three messages, all of them dead letters."""
    option = QueueOption(dynamodb_client, FakeS3(INGESTION, REPORTS))
    option.plan(JOB, [("put", [["doc-0"], ["doc-1"]]), ("delete", [["old"]])])
    option.produce(JOB, option.wait_with("token"))
    for url in URL.values():
        option.queues.queue(DEAD).messages += option.queues.queue(url).messages
        option.queues.queue(url).messages.clear()
    return option


def test_every_document_becomes_the_row_of_one_without_an_outcome(option: QueueOption) -> None:
    option.queues.drain(DEAD, option.dead_letter_worker)
    assert option.outcomes(JOB, 0) | option.outcomes(JOB, 1) == dict.fromkeys(["doc-0", "doc-1", "old"], "NotProcessed")
    part = option.store[f"{REPORTS}/_reports/job-1/delete/part-run-1-00001-00000.csv"].decode()
    assert list(csv.reader(io.StringIO(part, newline=""))) == [["job-1", "old", "NotProcessed", NOT_PROCESSED]]
    assert option.counted(JOB) == {(0, 0), (0, 1), (1, 0)}
    assert option.machine.answered == ["token"]


def test_what_a_worker_wrote_before_it_died_stays_as_it_is(option: QueueOption) -> None:
    option.workspace(JOB).save_sends(0, 0, [Outcome("doc-0", SENT)])
    option.queues.drain(DEAD, option.dead_letter_worker)
    assert option.outcomes(JOB, 0) == {"doc-0": "sent", "doc-1": "NotProcessed"}
    assert option.store.keys(REPORTS, "_reports/job-1/put/") == ["_reports/job-1/put/part-run-1-00000-00001.csv"]
    assert option.machine.answered == ["token"]


def test_what_was_accounted_for_stays_as_it_is_and_the_answer_is_made_up_for(option: QueueOption) -> None:
    for place in ((0, 0), (0, 1), (1, 0)):
        option.progress(JOB).count(*place)
    option.queues.drain(DEAD, option.dead_letter_worker)
    assert option.sends(JOB) == []
    assert option.machine.answered == ["token"]


def test_a_stopped_job_is_left_to_whoever_takes_it_up_again(option: QueueOption) -> None:
    option.stop(JOB)
    option.queues.drain(DEAD, option.dead_letter_worker)
    assert option.sends(JOB) == []
    assert option.counted(JOB) == set()
    assert option.machine.answered == ["token"]


def test_a_message_of_an_attempt_that_was_taken_over_is_left_to_the_later_one(option: QueueOption) -> None:
    later = JOB._replace(attempt="attempt-2")
    option.produce(later, option.wait_with("later token"))
    option.queues.drain(DEAD, option.dead_letter_worker)
    assert option.counted(JOB) == set()
    option.drain()
    assert option.outcomes(JOB, 0) == {"doc-0": "sent", "doc-1": "sent"}
    assert option.machine.answered == ["later token"]


def test_what_nobody_can_read_is_set_aside_and_the_others_go_on(option: QueueOption) -> None:
    option.queues.queue(DEAD).messages.insert(1, Stored("broken", "{", "put-0"))
    option.queues.drain(DEAD, option.dead_letter_worker)
    assert option.queues.bodies(ASIDE_URL) == ["{"]
    assert option.machine.answered == ["token"]


def test_a_message_that_cannot_be_accounted_for_comes_back_alone(option: QueueOption) -> None:
    event = event_of(option.queues.queue(DEAD).messages)
    put = option.store.put_object

    def broken(**arguments: Any) -> dict[str, Any]:
        if "00000-00001.csv" in arguments["Key"]:
            raise OSError("no network")
        return put(**arguments)

    option.store.put_object = broken
    answer = option.dead_letter_worker(event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["messageId"]}]}
    option.store.put_object = put
    assert option.dead_letter_worker(event) == {"batchItemFailures": []}
    assert option.machine.answered == ["token"]
