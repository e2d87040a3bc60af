"""Single flight on a real table of the embedded AWS: what each write is allowed to do and leaves in the item, also when
its answer is lost; and whole executions beside each other, stopped, redriven, handed over and swept.

Bedrock and SNS answer by mocks; DynamoDB and Step Functions are asked for real.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import ANY

import pytest

from millrace.local.instance import Instance, Options
from tests.fakes.deployed import eventually
from tests.state_machines.acting import Executions, bystanders, create
from tests.state_machines.answers.kb_sync import (
    COMPLETE,
    CONFLICT,
    DENIED,
    FLIGHT,
    KEY,
    REQUEST,
    STARTED,
    WAITING,
    job,
)
from tests.state_machines.answers.single_flight import DONE
from tests.state_machines.edges import task_names
from tests.state_machines.machines import KB_SYNC, KB_SYNC_SWEEPER
from tests.state_machines.mocks import Answers, mock_file, together
from tests.state_machines.rendering import quickened, shortened
from tests.substrate import MOCKS, WAIT_SCALE, configure

pytestmark = pytest.mark.network

TABLE = KB_SYNC.values["table"]
HELD = "kb-sync-held"
"""The same machine, whose owners stay in WaitForJob until they are stopped."""
TIME_SCALE = 0.02
NEVER_STARTED = KB_SYNC.execution("never-started")
REAL = {
    *("Register", "Acquire", "ReadItem", "DescribeOwner", "TakeOver", "Snapshot", "RecordJob", "Mark", "Release"),
    *("ForgetJob", "GiveUp", "HandOver", "LetGo"),
}

WELL: Answers = {
    "CheckSource": [DONE],
    "StartJob": [STARTED] * 5,
    "GetJob": [COMPLETE] * 5,
    "NotifyFailure": [DONE],
}
CASES: dict[str, Answers] = {
    "Well": WELL,
    "Conflict": {**WELL, "StartJob": [CONFLICT, CONFLICT, STARTED]},
    "Failing": {**WELL, "GetJob": [job("FAILED")] * 3},
    "FailsOnce": {**WELL, "GetJob": [job("FAILED"), COMPLETE]},
    "Denied": {**WELL, "StartJob": [DENIED]},
    "LongJob": {**WELL, "GetJob": [job("IN_PROGRESS")] * 21},
}


@dataclass
class Flights(Executions):
    """The table with its keys, and the machines that write it."""

    machine: str
    held: str
    sweeper: str
    table: Any
    alone: Mapping[str, str]
    """For each state that writes: a machine that has nothing but it, twice, and ends in Allowed or Refused."""

    def ask(self, case: str = "Well", given: Any = REQUEST) -> str:
        """The execution's ARN, once it has ended."""
        return self.run(f"{self.machine}#{case}", given)

    def hold(self, given: Any = REQUEST) -> str:
        """An owner with a job on record, which it looks at when it is redriven."""
        return self.came_to("WaitForJob", self.start(f"{self.held}#Well", given))

    def item(self, key: str = KEY) -> dict[str, Any]:
        """The item with plain values: numbers are numbers, and maps are what their attributes say."""
        found = self.table.get_item(TableName=TABLE, Key={"key": {"S": key}}, ConsistentRead=True).get("Item", {})
        return {name: plain(value) for name, value in found.items()}

    def put(self, key: str = KEY, **attributes: Any) -> dict[str, Any]:
        item = {"key": key, **attributes}
        self.table.put_item(TableName=TABLE, Item={name: stored(value) for name, value in item.items()})
        return item

    def write(self, state: str, execution: str) -> list[str]:
        """How the state ends, and then its retry, as if the first answer had been lost."""
        return [end for end in self.entered(self.run(self.alone[state], STATE, name=execution)) if end in ENDS]

    def forget(self) -> None:
        for item in self.table.scan(TableName=TABLE)["Items"]:
            self.table.delete_item(TableName=TABLE, Key={"key": item["key"]})


def plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: plain(inner) for name, inner in content.items()}
    return int(content) if kind == "N" else content


def stored(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"M": {name: stored(inner) for name, inner in value.items()}}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


