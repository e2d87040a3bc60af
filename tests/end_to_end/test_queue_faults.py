"""What goes wrong between the plan and the sink, where queues are between them: nothing is lost, and nothing counts
twice."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from kendra_ingestion.documents import JobKey
from kendra_ingestion.messages import messages_of, sealed
from tests.end_to_end.campaign import (
    DEATH_AND_REFUSAL,
    QUEUE_WEATHER,
    SILENCE,
    WEATHER,
    WORKERS,
    Campaign,
    Trouble,
    allow_receives,
    every,
    first_of_each_kind,
    messages_left,
    progress,
    queue,
    shared_out,
    states_entered,
)
from tests.end_to_end.stack import Stack, pair

OFTEN = 1000
DEATHS: Mapping[str, int] = defaultdict(lambda: 2, dict.fromkeys(WORKERS, 6))
"""How many processes of a function may die in one job: a state is tried five times, a message here as often as it
takes."""

ONLY_WHEN_SLOW = "*/verify-*.jsonl"
"""Read by Verify only where the index has answered for a part of a chunk at the first look."""


@pytest.fixture(scope="module")
def queues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: messages may come back as often as it takes, and are counted."""
    stack = Stack.up(tmp_path_factory.mktemp("queue-faults"), deploy_option="sqs")
    allow_receives(stack, OFTEN)
    yield stack
    stack.instance.stop()


@pytest.fixture(autouse=True)
def _nothing_left(queues: Stack) -> Iterator[None]:
    yield
    queues.instance.forget_faults()
    queues.wait_until(lambda: messages_left(queues) == {}, "the queues are empty", 120)


def test_wherever_a_process_dies_the_report_is_the_same(queues: Stack) -> None:
    campaign = Campaign(queues, "deaths")
    points = first_of_each_kind(campaign.rehearse(), campaign.calm)
    shares = shared_out(points, DEATHS)
    missed = campaign.suffer(shares)
    print(f"{len(points) - len(missed)} crash points in {len(shares)} jobs")
    assert [trouble for trouble in missed if not trouble["resource"].endswith(ONLY_WHEN_SLOW[1:])] == []


def test_wherever_a_worker_dies_that_goes_on_after_a_death_the_report_is_the_same(queues: Stack) -> None:
    """Only the calls that a worker makes after a death alone; the others are those of any delivery."""
    ordinary = Campaign(queues, "before")
    known = first_of_each_kind(ordinary.rehearse(), ordinary.calm)
    campaign = Campaign(queues, "after", DEATH_AND_REFUSAL)
    calls = [call for call in campaign.rehearse() if call["function"] in WORKERS]
    points = [point for point in first_of_each_kind(calls, campaign.calm) if point not in known]
    assert {point.action for point in points} == {"dynamodb:PutItem", "dynamodb:DeleteItem"}
    assert campaign.suffer(shared_out(points, DEATHS)) == []
    print(f"{len(points)} crash points")


@pytest.mark.soak
@pytest.mark.parametrize("always", [(), DEATH_AND_REFUSAL], ids=["any-delivery", "after-a-death"])
def test_wherever_a_process_dies_at_any_of_its_calls_the_report_is_the_same(
    queues: Stack, always: Sequence[Trouble]
) -> None:
    campaign = Campaign(queues, f"soak-{bool(always):d}", always)
    calls = campaign.rehearse()
    points = every([call for call in calls if call["function"] in WORKERS] if always else calls)
    shares = shared_out(points, defaultdict(lambda: 1))
    missed = campaign.suffer(shares)
    print(f"{len(points) - len(missed)} crash points in {len(shares)} jobs; not reached:", *missed, sep="\n")
    assert len(missed) < len(points) / 10


@pytest.mark.soak
def test_while_the_sink_does_not_answer_nothing_is_lost(queues: Stack) -> None:
    campaign = Campaign(queues, "silence")
    campaign.rehearse()
    assert campaign.suffer([SILENCE]) == []


def test_whatever_the_services_do_the_report_is_the_same(queues: Stack) -> None:
    campaign = Campaign(queues, "weather")
    campaign.rehearse()
    assert campaign.suffer([*WEATHER.values(), *QUEUE_WEATHER.values()]) == []


