"""What goes wrong between the plan and the sink, where queues are between them: nothing is lost, and nothing counts
twice."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from kendra_ingestion.documents import JobKey
from kendra_ingestion.messages import messages_of, sealed
from tests.conftest import Tell
from tests.end_to_end.campaign import (
    DEATH_AND_REFUSAL,
    QUEUE_WEATHER,
    SILENCE,
    TRIES,
    WEATHER,
    WORKERS,
    Campaign,
    Trouble,
    every,
    expect_all,
    first_of_each_kind,
    messages_left,
    progress,
    shared_out,
    upload,
)
from tests.end_to_end.queues import Queues
from tests.end_to_end.stack import Stack

OFTEN = 1000
PUTS = "kendra-put"
DEATHS: Mapping[str, int] = defaultdict(lambda: TRIES - 1, dict.fromkeys(WORKERS, 6))
"""How many processes of a function may die in one job; a message is tried as often here as it takes."""
DOCUMENTS = 30
LOST = slice(10, 20)
"""The documents of the second of a job's three messages."""

ONLY_WHEN_SLOW = "*/verify-*.jsonl"
"""Read by Verify only where the index has answered for a part of a chunk at the first look."""


@pytest.fixture(scope="module")
def queued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: messages may come back as often as it takes, and are counted."""
    stack = Stack.up(tmp_path_factory.mktemp("queue-faults"), deploy_option="sqs")
    try:
        with Queues(stack).receives(OFTEN):
            yield stack
    finally:
        stack.instance.stop()


@pytest.fixture(autouse=True)
def _nothing_left(queued: Stack) -> Iterator[None]:
    yield
    queued.instance.forget_faults()
    wait_until_empty(queued)


@pytest.fixture(scope="module")
def ordinary(queued: Stack) -> Campaign:
    return Campaign(queued, "ordinary")


@pytest.fixture(scope="module")
def after_a_death(queued: Stack) -> Campaign:
    return Campaign(queued, "after", DEATH_AND_REFUSAL)


def test_wherever_a_process_dies_the_report_is_the_same(ordinary: Campaign, tell: Tell) -> None:
    points = first_of_each_kind(ordinary.calls, ordinary.calm)
    shares = shared_out(points, DEATHS)
    missed = ordinary.suffer(shares)
    tell(ordinary.told(points, len(shares)))
    assert [trouble for trouble in missed if not trouble["resource"].endswith(ONLY_WHEN_SLOW[1:])] == []


def test_wherever_a_worker_dies_that_goes_on_after_a_death_the_report_is_the_same(
    ordinary: Campaign, after_a_death: Campaign, tell: Tell
) -> None:
    """Only the calls that a worker makes after a death alone; the others are those of any delivery."""
    known = first_of_each_kind(ordinary.calls, ordinary.calm)
    calls = [call for call in after_a_death.calls if call["function"] in WORKERS]
    points = [point for point in first_of_each_kind(calls, after_a_death.calm) if point not in known]
    assert {point.action for point in points} == {"dynamodb:PutItem", "dynamodb:DeleteItem"}
    shares = shared_out(points, DEATHS)
    assert after_a_death.suffer(shares) == []
    tell(after_a_death.told(points, len(shares)))


@pytest.mark.soak
@pytest.mark.parametrize("name", ["ordinary", "after_a_death"])
def test_wherever_a_process_dies_at_any_of_its_calls_the_report_is_the_same(
    request: pytest.FixtureRequest, name: str, tell: Tell
) -> None:
    campaign = request.getfixturevalue(name)
    points = every([call for call in campaign.calls if name == "ordinary" or call["function"] in WORKERS])
    shares = shared_out(points, defaultdict(lambda: 1))
    missed = campaign.suffer(shares)
    tell(f"{campaign.told(points, len(shares))}; of them not reached: {missed}")
    assert len(missed) < len(points) / 10


@pytest.mark.soak
def test_while_the_sink_does_not_answer_nothing_is_lost(ordinary: Campaign) -> None:
    assert ordinary.suffer([SILENCE]) == []


def test_whatever_the_services_do_the_report_is_the_same(ordinary: Campaign) -> None:
    assert ordinary.suffer([*WEATHER.values(), *QUEUE_WEATHER.values()]) == []


def wait_until_empty(stack: Stack) -> None:
    stack.wait_until(lambda: messages_left(stack) == {}, "the queues are empty")


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


def begin(stack: Stack, prefix: str, name: str) -> str:
    """Submit a job whose messages nobody reads yet; its execution, once all of them are in the queue."""
    stack.submit(prefix, {"jobId": name, "prefix": prefix})
    stack.wait_until(lambda: "expected" in counter(stack, name), f"the messages of {name} are sent")
    return stack.job(name)["execution"]


def counter(stack: Stack, name: str) -> Mapping[str, Any]:
    """The counter of a job's run; empty where there is none yet."""
    key = {"job": {"S": f"{name}/{stack.job(name).get('run')}"}, "part": {"S": "counter"}}
    return stack.client("dynamodb").get_item(TableName=stack.outputs["progress_table"], Key=key).get("Item", {})


