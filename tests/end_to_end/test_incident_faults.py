"""What goes wrong on an incident's way: whoever dies wherever, whatever a service refuses, a further run makes
everything right, and nothing counts twice."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.incident_table import closed, word
from tests.conftest import Tell
from tests.end_to_end.campaign import (
    THROUGHPUT_EXCEEDED,
    Trouble,
    every,
    first_of_each_kind,
    shared_out,
)
from tests.end_to_end.command import at_once
from tests.end_to_end.incident_laws import expect_lawful, expect_settled
from tests.end_to_end.incident_stack import CHANGES, IncidentStack, Run
from tests.end_to_end.stack import ENDED

FUNCTIONS = "*incident-kb-*"
DEATHS: Mapping[str, int] = defaultdict(lambda: 3)
"""How many processes of a function may die in one run: a Task whose function dies is tried four times more, and a batch
of the stream's records ten times."""
TASKS = ("SyncBatch", "Ingest", "Confirm", "Measure")
WRITTEN, REMOVED = 2, 2
"""What a round's run has to write and to remove."""

WEATHER: Mapping[str, Sequence[Trouble]] = {
    "DynamoDB throttles every third call": [
        {"action": "dynamodb:*", "function": FUNCTIONS, "every": 3, "code": THROUGHPUT_EXCEEDED, "status": 400}
    ],
    "DynamoDB throttles the marks for a while": [
        {
            "action": "dynamodb:TransactWriteItems",
            "function": FUNCTIONS,
            "body": "kb_sync_status",
            "nth": list(range(1, 9)),
            "code": THROUGHPUT_EXCEEDED,
            "status": 400,
        }
    ],
    "S3 asks to slow down": [
        {"action": "s3:*", "function": FUNCTIONS, "nth": list(range(1, 8)), "code": "SlowDown", "status": 503}
    ],
    "S3 does its work and does not say so": [
        {"action": "s3:*", "function": FUNCTIONS, "every": 2, "when": "after", "code": "InternalError"}
    ],
    "DynamoDB does its work and does not say so": [
        {"action": "dynamodb:*", "function": FUNCTIONS, "every": 3, "when": "after", "code": "InternalServerError"}
    ],
}
"""What services do now and then, by name."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IncidentStack]:
    stack = IncidentStack.with_incidents(tmp_path_factory.mktemp("incident-faults"))
    yield stack
    stack.instance.stop()


@pytest.fixture(scope="module")
def rounds(stack: IncidentStack) -> Rounds:
    return Rounds(stack)


@pytest.fixture(autouse=True)
def _no_faults(stack: IncidentStack) -> Iterator[None]:
    yield
    stack.instance.forget_faults()
    stack.instance.forget_job_orders()
    stack.data_source.release()


@dataclass(frozen=True)
class Round:
    """Four incidents and what happens to them: one is closed, one is changed, one is reopened, one is deleted."""

    name: str

    @property
    def incidents(self) -> list[str]:
        return [f"{self.name}-{number}" for number in range(1, 5)]

    def prepare(self, stack: IncidentStack) -> None:
        stack.put(*[closed(name) for name in self.incidents[1:]])

    def happen(self, stack: IncidentStack) -> None:
        """Waits until the stream has told of everything."""
        new, changed, reopened, deleted = self.incidents
        stack.write(closed(new))
        stack.assign(changed, resolution=f"The {self.name} was rebuilt.")
        stack.assign(reopened, status="OPEN")
        stack.erase(deleted)
        stack.heard()


class Rounds:
    """The same few changes again and again, each time with other troubles. The rehearsal comes first, once: `calls` are
    those that functions made for it, in their order, `states` those that its run passed through."""

    def __init__(self, stack: IncidentStack) -> None:
        self._stack = stack
        self._numbers = itertools.count()
        self._prepared: list[Round] = []
        calm = self._next()
        self.calm = calm.name
        rule = stack.instance.order_fault("*", function=FUNCTIONS, watch=True)
        calm.happen(stack)
        run = stack.done()
        self.calls = next(told["calls"] for told in stack.instance.faults() if told["id"] == rule)
        stack.instance.forget_faults()
        self.states = stack.entered(run.arn)
        assert {call["function"].rpartition("-")[2] for call in self.calls} == {"sync", "changes", "confirm", "metrics"}
        self._expect_right(calm, [run])

    def suffer(self, shares: Sequence[Sequence[Trouble]]) -> list[Trouble]:
        """A round for each share of the troubles; the troubles that no call met."""
        self.prepare(len(shares))
        return [trouble for share in shares for trouble in self._suffer(share)]

    def prepare(self, number: int) -> None:
        """Have the incidents of so many rounds synced, in as few runs as can be."""
        fresh = [Round(f"round-{next(self._numbers):03}") for _ in range(number - len(self._prepared))]
        for each in fresh:
            each.prepare(self._stack)
        if fresh:
            self._stack.done()
        self._prepared += fresh

    def _next(self) -> Round:
        self.prepare(1)
        return self._prepared.pop(0)

    def _suffer(self, share: Sequence[Trouble]) -> list[Trouble]:
        stack, this = self._stack, self._next()
        rules = {stack.instance.order_fault(**trouble): trouble for trouble in share}
        try:
            this.happen(stack)
            first = self._ended(stack.begin_run())
            met = {told["id"] for told in stack.instance.faults() if told["applied"]}
            stack.instance.forget_faults()
            expect_lawful(stack, this.incidents)
            expect_nothing_charged(stack)
            stack.time_passes()
            self._expect_right(this, [first, stack.done()])
        except AssertionError as error:
            raise AssertionError(f"{this.name}: {error}\nwhere " + "\n      ".join(map(str, share))) from error
        return [trouble for number, trouble in rules.items() if number not in met]

    def abort_after(self, entered: int) -> None:
        """A round whose run is aborted as soon as it has left the state of that number."""
        stack, this = self._stack, self._next()
        this.happen(stack)
        name = f"{this.name}-aborted"
        stack.instance.order_fault("history:*StateExited", execution=f"*:{name}", nth=[entered + 1], kill=True)
        first = stack.run_ended(stack.begin_run(name=name))
        stack.instance.forget_faults()
        assert first.status == "ABORTED", f"nothing was left to abort after {self.states[entered]}"
        expect_lawful(stack, this.incidents)
        stack.time_passes()
        self._expect_right(this, [stack.done()])

    def _ended(self, arn: str) -> Run:
        """The execution once it has ended. Where a process has died, the clock is put forward past its lease."""
        stack, dead = self._stack, 0

        def ended() -> bool:
            nonlocal dead
            killed = sum(told["applied"] for told in stack.instance.faults() if told["rule"]["kill"])
            if killed > dead:
                stack.end_lease()
                dead = killed
            return stack.client("stepfunctions").describe_execution(executionArn=arn)["status"] in ENDED

        stack.wait_until(ended, f"{arn} has ended")
        return stack.run_ended(arn)

    def _expect_right(self, this: Round, runs: Sequence[Run]) -> None:
        """Everything is as the incidents say, and the runs that told of it told of nothing twice."""
        expect_settled(self._stack, this.incidents)
        _, changed, *_ = this.incidents
        assert self._stack.found(f"{this.name} rebuilt {word(changed)}")[:1] == [changed]
        told = Counter[str]()
        for run in runs:
            if run.status == "SUCCEEDED":
                told.update({name: run.sync[name] for name in ("synced", "removed", "failed")})
                told["searchable"] += run.ingestion["searchable"]
        most = Counter(synced=WRITTEN, removed=REMOVED, searchable=WRITTEN)
        assert told <= most, f"something counts twice: {told}"
        if all(run.status == "SUCCEEDED" for run in runs) and len(runs) > 1:
            assert (told["synced"], told["removed"]) == (WRITTEN, REMOVED), f"something does not count: {told}"


def expect_nothing_charged(stack: IncidentStack) -> None:
    """What fails for a reason that is not the incident's counts as none of its attempts."""
    charged = {name: item["reason"] for name, item in stack.items().items() if item.get("attempts")}
    assert charged == {}


