"""The definition beside the model: every move of the model is made by the states too, and both must come to the same.

`Machine` has the item as DynamoDB keeps it, what each execution carries from state to state, the tokens that the
service knows and the names of executions that were started. `Lockstep` takes the model's moves and does what AWS would
do with the definition's own conditions, updates, choices and names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.fakes.expressions import Expressions
from tests.model.asl import Standing, Walker
from tests.model.checker import Step, described
from tests.model.protocol import OWNING, WRITES, Move, Protocol
from tests.model.world import (
    COALESCED,
    COMPLETE,
    COVERED,
    ENDED,
    ENDINGS,
    NO_JOB,
    NOBODY,
    REQUEST,
    SWEEP,
    Call,
    Execution,
    Item,
    Scope,
    World,
    beginning,
    buried,
    canonical,
)
from tests.state_machines.machines import KB_SYNC

KEY = "KB/DS"
ATTEMPTS = 3
"""Failed jobs after which CheckFailures gives up."""
HISTORY_IS_FULL = 800
"""Turns after which an owner hands over."""
REFUSED = "DynamoDB.ConditionalCheckFailedException"
ERROR_THAT_STAYS = "BedrockAgent.AccessDeniedException"


def definition_of() -> Mapping[str, Any]:
    return KB_SYNC.rendered()


def name_of(execution: int) -> str:
    return KB_SYNC.execution(str(execution))


def job_id(job: int) -> str:
    return f"job-{job}"


class Mismatch(AssertionError):
    """The definition does something else than the model."""


Way = tuple[()] | tuple[Move, "Way"]


class Sent(NamedTuple):
    """A call that is under way: who made it, and with which request."""

    who: int
    request: Any


class Machine(NamedTuple):
    item: Mapping[str, Any]
    executions: tuple[Standing | None, ...]
    tokens: Mapping[str, str]
    started: frozenset[str]
    sent: Mapping[Call, Sent]

    def having(self, who: int, standing: Standing | None) -> Machine:
        return self._replace(executions=(*self.executions[:who], standing, *self.executions[who + 1 :]))


class Lockstep:
    """Takes moves of the model of one scope. `seen` collects which Task led where."""

    def __init__(self, scope: Scope) -> None:
        definition = definition_of()
        self.scope = scope
        self.roles = scope.roles()
        self.walker = Walker(definition["States"], definition["StartAt"])
        self.seen: set[tuple[str, str]] = set()
        self.worlds: set[World] = set()
        self.moves = 0
        self._calls = {
            "ReadItem": self.read_item,
            "DescribeOwner": self.describe_owner,
            "StartJob": self.start_job,
            "GetJob": self.get_job,
            "HandOver": self.hand_over,
        }

    def beginning(self) -> Machine:
        world = beginning(self.scope)
        standings = tuple(self.arrival(who) if execution.up else None for who, execution in enumerate(world.executions))
        return Machine({}, standings, {}, frozenset(), {})

    def arrival(self, who: int) -> Standing:
        """A request that has come to Register: the source that it names is known to Bedrock."""
        knowledge_base, data_source = KEY.split("/")
        asked = {"knowledgeBaseId": knowledge_base, "dataSourceId": data_source}
        standing = self.begun(who, asked | {"wait": True} if self.roles[who].wait else asked)
        return self.walker.answered(standing, {}, self.context(who))

    def begun(self, who: int, data: Any) -> Standing:
        """An execution at its first Task, with some failed jobs behind it where the scope has fewer attempts."""
        standing = self.walker.begin(data, self.context(who))
        return standing._replace(data=standing.data | {"failures": {"number": ATTEMPTS - self.scope.attempts}})

    def context(self, who: int) -> dict[str, Any]:
        return {
            "Execution": {"Id": name_of(who), "Name": str(who)},
            "State": {"EnteredTime": "2025-10-05T12:00:00Z"},
            "StateMachine": {"Id": KB_SYNC.arn},
        }

    # The moves.

    def moved(self, machine: Machine, before: World, move: Move) -> Machine:
        """The machine after a move of the model from the world `before`. Raises Mismatch."""
        after = self._moved(machine, before, move)
        self.compare(after, move)
        return after

    def _moved(self, machine: Machine, before: World, move: Move) -> Machine:
        if move.outcome in ("killed before it", "redriven"):
            return machine
        if move.who == NOBODY:
            return self.around(machine, before, move)
        who, standing = move.who, machine.executions[move.who]
        assert standing is not None
        if move.outcome == "its history is nearly full":
            full = {"turn": {"number": HISTORY_IS_FULL, "seconds": 0}}
            return machine.having(who, standing._replace(data=standing.data | full))
        require(standing.state == move.step, move, f"the execution is at {standing.state}")
        request = self.walker.request(standing, self.context(who))
        if move.outcome == "no answer, and the call is still under way":
            call = next(call for call in move.world.calls if call not in before.calls)
            return machine._replace(sent={**machine.sent, call: Sent(who, request)})
        if move.step in WRITES:
            return self.write(machine, move, standing, request)
        return self._calls[move.step](machine, before, move, standing, request)

    def around(self, machine: Machine, before: World, move: Move) -> Machine:
        if move.step == "the sweeper":
            (place,) = [who for who, e in enumerate(move.world.executions) if e != before.executions[who]]
            swept = self.begun(place, {"flight": {"key": KEY, "mode": SWEEP}})
            return machine.having(place, swept)
        if move.outcome != "lands":
            return machine
        call = next(call for call in before.calls if call not in move.world.calls)
        sent = machine.sent[call]
        if call.at == "StartJob":
            return self.service_starts(machine, before, move, sent.request)
        if call.at == "HandOver":
            return self.successor_starts(machine, before, move, sent.request)
        expressions = Expressions(sent.request)
        return machine._replace(item=expressions.updated(machine.item)) if expressions.allow(machine.item) else machine

    def write(self, machine: Machine, move: Move, standing: Standing, request: Any) -> Machine:
        expressions = Expressions(request)
        allowed = expressions.allow(machine.item)
        require(allowed is move.outcome.startswith("done"), move, f"the condition {'holds' if allowed else 'fails'}")
        if not allowed:
            return self.fails(machine, move.who, standing, REFUSED)
        written = machine._replace(item=expressions.updated(machine.item))
        if move.outcome.endswith("lost"):
            return written
        answer = {"Attributes": written.item} if request.get("ReturnValues") == "ALL_NEW" else {}
        return self.answers(written, move.who, standing, answer)

    def read_item(self, machine: Machine, before: World, move: Move, standing: Standing, request: Any) -> Machine:
        require(request["ConsistentRead"] is True, move, "the read is not consistent")
        return self.answers(machine, move.who, standing, {"Item": machine.item} if machine.item else {})

    def describe_owner(self, machine: Machine, before: World, move: Move, standing: Standing, request: Any) -> Machine:
        seen = before.executions[move.who].seen_owner
        require(request["ExecutionArn"] == name_of(seen), move, f"it asks for {request['ExecutionArn']}")
        if move.outcome == "no answer":
            return self.fails(machine, move.who, standing, "Sfn.SfnException")
        runs = before.executions[seen].up is not move.outcome.endswith("stale")
        statuses = ("RUNNING", "PENDING_REDRIVE") if runs else ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
        answered = [self.answers(machine, move.who, standing, {"Status": status}) for status in statuses]
        if not runs:
            answered.append(self.fails(machine, move.who, standing, "Sfn.ExecutionDoesNotExistException"))
        return alike(move, answered)

    def start_job(self, machine: Machine, before: World, move: Move, standing: Standing, request: Any) -> Machine:
        match move.outcome:
            case "conflict":
                conflicts = ("ConflictException", "ServiceQuotaExceededException")
                return alike(
                    move, [self.fails(machine, move.who, standing, f"BedrockAgent.{error}") for error in conflicts]
                )
            case "throttled":
                return self.fails(machine, move.who, standing, "BedrockAgent.ThrottlingException")
            case "an error that stays":
                return self.fails(machine, move.who, standing, ERROR_THAT_STAYS)
            case "replayed":
                require(request["ClientToken"] in machine.tokens, move, "the token is new to the service")
        machine = self.service_starts(machine, before, move, request)
        if move.outcome.endswith("lost"):
            return machine
        job = machine.tokens[request["ClientToken"]]
        return self.answers(machine, move.who, standing, {"IngestionJob": {"IngestionJobId": job}})

    def service_starts(self, machine: Machine, before: World, move: Move, request: Any) -> Machine:
        """A start arrives at Bedrock: only a token that it does not know begins a job."""
        token, begins = request["ClientToken"], move.world.own_jobs > before.own_jobs
        if not begins:
            return machine
        require(token not in machine.tokens, move, "the service knows the token and replays its job")
        return machine._replace(tokens={**machine.tokens, token: job_id(len(move.world.jobs) - 1)})

    def get_job(self, machine: Machine, before: World, move: Move, standing: Standing, request: Any) -> Machine:
        wanted = job_id(before.executions[move.who].job)
        require(request["IngestionJobId"] == wanted, move, f"it asks for {request['IngestionJobId']}, not {wanted}")
        if move.outcome == "an error that stays":
            return self.fails(machine, move.who, standing, ERROR_THAT_STAYS)
        statuses = {"RUNNING": ("STARTING", "IN_PROGRESS", "STOPPING"), "FAILED": ("FAILED", "STOPPED")}
        answered = []
        for status in statuses.get(move.outcome, (COMPLETE,)):
            job = {"IngestionJobId": wanted, "Status": status, "Statistics": {}, "FailureReasons": ["a reason"]}
            answered.append(self.answers(machine, move.who, standing, {"IngestionJob": job}))
            answered.append(self.summarized(machine, move.who, standing, job))
        if move.outcome == "FAILED":
            answered.append(self.fails(machine, move.who, standing, "BedrockAgent.ResourceNotFoundException"))
            answered.append(self.summarized(machine, move.who, standing, job | {"IngestionJobId": "another"}))
        return alike(move, answered)

    def summarized(self, machine: Machine, who: int, standing: Standing, newest: Mapping[str, Any]) -> Machine:
        """An answer that is too large for a state is asked for again, as the summary of the newest job."""
        asks = self.walker.failed(standing, "States.DataLimitExceeded", self.context(who))
        reached = self.walker.answered(asks, {"IngestionJobSummaries": [newest]}, self.context(who))
        return machine.having(who, reached)

    def hand_over(self, machine: Machine, before: World, move: Move, standing: Standing, request: Any) -> Machine:
        if move.outcome == "exists already":
            require(request["Name"] in machine.started, move, "the successor's name is new")
            return self.fails(machine, move.who, standing, "StepFunctions.ExecutionAlreadyExistsException")
        machine = self.successor_starts(machine, before, move, request)
        return machine if move.outcome.endswith("lost") else self.answers(machine, move.who, standing, {})

    def successor_starts(self, machine: Machine, before: World, move: Move, request: Any) -> Machine:
        places = [
            who
            for who, execution in enumerate(move.world.executions)
            if execution.predecessor != NOBODY and execution.at == "Acquire" and execution != before.executions[who]
        ]
        require(request["Name"] not in machine.started, move, "the successor's name is taken, so none is started")
        require(len(places) == 1, move, "the definition starts a successor")
        machine = machine._replace(started=machine.started | {request["Name"]})
        return machine.having(places[0], self.begun(places[0], request["Input"]))

    # Answers, and what is compared.

    def answers(self, machine: Machine, who: int, standing: Standing, answer: Any) -> Machine:
        reached = self.walker.answered(standing, answer, self.context(who))
        self.seen.add((standing.state, reached.state))
        return machine.having(who, reached)

    def fails(self, machine: Machine, who: int, standing: Standing, error: str) -> Machine:
        reached = self.walker.failed(standing, error, self.context(who))
        self.seen.add((standing.state, reached.state))
        return machine.having(who, reached)

    def compare(self, machine: Machine, move: Move) -> None:
        item = item_of(machine.item)
        require(item == move.world.item, move, f"the item is {item}, in the model {move.world.item}")
        for who, execution in enumerate(move.world.executions):
            if execution.at != ENDED:
                standing = machine.executions[who]
                assert standing is not None
                self.compare_execution(execution, standing, move, waits=self.roles[who].wait, who=who)

    def compare_execution(self, model: Execution, standing: Standing, move: Move, *, waits: bool, who: int) -> None:
        at, data = standing.state, standing.data
        ending = {"NotifyFailure": "Failed", "Superseded": COALESCED}.get(at, at)
        require(ending == model.at, move, f"execution {who} comes to {at}, in the model to {model.at}")
        known: dict[str, object] = {}
        if model.at in ENDINGS:
            if at == COVERED:
                known["told"] = data["job"]["covers"]
                require(data["job"]["result"]["IngestionJobId"] == data["job"]["id"], move, "another job's result")
        else:
            known |= {
                "ticket": data["ticket"]["number"],
                "failures": data["failures"]["number"] - ATTEMPTS + self.scope.attempts,
                "full": data["turn"]["number"] >= HISTORY_IS_FULL,
            }
            if at in OWNING:
                known["fence"] = int(data["flight"]["fence"])
            if at in ("StartJob", "RecordJob", "GetJob", "ForgetJob", "GiveUp"):
                known["snapshot"] = data["snapshot"]["requested"]
            if at in ("RecordJob", "GetJob"):
                known["job"] = int(data["job"]["id"].removeprefix("job-"))
            if at in ("GetJob", "Mark"):
                known["covers"] = data["job"]["covers"]
            if at in ("DescribeOwner", "TakeOver"):
                known["seen_fence"] = number(data["found"]["Item"]["fence"])
            if data["request"]["mode"] == "successor":
                known["predecessor"] = int(data["request"]["predecessor"].rpartition(":")[2])
            require(data["request"]["wait"] is (waits and data["request"]["mode"] == REQUEST), move, "it waits or not")
        wrong = {field: value for field, value in known.items() if getattr(model, field) != value}
        require(not wrong, move, f"execution {who} knows {wrong}, in the model {model}")


def walk(scope: Scope, *, sweeper: bool = True) -> Lockstep:
    """Every world of a scope, come to by the model and the definition together. Raises Mismatch, with the way there."""
    protocol = Protocol(scope)
    protocol.sweeper = sweeper
    lockstep, classes = Lockstep(scope), scope.classes()
    first = beginning(scope)
    lockstep.worlds = {canonical(first, classes)}
    pending: deque[tuple[World, Machine, Way]] = deque([(first, lockstep.beginning(), ())])
    while pending:
        world, machine, way = pending.popleft()
        for move in protocol.all_moves(world):
            lockstep.moves += 1
            try:
                after = lockstep.moved(machine, world, move)
            except Exception as error:
                error.add_note("\n".join(f"  {step}" for step in told((move, way))))
                raise
            reached = move.world._replace(executions=buried(move.world))
            named = canonical(reached, classes)
            if named not in lockstep.worlds:
                lockstep.worlds.add(named)
                pending.append((reached, after, (move, way)))
    return lockstep


def told(way: Way) -> list[Step]:
    """The steps of a way, which is its last move and the way before it."""
    steps = []
    while way:
        move, way = way
        steps.append(described(move))
    return steps[::-1]


def item_of(item: Mapping[str, Any]) -> Item:
    """The model's item of DynamoDB's. Raises Mismatch where attributes that belong together are not together."""
    if not item:
        return Item()
    completed, job = number(item["completed"]), item.get("job")
    if "last" in item:
        require(number(item["last"]["M"]["covers"]) == completed, None, "`last` does not cover what is completed")
    else:
        require(not completed, None, "something is completed, and no job is named as the last")
    require(("covers" in item) is ("startedAt" in item) is (job is not None), None, "a job on record is incomplete")
    if number(item["requested"]) > completed:
        require("pendingSince" in item, None, "requests are pending since nobody knows when")
    if number(item["givenUp"]):
        require("reason" in item, None, "somebody gave up without a reason")
    return Item(
        requested=number(item["requested"]),
        completed=completed,
        given_up=number(item["givenUp"]),
        owner=int(item["owner"]["S"].rpartition(":")[2]) if "owner" in item else NOBODY,
        fence=number(item.get("fence", {"N": "0"})),
        job=int(job["S"].removeprefix("job-")) if job else NO_JOB,
        covers=number(item["covers"]) if job else 0,
    )


def number(value: Mapping[str, str]) -> int:
    return int(value["N"])


def alike(move: Move, answered: Sequence[Machine]) -> Machine:
    """One of several answers that mean the same to the model; they must lead to one state."""
    standings = [machine.executions[move.who] for machine in answered]
    places = {standing.state for standing in standings if standing}
    require(len(places) == 1, move, f"answers that mean the same lead to {sorted(places)}")
    return answered[0]


def require(holds: bool, move: Move | None, otherwise: str) -> None:
    if not holds:
        where = f"{move.step}: {move.outcome} (execution {move.who}): " if move else ""
        raise Mismatch(f"{where}{otherwise}")