ENDS = ("Allowed", "Refused", "AllowedAgain", "RefusedAgain")


def alone(definition: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A machine of one state, which is tried a second time as after a lost answer."""
    state = definition["States"][name]

    def tried(again: str, then: Mapping[str, Any]) -> dict[str, Any]:
        refused = [{**catcher, "Next": f"Refused{again}"} for catcher in state["Catch"]]
        # What the first try put into the state must not reach the second one, which a retry would not see either.
        return {**state, "ResultPath": None, "Catch": [{**each, "ResultPath": None} for each in refused], **then}

    def end(**then: Any) -> dict[str, Any]:
        return {"Type": "Pass", **then}

    states = {
        "Try": tried("", {"Next": "Allowed"}),
        "Allowed": end(Next="TryAgain"),
        "Refused": end(Next="TryAgain"),
        "TryAgain": tried("Again", {"Next": "AllowedAgain"}),
        "AllowedAgain": end(End=True),
        "RefusedAgain": end(End=True),
    }
    return {"StartAt": "Try", "States": states}


@pytest.fixture(scope="module")
def flying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    definition = flight(KB_SYNC.rendered())
    held = flight(KB_SYNC.rendered(seconds_between_starts="36000"))
    tasks = task_names(definition)
    instance = Instance.start(tmp_path_factory.mktemp("flying"), Options(enforce_iam=False))
    try:
        files = [mock_file(machine, CASES, tasks, real=REAL) for machine in (KB_SYNC.name, HELD)]
        configure(
            instance,
            {MOCKS: together(files), WAIT_SCALE: TIME_SCALE},
        )
        states, table = instance.client("stepfunctions"), instance.client("dynamodb")
        table.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        machine = create(states, KB_SYNC.name, definition)
        sweeper = quickened(KB_SYNC_SWEEPER.rendered(machine_arn=f"{machine}#Well"))
        yield Flights(
            instance,
            states,
            machine,
            create(states, HELD, held),
            create(states, KB_SYNC_SWEEPER.name, sweeper),
            table,
            {
                name: create(states, f"alone-{name}", alone(definition, name))
                for name in {write.state for write in WRITES}
            },
            time_scale=TIME_SCALE,
        )
    finally:
        instance.stop()


def flight(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with a history that is full after 20 turns, and successors that nothing holds."""
    short = shortened(quickened(definition), {800: 20})
    hand_over = short["States"]["HandOver"]["Parameters"]
    del hand_over["StateMachineArn.$"]
    hand_over["StateMachineArn"] = f"{KB_SYNC.arn}#Well"
    return short


@pytest.fixture
def flights(flying: Flights) -> Flights:
    flying.forget()
    return flying


@pytest.fixture
def execution_that(flights: Flights) -> Iterator[Callable[[str], str]]:
    """Starts an execution that `waits` for an hour, or one that has `ended`."""
    yield from bystanders(flights)


# Every write: whether it is allowed, and what it leaves in the item.

ME, OTHER = "me", KB_SYNC.execution("other")
BEFORE, SNAPSHOT_AT = "2026-01-31T12:00:00.000Z", "2026-01-31T12:00:01.000Z"
PENDING = {"requested": 5, "completed": 3, "givenUp": 0, "pendingSince": BEFORE}
MINE = {**PENDING, "owner": ME, "fence": 7}
OTHERS = {**MINE, "owner": OTHER}
RECORD: dict[str, Any] = {"job": "JOB1", "covers": 5, "startedAt": SNAPSHOT_AT}
COVERED = {**MINE, "completed": 5}
LAST = {"job": "JOB1", "covers": 5, "result": "{}", "at": ANY}
STATE = {
    "request": {"key": KEY},
    "flight": {"fence": "7"},
    "found": {"Item": {"owner": {"S": OTHER}, "fence": {"N": "7"}}},
    "snapshot": {"requested": 5, "item": {"snapshotAt": {"S": SNAPSHOT_AT}}},
    "job": {"id": "JOB1", "covers": 5},
    "result": {"text": "{}"},
    "failure": {"Error": "JobFailed", "Cause": "why"},
}
"""What the state of an execution holds when it comes to any of the writes."""
NOTHING: dict[str, Any] = {}
ONCE, TWICE, NEVER = ["Allowed", "RefusedAgain"], ["Allowed", "AllowedAgain"], ["Refused", "RefusedAgain"]


@dataclass(frozen=True)
class Write:
    """A write and its retry on an item: how both end, and the item after them. None: as before."""

    state: str
    promise: str
    before: Mapping[str, Any]
    ends: list[str]
    after: Mapping[str, Any] | None = None


FENCED = ("Snapshot", "RecordJob", "Mark", "Release", "ForgetJob", "GiveUp", "LetGo")
WRITES = [
    Write(
        "Register",
        "the first request makes the item, and a lost answer registers twice",
        NOTHING,
        TWICE,
        {"requested": 2, "completed": 0, "givenUp": 0, "pendingSince": ANY},
    ),
    Write(
        "Register",
        "a request of a key that is covered is the oldest that pends",
        {"requested": 5, "completed": 5, "givenUp": 4, "fence": 7},
        TWICE,
        {"requested": 7, "completed": 5, "givenUp": 4, "fence": 7, "pendingSince": ANY},
    ),
    Write(
        "Register",
        "a request beside others leaves owner and job as they are",
        {**OTHERS, **RECORD},
        TWICE,
        {**OTHERS, **RECORD, "requested": 7},
    ),
    Write("Acquire", "a key that nobody owns is mine", PENDING, TWICE, {**PENDING, "owner": ME, "fence": 2}),
    Write("Acquire", "a key that is mine has a new fence", {**MINE, **RECORD}, TWICE, {**MINE, **RECORD, "fence": 9}),
    Write("Acquire", "a key that has an owner is refused", OTHERS, NEVER),
    Write("Acquire", "a key that nobody ever registered is not made", NOTHING, NEVER),
    Write(
        "TakeOver",
        "the owner that was seen is replaced, and its job stays on record",
        {**OTHERS, **RECORD},
        ONCE,
        {**MINE, **RECORD, "fence": 8},
    ),
    Write("TakeOver", "an owner that came back with another fence is not replaced", {**OTHERS, "fence": 8}, NEVER),
    Write("TakeOver", "another owner than the one that was seen is not replaced", MINE, NEVER),
    Write("TakeOver", "a key that was let go is not taken over", {**PENDING, "fence": 7}, NEVER),
    Write("TakeOver", "a key whose item is gone is not made", NOTHING, NEVER),
    Write("Snapshot", "the owner reads what it may cover", MINE, TWICE, {**MINE, "snapshotAt": ANY}),
    Write("RecordJob", "the job is on record with what it covers", MINE, TWICE, {**MINE, **RECORD}),
    Write(
        "Mark",
        "a job covers its tickets once, and what came after its snapshot pends since then",
        {**MINE, **RECORD, "requested": 6},
        ONCE,
        {**MINE, "requested": 6, "completed": 5, "pendingSince": SNAPSHOT_AT, "last": LAST},
    ),
    Write(
        "Mark",
        "a job whose record a late write has taken away covers its tickets all the same",
        MINE,
        ONCE,
        {**MINE, "completed": 5, "last": LAST},
    ),
    Write("Mark", "what is covered never goes back", {**MINE, **RECORD, "requested": 7, "completed": 6}, NEVER),
    Write(
        "Release",
        "a key whose requests are all covered is free",
        COVERED,
        ONCE,
        {"requested": 5, "completed": 5, "givenUp": 0, "fence": 7},
    ),
    Write("Release", "a key with requests pending is not released", MINE, NEVER),
    Write(
        "ForgetJob",
        "a job that failed is on record no more, and its words are kept",
        {**MINE, **RECORD},
        TWICE,
        {**MINE, "lastFailure": {"job": "JOB1", "result": "{}", "at": ANY}},
    ),
    Write(
        "GiveUp",
        "the key is free with its requests and its job, and those who wait are told why",
        {**MINE, **RECORD, "requested": 6},
        ONCE,
        {
            **PENDING,
            **RECORD,
            "requested": 6,
            "fence": 7,
            "givenUp": 5,
            "reason": '{"Error":"JobFailed","Cause":"why"}',
        },
    ),
    Write(
        "LetGo",
        "the key is free with its requests and its job",
        {**MINE, **RECORD},
        ONCE,
        {**PENDING, **RECORD, "fence": 7},
    ),
    *(
        Write(state, f"{state} is refused to {who}", item, NEVER)
        for state in FENCED
        for who, item in (
            ("whom another execution has taken over", {**COVERED, **RECORD, "owner": OTHER}),
            ("who owns the key with another fence", {**COVERED, **RECORD, "fence": 8}),
            ("who has let it go", {name: value for name, value in {**COVERED, **RECORD}.items() if name != "owner"}),
            ("who finds no item", NOTHING),
        )
    ),
]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: f"{write.state}: {write.promise}")
def test_a_write_is_allowed_to_whom_it_should_be_and_leaves_what_it_should(write: Write, flights: Flights) -> None:
    name = uuid.uuid4().hex
    me = KB_SYNC.execution(name).replace(KB_SYNC.name, f"alone-{write.state}")

    def mine(item: Mapping[str, Any]) -> dict[str, Any]:
        return {attribute: me if value is ME else value for attribute, value in item.items()}

    if write.before:
        flights.put(**mine(write.before))
    assert flights.write(write.state, name) == write.ends
    after = write.before if write.after is None else write.after
    assert flights.item() == ({"key": KEY, **mine(after)} if after else {})