def in_tens(name: str) -> list[list[str]]:
    """The ids of a job of three messages."""
    return [[f"{name}-{number:02}" for number in range(start, start + 10)] for start in (0, 10, 20)]


def upload(stack: Stack, prefix: str, name: str) -> list[str]:
    """Upload the documents of `in_tens`, in that order; their ids."""
    ids = [document_id for ten in in_tens(name) for document_id in ten]
    for document_id in ids:
        stack.upload(prefix, pair(document_id))
    return ids


def expect_all(stack: Stack, name: str, ids: list[str]) -> None:
    """Every document is in the index and was counted once, as were the messages."""
    counts = stack.counts(name)
    assert counts["planned"] == len(ids) == counts.get("indexed", 0) + counts.get("updated", 0)
    assert stack.failures(name) == {}
    assert set(stack.statuses(*ids).values()) <= {"INDEXED", "UPDATED"}
    expected, done, counted = progress(stack, name)
    assert expected == done == counted == len(in_tens(name))


def bodies(stack: Stack, name: str) -> list[str]:
    """The messages of a job's first attempt, made again from its plan."""
    execution, run = stack.job(name)["execution"], stack.job(name)["run"]
    work = f"_work/{name}/{run}"
    plan = json.loads(stack.report(f"{work}/plan.json"))
    job = JobKey(name, run, execution.rpartition(":")[2])
    return [
        sealed(message, shards=1).body
        for number in range(len(plan["chunks"]))
        for message in messages_of(
            json.loads(stack.report(f"{work}/plans/{plan['attempt']}/chunks/{number:05}.json")),
            job,
            stack.outputs["ingestion_bucket"],
        )
    ]


def send(stack: Stack, body: str, name: str, group: str = "put-0") -> None:
    """Put a message on the queue of puts, whatever was sent before."""
    stack.client("sqs").send_message(
        QueueUrl=queue(stack, "put"), MessageBody=body, MessageGroupId=group, MessageDeduplicationId=name
    )


class Paused:
    """While it lasts, nobody reads the queue of puts."""

    def __init__(self, stack: Stack) -> None:
        self._lambda = stack.client("lambda")
        mappings = self._lambda.list_event_source_mappings(FunctionName="millrace-put-worker")
        (mapping,) = mappings["EventSourceMappings"]
        self._id = mapping["UUID"]

    def __enter__(self) -> None:
        self._lambda.update_event_source_mapping(UUID=self._id, Enabled=False)

    def __exit__(self, *_: object) -> None:
        self._lambda.update_event_source_mapping(UUID=self._id, Enabled=True)


def begin(stack: Stack, prefix: str, name: str) -> str:
    """Submit a job whose messages nobody reads yet; its execution, once all of them are in the queue."""
    stack.submit(prefix, {"jobId": name, "prefix": prefix})
    stack.wait_until(lambda: "expected" in counter(stack, name), f"the messages of {name} are sent")
    return stack.job(name)["execution"]


def counter(stack: Stack, name: str) -> Mapping[str, Any]:
    """The counter of a job's run; empty where there is none yet."""
    key = {"job": {"S": f"{name}/{stack.job(name).get('run')}"}, "part": {"S": "counter"}}
    return stack.client("dynamodb").get_item(TableName=stack.outputs["progress_table"], Key=key).get("Item", {})


def test_messages_that_are_delivered_twice_count_once(queues: Stack, prefix: str) -> None:
    """Every message once more while its twin is being worked, and once more after the job has ended."""
    ids = upload(queues, prefix, "twice")
    with Paused(queues):
        execution = begin(queues, prefix, "twice")
        again = bodies(queues, "twice")
        for number, body in enumerate(again):
            send(queues, body, f"twice-{number}", group=f"put-{number % 2}")
    assert queues.wait(execution).status == "SUCCEEDED"
    report = queues.report("_reports/twice/failures.csv"), queues.report("_reports/twice/summary.json")
    for number, body in enumerate(again):
        send(queues, body, f"thrice-{number}")
    queues.wait_until(lambda: messages_left(queues) == {}, "the queues are empty", 120)
    expect_all(queues, "twice", ids)
    assert (queues.report("_reports/twice/failures.csv"), queues.report("_reports/twice/summary.json")) == report
    assert states_entered(queues, execution).count("AggregateFailures") == 1


