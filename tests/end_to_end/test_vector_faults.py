"""What goes wrong on a receipt's way: whoever dies wherever, whatever a service refuses, readers see whole snapshots
and in the end the contents of the table; and one consumer at a time works the exports."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Tell
from tests.end_to_end.campaign import DEATH, HIDDEN_SECONDS, THROUGHPUT_EXCEEDED, Trouble, every, shared_out
from tests.end_to_end.vector_consumer import Consumer, lambda_refusals
from tests.end_to_end.vector_faults import DEATHS, Readers, Round, Rounds, end_lease, expect_right
from tests.end_to_end.vector_stack import COMPACT, EMBED, ROUTER, VectorStack, export_of, line, receipt
from vector_store.places import LINES

FUNCTIONS = "*-vector-*"
MOVE = "dynamodb:TransactWriteItems"
SHORTENED_SECONDS = 4.0
"""What is left of a lease here when its holder dies; where it is deployed, up to 90."""

WEATHER: Mapping[str, Sequence[Trouble]] = {
    "services refuse for a while": [
        {"action": "dynamodb:*", "function": FUNCTIONS, "every": 5, "code": THROUGHPUT_EXCEEDED, "status": 400},
        {"action": "s3:*", "function": FUNCTIONS, "nth": [2, 3, 9, 10], "code": "SlowDown", "status": 503},
        {"action": "sqs:*", "function": FUNCTIONS, "every": 3, "code": "InternalError"},
        {"action": "bedrock:InvokeModel", "nth": [1, 2, 5, 6], "code": "ThrottlingException", "status": 429},
        {"action": "bedrock:InvokeModel", "nth": [9], "code": "ServiceUnavailableException", "status": 503},
    ],
    "services do their work and do not say so": [
        {"action": "dynamodb:*", "function": FUNCTIONS, "every": 4, "when": "after", "code": "InternalServerError"},
        {"action": "s3:*", "function": FUNCTIONS, "every": 7, "when": "after", "code": "InternalError"},
        {"action": "sqs:*", "function": FUNCTIONS, "every": 3, "when": "after", "code": "InternalError"},
        {"action": "bedrock:InvokeModel", "every": 5, "when": "after", "code": "InternalServerException"},
    ],
}
"""What services do now and then, by name."""


BESIDES: Sequence[Trouble] = [
    {"action": MOVE, "function": EMBED, "body": "REMOVE #until", "nth": [1], "when": "after", **DEATH},
    {"action": MOVE, "function": COMPACT, "body": "delta/", "nth": [1], "when": "after", **DEATH},
]
"""Deaths once the lease is given back, and once deltas are marked: first of their kind is another call."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStack]:
    stack = VectorStack.with_vectors(tmp_path_factory.mktemp("vector-faults"))
    yield stack
    stack.instance.stop()


@pytest.fixture(scope="module")
def readers(stack: VectorStack) -> Iterator[Readers]:
    with Readers(stack) as readers:
        yield readers


@pytest.fixture(scope="module")
def rounds(stack: VectorStack, readers: Readers) -> Rounds:
    return Rounds(stack, readers)


@pytest.fixture(autouse=True)
def _no_faults(stack: VectorStack) -> Iterator[None]:
    yield
    stack.instance.forget_faults()


def test_wherever_worker_or_compaction_dies_nothing_is_lost_and_readers_see_whole_snapshots(
    rounds: Rounds, tell: Tell
) -> None:
    points = rounds.points(EMBED, COMPACT)
    first, *others = shared_out(points, DEATHS)
    assert rounds.suffer([[*first, *BESIDES], *others]) == []
    number, all_points = len(points) + len(BESIDES), every(rounds.calls_of(EMBED, COMPACT))
    tell(f"{number} of {len(all_points)} crash points, in {1 + len(others)} rounds")


@pytest.mark.soak
def test_wherever_a_function_dies_at_any_of_its_calls_nothing_is_lost(rounds: Rounds, tell: Tell) -> None:
    points = every(rounds.calls)
    shares = shared_out(points, DEATHS)
    missed = rounds.suffer(shares)
    tell(f"{len(points)} crash points, in {len(shares)} rounds; of them not reached: {missed}")
    assert len(missed) < len(points) / 10


def test_whatever_the_services_do_nothing_is_lost_and_readers_see_whole_snapshots(rounds: Rounds) -> None:
    assert rounds.suffer(list(WEATHER.values())) == []


def test_a_compaction_that_was_overtaken_publishes_nothing(stack: VectorStack, readers: Readers) -> None:
    """Its execution is aborted while it is about to move the pointer; the next one moves it first."""
    before, discarded = stack.version(LINES), discards(stack)
    stack.instance.order_fault(MOVE, function=COMPACT, body=f"pointer/{LINES}", nth=[1], hold=True)
    Round("overtaken").prepare(stack)
    stack.wait_until(stack.instance.held_calls, "a compaction is about to move the pointer")
    (held,) = stack.instance.held_calls()
    stack.client("stepfunctions").stop_execution(executionArn=owner(stack))
    stack.compact(LINES)
    assert stack.version(LINES) > before
    stack.instance.let_go(held["id"])
    stack.wait_until(lambda: discards(stack) == discarded + 1, "the late call has ended")
    stack.settled()
    expect_right(stack)
    readers.expect_whole()