# Whole executions.


def test_a_first_request_is_covered_and_leaves_the_key_free(flights: Flights) -> None:
    arn = flights.ask()
    output = flights.output(arn)
    assert (output["status"], output["ticket"], output["counts"]["jobs"]) == ("covered", 1, 1)
    item = flights.item()
    assert (item["requested"], item["completed"], item["last"]["job"]) == (1, 1, "JOB1")
    assert not item.keys() & {"owner", "job", "covers", "startedAt", "pendingSince"}


def test_the_span_of_a_job_is_from_its_oldest_request_to_its_mark(flights: Flights) -> None:
    asked, covered = flights.output(flights.ask("Conflict"))["spans"].rstrip(";").split()
    item = flights.item()
    assert asked < item["snapshotAt"] < item["last"]["at"] <= covered


def test_of_many_requests_every_one_is_registered_and_all_are_covered_by_few_jobs(flights: Flights) -> None:
    ends = [
        flights.output(flights.ended(arn))
        for arn in [flights.start(f"{flights.machine}#Well", REQUEST) for _ in range(12)]
    ]
    item = flights.item()
    assert sorted(end["ticket"] for end in ends) == list(range(1, 13))
    assert (item["requested"], item["completed"]) == (12, 12)
    assert {end["status"] for end in ends} <= {"covered", "coalesced"}
    assert sum(end["counts"]["jobs"] for end in ends) < 12
    assert "owner" not in item