def test_messages_that_are_delivered_twice_count_once(queued: Stack, prefix: str) -> None:
    """Every message once more while its twin is being worked, and once more after the job has ended."""
    ids = upload(queued, prefix, "twice", DOCUMENTS)
    with Queues(queued).held():
        execution = begin(queued, prefix, "twice")
        again = bodies(queued, "twice")
        for number, body in enumerate(again):
            Queues(queued).send(PUTS, body, group=f"put-{number % 2}")
    assert queued.wait(execution).status == "SUCCEEDED"
    report = queued.report("_reports/twice/failures.csv"), queued.report("_reports/twice/summary.json")
    for body in again:
        Queues(queued).send(PUTS, body, group="put-0")
    wait_until_empty(queued)
    expect_all(queued, "twice", ids)
    assert (queued.report("_reports/twice/failures.csv"), queued.report("_reports/twice/summary.json")) == report
    assert queued.entered(execution).count("AggregateFailures") == 1


def test_a_batch_that_nobody_deletes_comes_back_and_counts_once(queued: Stack, prefix: str) -> None:
    """Lambda cannot delete what the workers have done with; short timeouts, so that it comes back within the test."""
    functions = queued.client("lambda")
    before = functions.get_function_configuration(FunctionName="millrace-put-worker")["Timeout"]
    functions.update_function_configuration(FunctionName="millrace-put-worker", Timeout=5)
    try:
        ids = upload(queued, prefix, "undeleted", DOCUMENTS)
        rule = queued.instance.order_fault(
            "sqs:DeleteMessage", resource="*-kendra-put.fifo", nth=[1, 2], code="InternalError"
        )
        assert queued.run(prefix, "undeleted").status == "SUCCEEDED"
        wait_until_empty(queued)
        assert [told["applied"] for told in queued.instance.faults() if told["id"] == rule] == [2]
        expect_all(queued, "undeleted", ids)
    finally:
        functions.update_function_configuration(FunctionName="millrace-put-worker", Timeout=before)


def test_a_message_that_nobody_can_read_is_set_aside_and_its_neighbours_are_worked(queued: Stack, prefix: str) -> None:
    jobs = {name: upload(queued, f"{prefix}/{name}", name, DOCUMENTS) for name in ("junk-before", "junk-after")}
    junk = ["not JSON", "{}", '{"action": "put", "jobId": "../.."}']
    with Queues(queued).held():
        executions = [begin(queued, f"{prefix}/junk-before", "junk-before")]
        for number, body in enumerate(junk):
            Queues(queued).send(PUTS, body, group=f"put-{number % 2}")
        executions.append(begin(queued, f"{prefix}/junk-after", "junk-after"))
    assert [queued.wait(execution).status for execution in executions] == ["SUCCEEDED"] * 2
    for name, ids in jobs.items():
        expect_all(queued, name, ids)
    assert sorted(message["Body"] for message in dead_letters(queued, len(junk))) == sorted(junk)


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
    """The second message of a job cannot be accounted for by a worker."""
    return {
        "action": "s3:PutObject",
        "function": "millrace-put-worker",
        "body": f'"{name}-010"',
        "code": "AccessDenied",
        "status": 403,
    }


def killing(name: str) -> Trouble:
    """The second message of a job takes every process with it that works it."""
    return {
        "action": "kendra:BatchPutDocument",
        "body": f'"{name}-010"',
        "kill": True,
        "redeliver_seconds": 0.2,
    }


@pytest.fixture
def few_receives(request: pytest.FixtureRequest, queued: Stack) -> Iterator[None]:
    with Queues(queued).receives(getattr(request, "param", 4)):
        yield


@pytest.mark.usefixtures("few_receives")
@pytest.mark.parametrize(("poison", "few_receives"), [(raising, 2), (killing, 4)], indirect=["few_receives"])
def test_a_message_that_cannot_be_worked_becomes_rows_and_its_neighbours_are_indexed(
    queued: Stack, prefix: str, poison: Callable[[str], Trouble]
) -> None:
    name = f"poison-{poison.__name__}"
    ids = upload(queued, prefix, name, DOCUMENTS)
    queued.instance.order_fault(**poison(name))
    execution = queued.run(prefix, name)
    assert execution.status == "SUCCEEDED", execution
    expect_one_message_lost(queued, name, ids)