def test_wherever_a_function_dies_a_further_run_makes_everything_right(rounds: Rounds, tell: Tell) -> None:
    points = first_of_each_kind(rounds.calls, rounds.calm)
    shares = shared_out(points, DEATHS)
    assert rounds.suffer(shares) == []
    tell(f"{len(points)} of {len(every(rounds.calls))} crash points, in {len(shares)} runs")


@pytest.mark.soak
def test_wherever_a_function_dies_at_any_of_its_calls_a_further_run_makes_everything_right(
    rounds: Rounds, tell: Tell
) -> None:
    points = every(rounds.calls)
    shares = shared_out(points, defaultdict(lambda: 1))
    missed = rounds.suffer(shares)
    tell(f"{len(points)} crash points, in {len(shares)} runs; of them not reached: {missed}")
    assert len(missed) < len(points) / 10


def test_whatever_the_services_do_a_further_run_makes_everything_right(rounds: Rounds) -> None:
    assert rounds.suffer(list(WEATHER.values())) == []


def test_whichever_task_a_run_is_aborted_after_a_further_run_makes_everything_right(rounds: Rounds) -> None:
    rounds.prepare(len(TASKS))
    for task in TASKS:
        rounds.abort_after(rounds.states.index(task))


@pytest.mark.soak
def test_whichever_state_a_run_is_aborted_after_a_further_run_makes_everything_right(rounds: Rounds) -> None:
    """Of the last one nothing is left to abort."""
    rounds.prepare(len(rounds.states) - 1)
    for number in range(len(rounds.states) - 1):
        rounds.abort_after(number)