def test_all_who_wait_are_told_of_a_job_that_covers_their_ticket(flights: Flights) -> None:
    started = [flights.start(f"{flights.machine}#Well", WAITING) for _ in range(6)]
    for arn in started:
        output = flights.output(flights.ended(arn))
        assert output["status"] == "covered"
        assert output["job"]["covers"] >= output["ticket"]
    eventually(lambda: "owner" not in flights.item())
    assert flights.item()["completed"] == 6


def test_a_conflict_is_waited_out(flights: Flights) -> None:
    output = flights.output(flights.ask("Conflict"))
    assert (output["status"], output["counts"]) == ("covered", {"jobs": 1, "conflicts": 2, "takeovers": 0})


def test_a_request_beside_a_running_owner_leaves_everything_but_its_ticket(flights: Flights) -> None:
    owner = flights.hold()
    item = flights.item()
    output = flights.output(flights.ask())
    assert (output["status"], output["ticket"], output["owner"]) == ("coalesced", 2, owner)
    assert flights.item() == {**item, "requested": 2}
    flights.abort(owner)


def test_the_job_of_an_owner_that_died_is_followed_and_marked_by_the_next_request(flights: Flights) -> None:
    flights.abort(flights.hold())
    output = flights.output(flights.ask())
    assert output["status"] == "covered"
    assert output["counts"] == {"jobs": 1, "conflicts": 0, "takeovers": 1}
    assert flights.item()["completed"] == 2
    assert len(output["spans"].split(";")) == 3, "the dead owner's job and the request's own"


