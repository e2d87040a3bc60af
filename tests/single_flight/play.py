"""One schedule on a stage, call by call: who goes on next, and what goes wrong with the call it makes.

Executions stand still at each call, so a play is the same each time, and after each call that may have changed
something the invariants are checked on what is really there.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.single_flight.calls import Call, How
from tests.single_flight.invariants import (
    L1,
    Broken,
    Item,
    Write,
    check_covered,
    check_end,
    check_jobs,
    check_numbers,
    check_owner,
    short,
)
from tests.single_flight.stage import BUCKET, Stage, eventually, executions_of

RUNNING = "RUNNING"
MOST_CALLS = 200
"""A play that takes more does not come to rest."""
SWEEPS = 4
CALLS_OF_STARTED_TASKS = {"TaskScheduled", "TaskStarted"}
_numbers = itertools.count(1)


@dataclass
class Request:
    """An object that was put, and the execution that was started then. `tickets` are those that it got."""

    object: str
    execution: str
    wait: bool
    tickets: list[int] = field(default_factory=list)


class Play:
    """`troubled` says what becomes of a call; it is asked for each one, with its number in the play."""

    def __init__(self, stage: Stage, troubled: Callable[[int, Call], How] = lambda _number, _call: How.WELL) -> None:
        self.stage = stage
        self.source = stage.source()
        self.name = f"play{next(_numbers)}"
        self.requests: list[Request] = []
        self.statuses: dict[str, str] = {}
        self.made: list[Call] = []
        self.story: list[str] = []
        self.faults = 0
        self.item = Item({})
        self._troubled = troubled
        self._held: list[Call] = []
        self.late: list[Call] = []
        self.silent: list[Call] = []
        self._orphans: set[int] = set()
        self._stopped: set[str] = set()
        self._known: dict[str, None] = {}
        self._owners: set[str] = set()
        self._gave_up: set[str] = set()
        self._stranding: set[str] = set()
        self._owner_died = False
        self._foreign: set[str] = set()
        self._outcome = "COMPLETE"
        self._ordered = False
        self.job_runs = False
        self.jobs = 0
        self._deaths: list[int] = []

    # What happens in the world.

    def request(self, *, wait: bool = False, again: bool = False) -> Request:
        """Put an object and ask for a sync. `again`: the event came twice, for the object of the last request."""
        name = self.requests[-1].object if again else f"object-{len(self.requests) + 1}.txt"
        if not again:
            self.stage.s3.put_object(Bucket=BUCKET, Key=f"{self.source.prefix}{name}", Body=name.encode())
        asked = {**self.source.ids, **({"wait": True} if wait else {})}
        started = self.stage.states.start_execution(
            stateMachineArn=self.stage.machine,
            name=f"{self.name}-{len(self.requests) + 1}",
            input=json.dumps(asked),
        )
        request = Request(name, started["executionArn"], wait)
        self.requests.append(request)
        self._tell(f"{short(request.execution)} asks{' and waits' if wait else ''}")
        self._come_to_rest(request.execution)
        return request

    def die_at(self, execution: str, event: int) -> None:
        """Stop the execution, named by a pattern, when its history has got that many events after the first."""
        pattern = f"{executions_of(self.stage.machine)}:{execution}"
        self._deaths.append(self.stage.instance.order_fault("history:*", execution=pattern, nth=[event], kill=True))

    def jobs_end(self, outcome: str) -> None:
        """How the jobs that start from now on will end."""
        self._outcome = outcome

    def start_foreign_job(self) -> None:
        """Somebody else starts a job."""
        self._order_job()
        job = self.stage.bedrock.start_ingestion_job(**self.source.ids)["ingestionJob"]["ingestionJobId"]
        self._ordered, self.job_runs = False, True
        self.jobs += 1
        self._foreign.add(job)
        self._tell("somebody else starts a job")

    def end_jobs(self) -> None:
        """Let the running job end, and wait until it has."""
        if self.job_runs and self.stage.release_jobs(self.source):
            eventually(lambda: None if self._jobs()[-1]["ended"] is None else True, "the job's end")
            self._tell(f"the job ends {self._jobs()[-1]['status']}")
        self.job_runs = False

    def redrive(self, execution: str) -> None:
        self.stage.states.redrive_execution(executionArn=execution)
        self.faults += 1
        self.statuses.pop(execution)
        self._stranding.discard(execution)
        self._tell(f"{short(execution)} is redriven")
        self._come_to_rest(execution)

    def sweep(self) -> None:
        """Run the sweeper to its end; what it has started stands at its first call."""
        execution = self.stage.states.start_execution(stateMachineArn=self.stage.sweeper)["executionArn"]
        self._tell("the sweeper comes")
        self._come_to_rest(execution)
        while execution not in self.statuses:
            for call in self.held():
                if call.execution == execution:
                    self.let_go(call)

    def land(self) -> None:
        """What was under way when its execution was stopped has its effect now."""
        late, self.late = self.late, []
        for call in late:
            self._tell(f"{short(call.execution)}'s {call.state} lands")
            self._make(call, How.WELL, orphaned=True)
        silent, self.silent = self.silent, []
        for call in silent:
            self._tell(f"{short(call.execution)}'s {call.state} lands at last")
            self._stranding.add(call.state)
            if call.action == "bedrock:StartIngestionJob":
                self._order_job()
            self.stage.make(call, self.source)
            self._look_at_what_changed(call, How.WELL)

    @property
    def executions(self) -> list[str]:
        """The executions of the machine in the order in which they came."""
        return [each for each in self._known if each.startswith(f"{executions_of(self.stage.machine)}:")]

    @property
    def redrivable(self) -> list[str]:
        """The executions that were stopped or have failed."""
        return [each for each in self.executions if self.statuses.get(each) in ("ABORTED", "FAILED")]

    @property
    def told(self) -> str:
        return "\n".join(["what happened:", *self.story, f"the item: {dict(self.item.attributes)}"])

    # Who goes on.

    def held(self) -> list[Call]:
        """The calls that wait, the oldest first. Of an execution and the one that it has started, its own comes first,
        whichever was faster."""
        return list(self._held)

    def run(self, *only: Request) -> None:
        """Let calls go, each execution in its turn, until none is left; of the given requests only, where some are."""
        wanted = {request.execution for request in only}
        while calls := [call for call in self.held() if not wanted or call.execution in wanted]:
            self.let_go(calls[0])

    def run_to(self, request: Request, *states: str) -> bool:
        """Let only this request's calls go until it makes one in one of these states; False if it ends before."""
        while calls := [call for call in self.held() if call.execution == request.execution]:
            if calls[0].state in states:
                return True
            self.let_go(calls[0])
        return False

    def run_to_and(self, request: Request, *states: str, how: How) -> None:
        """Let only this request's calls go, up to the one that it makes in one of these states; how that one goes."""
        assert self.run_to(request, *states), f"{short(request.execution)} does not come to {' or '.join(states)}"
        self.let_go(next(call for call in self.held() if call.execution == request.execution), how)

    def let_go(self, call: Call, how: How | None = None) -> None:
        """Let a call go; what becomes of it is as the play has it, unless it is said here."""
        if len(self.made) >= MOST_CALLS:
            raise Broken(L1, f"it does not come to rest in {MOST_CALLS} calls")
        self.made.append(call)
        orphaned = call.id in self._orphans
        how = how or (How.WELL if orphaned else self._troubled(len(self.made), call))
        if call.action == "bedrock:GetIngestionJob":
            self.end_jobs()
        self._tell(f"{short(call.execution)}: {call.state}" + ("" if how is How.WELL else f" {how.value}"))
        self.faults += how is not How.WELL and not how.kills
        if how.kills:
            self._stopped.add(call.execution)
            self.stage.states.stop_execution(executionArn=call.execution)
        self._held.remove(call)
        self._orphans.discard(call.id)
        if how is How.SILENT and call.changes:
            self.silent.append(call)
        if how is How.LANDS_LATE:
            self.late.append(call)
            self._come_to_rest(call.execution)
        else:
            self._make(call, how, orphaned=orphaned)

    def settle(self, *, sweeper: bool = True) -> None:
        """Let everything come to rest without further faults, and check what has to hold then."""
        self._troubled = lambda _number, _call: How.WELL
        self._outcome = "COMPLETE"
        self.end_jobs()
        self.run()
        self.land()
        self.run()
        if not self._stranding:
            self._check_rest("nobody died who was needed, and no sweeper came")
        for _ in range(SWEEPS if sweeper else 0):
            if not self.item.pending:
                break
            self.sweep()
            self.run()
        if sweeper or not self._stranding:
            self._check_rest("faults have stopped")

    def close(self) -> None:
        """Leave the stage as it was found."""
        for death in self._deaths:
            self.stage.instance.forget_fault(death)
        for execution in self._known.keys() - self.statuses.keys():
            self.stage.states.stop_execution(executionArn=execution)
        for call in [*self.late, *self._held]:
            self.stage.instance.let_go(call.id, **call.trouble(How.FAILS))
        self.stage.release_jobs(self.source)
        self.stage.dynamodb.delete_item(TableName=self.stage.name, Key={"key": {"S": self.source.key}})

    # What comes of it.

    def _make(self, call: Call, how: How, *, orphaned: bool) -> None:
        if call.action == "bedrock:StartIngestionJob":
            self._order_job()
        self.stage.instance.let_go(call.id, **call.trouble(how))
        if orphaned:
            self._stranding.add("what landed when nobody waited for it")
        else:
            self._come_to_rest(call.execution)
        self._look_at_what_changed(call, how)

    def _look_at_what_changed(self, call: Call, how: How) -> None:
        if call.action == "states:StartExecution":
            for execution in self.stage.new_executions():
                self._come_to_rest(execution)
        if call.action == "bedrock:StartIngestionJob":
            self._look_at_jobs(how)
        elif call.changes:
            self._look(Write(call.execution, call.state, call.body if call.service == "dynamodb" else ""))

    def _look_at_jobs(self, how: How) -> None:
        """Of a job that was refused the room: the one that is in the way ends before the next try."""
        jobs = self._jobs()
        own = [job for job in jobs if job["id"] not in self._foreign]
        check_jobs(own, requested=self.item.number("requested"), faults=self.faults)
        if len(jobs) > self.jobs:
            self.jobs = len(jobs)
            self._ordered, self.job_runs = False, True
        elif how is How.WELL:
            self.end_jobs()

    def _order_job(self) -> None:
        if not self._ordered:
            self.stage.order_job(self.source, self._outcome)
            self.faults += self._outcome != "COMPLETE"
        self._ordered = True

    def _come_to_rest(self, execution: str) -> None:
        """Wait until it makes a call or has ended."""
        self._known[execution] = None
        self.stage.seen.add(execution)
        under_way = [call.id for call in [*self.late, *self._held]]
        told = self.stage.instance.at_rest(execution, besides=under_way)
        self._held += [Call.of(call) for call in told["held"]]
        if told["status"] != RUNNING:
            self._note_end(execution, told["status"])

    def _note_end(self, execution: str, status: str) -> None:
        self.statuses[execution] = status
        self._owner_died |= self.item.owner == execution
        if execution not in self.executions:
            return
        said = self.stage.states.describe_execution(executionArn=execution)
        output = json.loads(said["output"]) if said.get("output") else None
        self._tell(f"{short(execution)} ends {status}, {(output or {}).get('status') or said.get('error')}")
        if status == "ABORTED":
            self.faults += 1
            if execution not in self._stopped:
                self._await_started_task(execution)
            self._stopped.discard(execution)
            self._orphans |= {call.id for call in self._held if call.execution == execution}
            if not self._has_let_go(execution):
                self._stranding.add(execution)
            return
        if status != "SUCCEEDED":
            self._stranding.add(execution)
        request = next((request for request in self.requests if request.execution == execution), None)
        check_end(execution, status, output, said.get("error"), waits=request is not None and request.wait)
        if request and output and output["status"] == "covered":
            check_covered([request.object], self._jobs(), f"{short(execution)} says covered")

    def _has_let_go(self, execution: str) -> bool:
        """It has been the owner and has let go in good order, so nobody relies on it."""
        return execution in self._owners and execution not in self._gave_up and self.item.owner != execution

    def _await_started_task(self, execution: str) -> None:
        """A task that was begun makes its call, though its execution has ended."""
        history = self.stage.states.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=2)
        if history["events"][-1]["type"] in CALLS_OF_STARTED_TASKS:
            eventually(lambda: self._find_call(execution), f"the call of {short(execution)}")

    def _find_call(self, execution: str) -> bool | None:
        held = {call.id for call in self._held}
        for call in self.stage.instance.held_calls():
            if call["execution"] == execution and call["id"] in held:
                return True
            if call["execution"] == execution:
                self._held.append(Call.of(call))
                return True
        return None

    def _look(self, write: Write) -> None:
        """Look at the item after a call that may have changed it, and check what has to hold always."""
        found = self.stage.dynamodb.get_item(
            TableName=self.stage.name, Key={"key": {"S": self.source.key}}, ConsistentRead=True
        )
        before, self.item = self.item, Item(found.get("Item", {}))
        check_numbers(before, self.item)
        check_owner(before, self.item, write, owner_died=self._owner_died)
        if before.attributes.get("fence") != self.item.attributes.get("fence"):
            self._owner_died = self.item.owner in self.statuses
        if self.item.owner:
            self._owners.add(self.item.owner)
        if self.item.attributes.get("reason") != before.attributes.get("reason"):
            self._gave_up.add(write.execution)
        for request in self.requests:
            if request.execution == write.execution and self.item.number("requested") > before.number("requested"):
                request.tickets.append(self.item.number("requested"))
        if self.item.number("completed") > before.number("completed"):
            completed = self.item.number("completed")
            objects = [each.object for each in self.requests if any(ticket <= completed for ticket in each.tickets)]
            check_covered(objects, self._jobs(), f"completed is {completed}")

    def _check_rest(self, why: str) -> None:
        if self.item.pending:
            requested, completed = self.item.number("requested"), self.item.number("completed")
            raise Broken(L1, f"{why}, and of {requested} tickets {completed} are covered")
        if self.item.owner is not None and self.item.owner not in self.statuses:
            raise Broken(L1, f"{why}, and {short(self.item.owner)} is the owner still")
        taken = [
            each.object for each in self.requests if each.tickets or self.statuses.get(each.execution) == "SUCCEEDED"
        ]
        try:
            check_covered(taken, self._jobs(), "all is told to be covered")
        except Broken as broken:
            raise Broken(L1, f"{why}: {broken}") from broken

    def _jobs(self) -> list[dict[str, Any]]:
        return self.stage.jobs(self.source)

    def _tell(self, what: str) -> None:
        self.story.append(what)


@contextlib.contextmanager
def played(stage: Stage, troubled: Callable[[int, Call], How] = lambda _number, _call: How.WELL) -> Iterator[Play]:
    """A play whose story is told when an invariant breaks."""
    play = Play(stage, troubled)
    try:
        yield play
    except AssertionError as error:
        error.add_note(play.told)
        raise
    finally:
        play.close()