def test_a_batch_that_nobody_deletes_comes_back_and_counts_once(queues: Stack, prefix: str) -> None:
    """Lambda cannot delete what the workers have done with; short timeouts, so that it comes back within the test."""
    functions = queues.client("lambda")
    before = functions.get_function_configuration(FunctionName="millrace-put-worker")["Timeout"]
    functions.update_function_configuration(FunctionName="millrace-put-worker", Timeout=5)
    try:
        ids = upload(queues, prefix, "undeleted")
        rule = queues.instance.order_fault(
            "sqs:DeleteMessage", resource="*-kendra-put.fifo", nth=[1, 2], code="InternalError"
        )
        assert queues.run(prefix, "undeleted").status == "SUCCEEDED"
        queues.wait_until(lambda: messages_left(queues) == {}, "what was not deleted comes back and is", 120)
        assert [told["applied"] for told in queues.instance.faults() if told["id"] == rule] == [2]
        expect_all(queues, "undeleted", ids)
    finally:
        functions.update_function_configuration(FunctionName="millrace-put-worker", Timeout=before)


def test_a_message_that_nobody_can_read_is_set_aside_and_its_neighbours_are_worked(queues: Stack, prefix: str) -> None:
    jobs = {name: upload(queues, f"{prefix}/{name}", name) for name in ("junk-before", "junk-after")}
    junk = ["not JSON", "{}", '{"action": "put", "jobId": "../.."}']
    with Paused(queues):
        executions = [begin(queues, f"{prefix}/junk-before", "junk-before")]
        for number, body in enumerate(junk):
            send(queues, body, f"junk-{number}", group=f"put-{number % 2}")
        executions.append(begin(queues, f"{prefix}/junk-after", "junk-after"))
    assert [queues.wait(execution).status for execution in executions] == ["SUCCEEDED"] * 2
    for name, ids in jobs.items():
        expect_all(queues, name, ids)
    assert sorted(message["Body"] for message in dead_letters(queues, len(junk))) == sorted(junk)


def dead_letters(stack: Stack, number: int) -> list[dict[str, Any]]:
    """Take so many messages out of the queue that people look into, each with the reason why it is there."""
    sqs, url = stack.client("sqs"), stack.outputs["dead_letter_queue_url"]
    found: list[dict[str, Any]] = []

    def take() -> bool:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
        return len(found) >= number

    stack.wait_until(take, f"{number} dead letters")
    assert all(message["MessageAttributes"]["reason"]["StringValue"] for message in found)
    return found


def raising(name: str) -> Trouble:
    """The message with the documents 10 to 19 of a job cannot be accounted for by a worker."""
    return {
        "action": "s3:PutObject",
        "function": "millrace-put-worker",
        "body": f'"{name}-10"',
        "code": "AccessDenied",
        "status": 403,
    }


def killing(name: str) -> Trouble:
    """The message with the documents 10 to 19 of a job takes every process with it that works it."""
    return {
        "action": "kendra:BatchPutDocument",
        "body": f'"{name}-10"',
        "kill": True,
        "redeliver_seconds": 0.2,
    }


@pytest.fixture
def _few_receives(queues: Stack) -> Iterator[None]:
    allow_receives(queues, 4)
    yield
    allow_receives(queues, OFTEN)


@pytest.mark.usefixtures("_few_receives")
@pytest.mark.parametrize("poison", [raising, killing])
def test_a_message_that_cannot_be_worked_becomes_rows_and_its_neighbours_are_indexed(
    queues: Stack, prefix: str, poison: Any
) -> None:
    name = f"poison-{poison.__name__}"
    ids = upload(queues, prefix, name)
    queues.instance.order_fault(**poison(name))
    execution = queues.run(prefix, name)
    assert execution.status == "SUCCEEDED", execution
    expect_one_message_lost(queues, name, ids)