def owner(stack: VectorStack) -> str:
    """The execution that acts for the lines."""
    reply = stack.client("dynamodb").get_item(TableName=stack.outputs["flights_table"], Key={"key": {"S": LINES}})
    return str(reply["Item"]["owner"]["S"])


def discards(stack: VectorStack) -> int:
    """How many calls lost the lines' pointer to another one."""
    return sum(call["outcome"] == "discarded" for call in stack.calls(LINES))


def test_a_record_that_cannot_be_worked_does_not_block_those_behind_it(stack: VectorStack) -> None:
    """Whoever sends it on dies of it: it ends among the dead letters, and what follows is published."""
    with impatient(stack):
        stack.instance.order_fault("sqs:*", function=ROUTER, body="POISON", kill=True)
        stack.put(*receipt("around", "Oat bread 3.10"))
        stack.put_one(line("around", 2, "POISON"))
        stack.put(*receipt("behind", "Total 7.98"))
        stack.embed("behind", export_of(receipt("behind", "Total 7.98")), "run-behind")
        stack.settled()
    shown = stack.shown(LINES)
    assert "behind/00001" in shown
    assert "around/00002" not in shown
    (message,) = dead_letters(stack, "stream")
    assert message["DDBStreamBatchInfo"]["batchSize"] == 1
    stack.instance.forget_faults()
    stack.call("check", repair=True)
    stack.settled()
    expect_right(stack)


@contextlib.contextmanager
def impatient(stack: VectorStack) -> Iterator[None]:
    """A record that cannot be worked is tried once more and given up."""
    functions = stack.client("lambda")
    (mapping,) = functions.list_event_source_mappings(FunctionName=ROUTER)["EventSourceMappings"]
    retries = mapping["MaximumRetryAttempts"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=1)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=retries)


def dead_letters(stack: VectorStack, which: str) -> list[dict[str, Any]]:
    """What lies in a queue of dead letters, which is empty then."""
    sqs, url, found = stack.client("sqs"), stack.outputs["vector_dead_letter_queue_urls"][which], []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
    return found


def test_one_of_two_consumers_works_and_the_other_says_who_does(stack: VectorStack, tmp_path: Path) -> None:
    first, second = Round("first"), Round("second")
    with stack.idle(EMBED), Consumer(stack, tmp_path / "consumer.log") as consumer:
        stack.wait_until(lambda: holder(stack)["kind"] == "ecs", "the process has the lease")
        held = begun(stack, first)
        stack.consumes(EMBED, on=True)
        second.prepare(stack)
        has = holder(stack)
        stack.wait_until(lambda: has in lambda_refusals(stack), "the Lambda consumer says who has the lease")
        stack.instance.let_go(held)
        stack.wait_until(lambda: stack.compaction_run(first.changed, first.changed), "what was begun is written")
        assert consumer.stop() == 0
    stack.settled()
    assert stack.compaction_run(second.deleted, second.deleted)
    expect_right(stack)


def test_when_the_consumer_that_works_is_killed_the_other_takes_over_after_the_leases_time(
    stack: VectorStack, tmp_path: Path
) -> None:
    this = Round("taken-over")
    held = begun(stack, this)
    first = holder(stack)
    over = time.time() + SHORTENED_SECONDS
    end_lease(stack, over)
    with Consumer(stack, tmp_path / "consumer.log") as consumer:
        stack.wait_until(consumer.refusals, "the process says who has the lease")
        assert consumer.refusals()[0] == first
        stack.instance.let_go(held, kill=True, redeliver_seconds=HIDDEN_SECONDS)
        with stack.idle(EMBED):
            stack.wait_until(lambda: holder(stack) != first, "the process has the lease")
            assert time.time() >= over
            assert holder(stack)["kind"] == "ecs"
            stack.wait_until(lambda: not stack.messages("embed_queue_url"), "everything is embedded")
        assert consumer.stop() == 0
    stack.settled()
    expect_right(stack)


def begun(stack: VectorStack, this: Round) -> int:
    """Have a round's receipts embedded, as far as to the first call of Bedrock, which is held; its id."""
    stack.instance.order_fault("bedrock:InvokeModel", nth=[1], hold=True)
    this.prepare(stack)
    stack.wait_until(stack.instance.held_calls, "a text is being embedded")
    (held,) = stack.instance.held_calls()
    return int(held["id"])


def holder(stack: VectorStack) -> dict[str, Any]:
    """Who has the lease, in the words of the log; of no kind where nobody has."""
    item = stack.lease() or {}
    return {"kind": item.get("kind"), "name": item.get("holder")} if "until" in item else {"kind": None}