def test_records_that_arrive_again_late_and_in_another_order_change_nothing(stack: IncidentStack) -> None:
    this = Round("again")
    this.prepare(stack)
    stack.done()
    this.happen(stack)
    stack.done()
    expect_settled(stack, this.incidents)
    before = {name: stack.items()[name] for name in this.incidents}
    told = [each for each in records(stack) if each["dynamodb"]["Keys"]["incident_id"]["S"] in this.incidents]
    assert len(told) >= 3 + 4
    for again in (told, told[::-1], told[:1] * 2, told[-1:] * 2):
        answer = stack.client("lambda").invoke(FunctionName=CHANGES, Payload=json.dumps({"Records": again}).encode())
        assert "FunctionError" not in answer
        assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    assert {name: stack.items()[name] for name in this.incidents} == before
    assert stack.done().sync["passes"] == 1
    expect_settled(stack, this.incidents)


def records(stack: IncidentStack) -> list[dict[str, Any]]:
    """All that the stream of the incidents' table still has, as Lambda hands it to a function."""
    streams = stack.client("dynamodbstreams")
    (stream,) = streams.list_streams(TableName=stack.outputs["incidents_table"])["Streams"]
    found: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]:
        position = {"StreamArn": stream["StreamArn"], "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(**position)["ShardIterator"]
        while iterator:
            said = streams.get_records(ShardIterator=iterator)
            found += said["Records"]
            iterator = said.get("NextShardIterator") if said["Records"] else None
    for each in found:
        each["dynamodb"]["ApproximateCreationDateTime"] = each["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    return found


@contextlib.contextmanager
def impatient(stack: IncidentStack) -> Iterator[None]:
    """A record that cannot be worked is tried once more and given up."""
    functions = stack.client("lambda")
    (mapping,) = functions.list_event_source_mappings(FunctionName=CHANGES)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=1)
    try:
        yield
    finally:
        functions.update_event_source_mapping(
            UUID=mapping["UUID"], MaximumRetryAttempts=mapping["MaximumRetryAttempts"]
        )


def test_changes_that_cannot_be_noted_down_are_kept_and_a_check_makes_up_for_them(stack: IncidentStack) -> None:
    """Of an incident that was closed, and of one that was deleted."""
    refused, forgotten = ["noted-1"], stack.put(closed("noted-2"))
    stack.done()
    with impatient(stack):
        stack.instance.order_fault("dynamodb:UpdateItem", function=CHANGES, code="AccessDeniedException", status=400)
        stack.write(*map(closed, refused))
        stack.erase(*forgotten)
        stack.heard()
        stack.instance.forget_faults()
    sqs, url = stack.client("sqs"), stack.outputs["incident_dead_letter_queue_url"]
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"][:1]
    assert json.loads(message["Body"])["DDBStreamBatchInfo"]["batchSize"] >= 1
    assert stack.left() == set()
    checked = at_once(stack.instance.folder, "incidents", "check", "--repair", "--json")
    assert stack.waiting("sync").keys() == {*refused, *forgotten}, checked.output
    run = stack.done()
    assert (run.sync["synced"], run.sync["removed"]) == (1, 1)
    expect_settled(stack, [*refused, *forgotten])