def expect_one_message_lost(stack: Stack, name: str, ids: list[str]) -> None:
    """The second of the three messages is rows, the others are in the index."""
    lost = ids[LOST]
    assert stack.failures(name) == dict.fromkeys(lost, "NotProcessed")
    counts = stack.counts(name)
    assert (counts["planned"], counts["failed"]) == (DOCUMENTS, len(lost))
    assert counts.get("indexed", 0) + counts.get("updated", 0) == DOCUMENTS - len(lost)
    assert set(stack.statuses(*(each for each in ids if each not in lost)).values()) <= {"INDEXED", "UPDATED"}
    assert progress(stack, name) == (3, 3, 3)


@pytest.mark.usefixtures("few_receives")
def test_whoever_gives_a_message_up_may_die_of_any_kind_of_call(queued: Stack, prefix: str, tell: Tell) -> None:
    name = "buried-calm"
    ids = upload(queued, prefix, name, DOCUMENTS)
    queued.instance.order_fault(**killing(name))
    rule = queued.instance.order_fault("*", function="*-dead-letter-worker", event=name, watch=True)
    assert queued.run(prefix, name).status == "SUCCEEDED"
    expect_one_message_lost(queued, name, ids)
    calls = next(told["calls"] for told in queued.instance.faults() if told["id"] == rule)
    points = first_of_each_kind(calls, name)
    points = [point._replace(function="millrace-dead-letter-worker") for point in points]
    shares = shared_out(points, defaultdict(lambda: 8))
    for number, share in enumerate(shares):
        name = f"buried-{number:03}"
        ids = upload(queued, f"{prefix}-{number}", name, DOCUMENTS)
        queued.instance.order_fault(**killing(name))
        rules = [queued.instance.order_fault(**trouble, event=name) for trouble in share]
        assert queued.run(f"{prefix}-{number}", name).status == "SUCCEEDED"
        expect_one_message_lost(queued, name, ids)
        assert [told["applied"] for told in queued.instance.faults() if told["id"] in rules] == [1] * len(share)
    tell(f"{len(points)} of {len(every(calls))} crash points, in {len(shares)} jobs")


def test_a_job_that_is_aborted_and_resubmitted_at_once_has_one_report(queued: Stack, prefix: str) -> None:
    ids = upload(queued, prefix, "aborted", DOCUMENTS)
    queued.hold(after=1)
    states = queued.client("stepfunctions")
    with Queues(queued).held():
        first = begin(queued, prefix, "aborted")
    queued.wait_until(lambda: queued.instance.faults()[-1]["seen"], "the workers have begun")
    states.stop_execution(executionArn=first)
    queued.instance.forget_faults()
    second = queued.start(json.loads(states.describe_execution(executionArn=first)["input"]))
    assert queued.wait(second).status == "SUCCEEDED"
    assert queued.wait(first).status == "ABORTED"
    wait_until_empty(queued)
    expect_all(queued, "aborted", ids)
    assert "AggregateFailures" not in queued.entered(first)
    assert queued.entered(second).count("AggregateFailures") == 1
    lock = queued.job("aborted")
    assert (lock["status"], lock.get("owner")) == ("FINISHED", None)


def test_the_same_job_uploaded_again_within_five_minutes_is_not_taken_for_a_repetition(
    queued: Stack, prefix: str
) -> None:
    ids = upload(queued, prefix, "again", DOCUMENTS)
    assert queued.run(prefix, "again").status == "SUCCEEDED"
    assert queued.counts("again") == {"planned": len(ids), "indexed": len(ids)}
    assert queued.run(prefix, "again").status == "SUCCEEDED"
    assert queued.counts("again") == {"planned": len(ids), "updated": len(ids)}


def test_two_jobs_with_the_same_documents_at_once_each_have_their_report(queued: Stack, prefix: str) -> None:
    ids = upload(queued, prefix, "contested", DOCUMENTS)
    names = ["contested-a", "contested-b"]
    with Queues(queued).held():
        executions = [begin(queued, prefix, name) for name in names]
    assert [queued.wait(execution).status for execution in executions] == ["SUCCEEDED"] * 2
    for name in names:
        expect_all(queued, name, ids)
    assert queued.run(prefix, "contested-c", mode="changed").status == "SUCCEEDED"
    assert queued.counts("contested-c") == {"planned": len(ids), "updated": len(ids)}
    assert queued.run(prefix, "contested-d", mode="changed").status == "SUCCEEDED"
    assert queued.counts("contested-d") == {"planned": len(ids), "unchanged": len(ids)}