def expect_one_message_lost(stack: Stack, name: str, ids: list[str]) -> None:
    """The second of the three messages is rows, the others are in the index."""
    lost = in_tens(name)[1]
    assert stack.failures(name) == dict.fromkeys(lost, "NotProcessed")
    counts = stack.counts(name)
    assert (counts["planned"], counts["failed"]) == (30, 10)
    assert counts.get("indexed", 0) + counts.get("updated", 0) == 20
    assert set(stack.statuses(*(each for each in ids if each not in lost)).values()) <= {"INDEXED", "UPDATED"}
    expected, done, counted = progress(stack, name)
    assert expected == done == counted == 3


@pytest.mark.usefixtures("_few_receives")
def test_whoever_gives_a_message_up_may_die_at_any_call(queues: Stack, prefix: str) -> None:
    name = "buried-calm"
    ids = upload(queues, prefix, name)
    queues.instance.order_fault(**killing(name))
    rule = queues.instance.order_fault("*", function="*-dead-letter-worker", event=name, watch=True)
    assert queues.run(prefix, name).status == "SUCCEEDED"
    expect_one_message_lost(queues, name, ids)
    calls = next(told["calls"] for told in queues.instance.faults() if told["id"] == rule)
    points = first_of_each_kind(calls, name)
    points = [point._replace(function="millrace-dead-letter-worker") for point in points]
    shares = shared_out(points, defaultdict(lambda: 8))
    for number, share in enumerate(shares):
        name = f"buried-{number:03}"
        ids = upload(queues, f"{prefix}-{number}", name)
        queues.instance.order_fault(**killing(name))
        rules = [queues.instance.order_fault(**trouble, event=name) for trouble in share]
        assert queues.run(f"{prefix}-{number}", name).status == "SUCCEEDED"
        expect_one_message_lost(queues, name, ids)
        assert [told["applied"] for told in queues.instance.faults() if told["id"] in rules] == [1] * len(share)
    print(f"{len(points)} crash points in {len(shares)} jobs")


def test_a_job_that_is_aborted_and_resubmitted_at_once_has_one_report(queues: Stack, prefix: str) -> None:
    ids = upload(queues, prefix, "aborted")
    queues.instance.order_fault("kendra:BatchPutDocument", event="aborted", delay_seconds=1.5)
    states = queues.client("stepfunctions")
    with Paused(queues):
        first = begin(queues, prefix, "aborted")
    queues.wait_until(lambda: queues.instance.faults()[-1]["seen"], "the workers have begun")
    states.stop_execution(executionArn=first)
    second = queues.start(json.loads(states.describe_execution(executionArn=first)["input"]))
    assert queues.wait(second).status == "SUCCEEDED"
    assert queues.wait(first).status == "ABORTED"
    queues.wait_until(lambda: messages_left(queues) == {}, "the queues are empty", 120)
    expect_all(queues, "aborted", ids)
    assert "AggregateFailures" not in states_entered(queues, first)
    assert states_entered(queues, second).count("AggregateFailures") == 1
    lock = queues.job("aborted")
    assert (lock["status"], lock.get("owner")) == ("FINISHED", None)


def test_the_same_job_uploaded_again_within_five_minutes_is_not_taken_for_a_repetition(
    queues: Stack, prefix: str
) -> None:
    ids = upload(queues, prefix, "again")
    assert queues.run(prefix, "again").status == "SUCCEEDED"
    assert queues.counts("again") == {"planned": len(ids), "indexed": len(ids)}
    assert queues.run(prefix, "again").status == "SUCCEEDED"
    assert queues.counts("again") == {"planned": len(ids), "updated": len(ids)}


def test_two_jobs_with_the_same_documents_at_once_each_have_their_report(queues: Stack, prefix: str) -> None:
    ids = upload(queues, prefix, "contested")
    names = ["contested-a", "contested-b"]
    with Paused(queues):
        executions = [begin(queues, prefix, name) for name in names]
    assert [queues.wait(execution).status for execution in executions] == ["SUCCEEDED"] * 2
    for name in names:
        expect_all(queues, name, ids)
    assert queues.run(prefix, "contested-c", mode="changed").status == "SUCCEEDED"
    assert queues.counts("contested-c") == {"planned": len(ids), "updated": len(ids)}
    assert queues.run(prefix, "contested-d", mode="changed").status == "SUCCEEDED"
    assert queues.counts("contested-d") == {"planned": len(ids), "unchanged": len(ids)}