def test_a_record_that_landed_late_covers_nothing_any_more_and_is_not_followed(flights: Flights) -> None:
    flights.put(requested=5, completed=5, givenUp=0, fence=7, **RECORD)
    output = flights.output(flights.ask())
    assert (output["status"], output["counts"]["jobs"]) == ("covered", 1)
    item = flights.item()
    assert (item["completed"], item["last"]["covers"]) == (6, 6)
    assert not item.keys() & {"owner", "job", "covers"}


@pytest.mark.parametrize("fate", ["ended", "never started"])
def test_the_key_of_an_owner_that_runs_no_more_is_taken_over(
    fate: str, flights: Flights, execution_that: Callable[[str], str]
) -> None:
    owner = execution_that("ended") if fate == "ended" else NEVER_STARTED
    flights.put(requested=4, completed=3, givenUp=0, fence=7, pendingSince=BEFORE, owner=owner)
    output = flights.output(flights.ask())
    assert (output["status"], output["counts"]["takeovers"]) == ("covered", 1)
    assert (flights.item()["completed"], flights.item()["fence"]) == (5, 8)


def test_an_owner_that_was_stopped_and_is_redriven_finishes_its_job(flights: Flights) -> None:
    owner = flights.abort(flights.hold())
    assert "StartJob" not in flights.redrive(owner)
    assert flights.output(owner)["status"] == "covered"
    assert flights.item()["completed"] == 1


def test_an_owner_that_is_redriven_after_another_has_covered_its_request_changes_nothing(flights: Flights) -> None:
    owner = flights.abort(flights.hold())
    flights.ask()
    item = flights.item()
    assert flights.redrive(owner)[-1] == "Covered"
    assert flights.output(owner)["counts"]["jobs"] == 1
    assert flights.item() == item


def test_an_owner_that_is_redriven_while_another_acts_leaves_the_key_to_it(
    flights: Flights, execution_that: Callable[[str], str]
) -> None:
    stopped = flights.abort(flights.hold())
    other = execution_that("waits")
    item = flights.put(**{**flights.item(), "owner": other, "fence": 9})
    assert flights.redrive(stopped)[-1] == "Superseded"
    assert flights.item() == item


def test_three_failed_jobs_are_told_and_the_requests_stay(flights: Flights) -> None:
    failed = flights.ask("Failing")
    assert flights.error(failed) == "JobFailed"
    assert "NotifyFailure" in flights.entered(failed)
    item = flights.item()
    assert (item["requested"], item["completed"], item["givenUp"]) == (1, 0, 1)
    assert json.loads(item["reason"])["Error"] == "JobFailed"
    assert not item.keys() & {"owner", "job"}
    assert flights.output(flights.ask())["job"]["covers"] == 2


def test_a_job_that_fails_once_is_followed_by_another(flights: Flights) -> None:
    output = flights.output(flights.ask("FailsOnce"))
    assert (output["status"], output["counts"]["jobs"]) == ("covered", 2)


def test_who_waits_is_told_when_the_owner_gives_up(flights: Flights) -> None:
    owner = flights.hold()
    waiting = flights.came_to("WaitForOwner", flights.start(f"{flights.machine}#Well", WAITING))
    item = {name: value for name, value in flights.item().items() if name != "owner"}
    flights.put(**{**item, "givenUp": 2, "reason": "because"})
    assert flights.error(flights.ended(waiting)) == "NotCovered"
    flights.abort(owner)


def test_who_waits_for_a_job_of_a_dead_owner_finishes_it(flights: Flights) -> None:
    owner = flights.hold()
    waiting = flights.came_to("WaitForOwner", flights.start(f"{flights.machine}#Well", WAITING))
    flights.abort(owner)
    assert flights.output(flights.ended(waiting))["status"] == "covered"
    assert flights.item()["completed"] == 2


def test_a_start_that_only_a_person_can_mend_is_told_and_the_key_is_free(flights: Flights) -> None:
    assert flights.error(flights.ask("Denied")) == "BedrockAgent.AccessDeniedException"
    item = flights.item()
    assert (item["requested"], item["completed"], item["givenUp"]) == (1, 0, 1)
    assert "owner" not in item


def test_nonsense_makes_no_item(flights: Flights) -> None:
    inputs: list[Any] = [{"dataSourceId": "DS12345678"}, {**REQUEST, "dataSourceId": "a/b"}, []]
    for nonsense in inputs:
        assert flights.error(flights.ask(given=nonsense)) == "InputInvalid"
    assert flights.table.scan(TableName=TABLE)["Items"] == []


def test_who_waits_with_requests_behind_it_is_answered_and_a_successor_serves_them(flights: Flights) -> None:
    owner = flights.hold(WAITING)
    coalesced = flights.ask()
    assert flights.output(coalesced)["status"] == "coalesced"
    flights.abort(owner)
    flights.redrive(owner)
    assert flights.output(owner)["status"] == "covered"
    eventually(lambda: flights.item()["completed"] == 2)
    eventually(lambda: "owner" not in flights.item())


def test_an_owner_whose_history_is_full_hands_its_job_over(flights: Flights) -> None:
    output = flights.output(flights.ask("LongJob"))
    assert output["status"] == "handed over"
    eventually(lambda: flights.item()["completed"] == 1)
    eventually(lambda: "owner" not in flights.item())
    successor = newest(flights)
    assert flights.output(flights.ended(successor))["counts"]["jobs"] == 0, "it followed the job that was on record"


def newest(flights: Flights) -> str:
    executions = flights.states.list_executions(stateMachineArn=flights.machine, maxResults=1)["executions"]
    return str(executions[0]["executionArn"])


# The sweeper.


def test_a_sweep_serves_what_a_dead_owner_left(flights: Flights) -> None:
    flights.abort(flights.hold())
    assert flights.output(flights.run(flights.sweeper))["count"]["missed"] == 0
    eventually(lambda: flights.item()["completed"] == 1)
    assert flights.output(flights.ended(newest(flights)))["counts"] == {"jobs": 0, "conflicts": 0, "takeovers": 1}


def test_a_sweep_beside_a_running_owner_changes_nothing(flights: Flights) -> None:
    owner = flights.hold()
    item = flights.item()
    output = flights.output(flights.ask(given=FLIGHT.sweep))
    assert (output["status"], output["ticket"]) == ("coalesced", 0)
    assert flights.item() == item
    flights.abort(owner)


def test_a_sweep_of_a_key_that_nobody_registered_makes_no_item(flights: Flights) -> None:
    assert flights.output(flights.ask(given=FLIGHT.sweep))["status"] == "nothing pending"
    assert flights.item() == {}


def test_a_sweep_finds_every_pending_key_of_a_table_of_several_pages_and_no_other(flights: Flights) -> None:
    keys = {f"KB{number:08}/DS12345678": number for number in range(230)}
    pending = {key for key, number in keys.items() if number % 40 == 3}
    for key, number in keys.items():
        flights.put(key, requested=number, completed=number - (key in pending), givenUp=0, pendingSince=BEFORE)
    before = {each["executionArn"] for each in executions_of(flights)}
    sweep = flights.run(flights.sweeper)
    assert flights.entered(sweep).count("FindMore") == 2
    swept = [each for each in executions_of(flights) if each["executionArn"] not in before]
    assert all(each["name"].startswith("sweep-") for each in swept)
    assert sorted(flights.output(flights.ended(each["executionArn"]))["key"] for each in swept) == sorted(pending)
    assert all(flights.item(key)["completed"] == keys[key] for key in pending)


def executions_of(flights: Flights) -> list[Any]:
    pages = flights.states.get_paginator("list_executions").paginate(stateMachineArn=flights.machine)
    return [execution for page in pages for execution in page["executions"]]
