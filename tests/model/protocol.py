"""The protocol of single flight, one call of AWS at a time.

`Execution.at` is the name of the state of `state_machines/single_flight.states.json` (or of `kb_sync.asl.json`, for the
job) whose call comes next; `CALLS` lists them all. A write has the guard of its ConditionExpression and the effect of
its UpdateExpression (`WRITES`); what follows an answer is in the method of that state, which stands for the Choice and
Pass states up to the next call. `tests/model/test_correspondence.py` holds all of it against the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from tests.model.world import (
    COALESCED,
    COMPLETE,
    COVERED,
    ENDED,
    FAILED,
    FAILED_END,
    FENCED,
    HANDED_OVER,
    NO_JOB,
    NOBODY,
    NOTHING_PENDING,
    REQUEST,
    RUNNING,
    SWEEP,
    Call,
    Execution,
    Item,
    Job,
    Scope,
    World,
    ended,
)


class Attempt(NamedTuple):
    """What decides about a write: the item, and execution `me` with what it remembers."""

    item: Item
    me: int
    mine: Execution


class Write(NamedTuple):
    """A conditional write: whether the item allows it, and what the item is after it."""

    allowed: Callable[[Attempt], bool]
    effect: Callable[[Attempt], Item]


def always(_: Attempt) -> bool:
    return True


def owns(by: Attempt) -> bool:
    return by.item.owner == by.me and by.item.fence == by.mine.fence


def unchanged(by: Attempt) -> Item:
    return by.item


def owned(by: Attempt) -> Item:
    return by.item._replace(owner=by.me, fence=by.item.fence + 1)


def without_owner(by: Attempt) -> Item:
    return by.item._replace(owner=NOBODY)


def without_job(by: Attempt) -> Item:
    return by.item._replace(job=NO_JOB, covers=0)


WRITES = {
    "Register": Write(
        always,
        lambda by: by.item._replace(requested=by.item.requested + 1),
    ),
    "Acquire": Write(
        lambda by: by.item.requested > 0 and by.item.owner in (NOBODY, by.me),
        owned,
    ),
    "TakeOver": Write(
        lambda by: by.item.owner == by.mine.seen_owner and by.item.fence == by.mine.seen_fence,
        owned,
    ),
    "Snapshot": Write(owns, unchanged),
    "RecordJob": Write(
        lambda by: owns(by) and by.item.completed < by.mine.snapshot,
        lambda by: by.item._replace(job=by.mine.job, covers=by.mine.snapshot),
    ),
    "Mark": Write(
        lambda by: owns(by) and by.item.completed < by.mine.covers,
        lambda by: without_job(by)._replace(completed=by.mine.covers),
    ),
    "Release": Write(
        lambda by: owns(by) and by.item.requested == by.item.completed,
        without_owner,
    ),
    "ForgetJob": Write(owns, without_job),
    "GiveUp": Write(
        owns,
        lambda by: without_owner(by)._replace(given_up=by.mine.snapshot),
    ),
    "LetGo": Write(owns, without_owner),
}
READS = ("ReadItem", "DescribeOwner", "GetJob")
STARTS = ("StartJob", "HandOver")
CALLS = (*WRITES, *READS, *STARTS)

LATE = frozenset({*WRITES, *STARTS} - {"Snapshot"})
"""Calls that matter when they land late: a snapshot leaves nothing but a time."""

OWNING = FENCED | {"Snapshot", "StartJob", "GetJob", "HandOver"}
"""States of an execution that holds, or once held, the fence."""

# What the states from here on read. The rest is forgotten, so that worlds that differ in nothing else are one.
_ALWAYS_REMEMBERED = frozenset({"at", "up", "ticket", "failures", "full", "predecessor", "owned"})
_REMEMBERED_AT: Mapping[str, frozenset[str]] = {
    "Register": frozenset(),
    "Acquire": frozenset(),
    "ReadItem": frozenset(),
    "DescribeOwner": frozenset({"seen_owner", "seen_fence"}),
    "TakeOver": frozenset({"seen_owner", "seen_fence"}),
    "Snapshot": frozenset({"fence"}),
    "StartJob": frozenset({"fence", "snapshot", "round", "known_job"}),
    "RecordJob": frozenset({"fence", "snapshot", "job"}),
    "GetJob": frozenset({"fence", "snapshot", "job", "covers"}),
    "Mark": frozenset({"fence", "covers"}),
    "Release": frozenset({"fence"}),
    "ForgetJob": frozenset({"fence", "snapshot"}),
    "GiveUp": frozenset({"fence", "snapshot"}),
    "HandOver": frozenset({"fence", "served", "handed"}),
    "LetGo": frozenset({"fence", "served"}),
}
_BLANK = Execution()
_FORGOTTEN_AT = {
    at: {field: getattr(_BLANK, field) for field in Execution._fields if field not in remembered | _ALWAYS_REMEMBERED}
    for at, remembered in _REMEMBERED_AT.items()
}


class Move(NamedTuple):
    """One step of the world. `who` is NOBODY for the environment. A fault is what liveness may not count on."""

    who: int
    step: str
    outcome: str
    world: World
    fault: bool = False


class ScopeTooSmallError(Exception):
    """The scope has no place for an execution that must be remembered; give it one more."""


class Protocol:
    """Single flight as the definition has it. A wrong variant is a subclass that changes one thing."""

    sweeper = True
    writes: Mapping[str, Write] = WRITES

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.roles = scope.roles()
        first = scope.requests + scope.waiting
        self.sweepers = range(first, first + scope.sweepers)
        self.successors = range(first + scope.sweepers, len(self.roles))
        self._answers: dict[str, Callable[[Item, int, Execution, bool], Execution]] = {
            "Register": self.registered,
            "Acquire": self.acquired,
            "TakeOver": self.taken_over,
            "Snapshot": self.snapshot_taken,
            "RecordJob": self.job_recorded,
            "Mark": self.marked,
            "Release": self.released,
            "ForgetJob": self.job_forgotten,
            "GiveUp": self.given_up,
            "LetGo": self.let_go,
        }
        self._calls: dict[str, Callable[[World, int, Execution], Iterator[Move]]] = {
            "ReadItem": self.read_item,
            "DescribeOwner": self.describe_owner,
            "StartJob": self.start_job,
            "GetJob": self.get_job,
            "HandOver": self.hand_over,
        }

    def all_moves(self, world: World) -> Iterator[Move]:
        """Every step that the world may take next, in an order that stays the same."""
        yield from self.events(world)
        for who, execution in enumerate(world.executions):
            if execution.up:
                yield from self.moves(world, who)

    # What an execution does.

    def moves(self, world: World, me: int) -> Iterator[Move]:
        """All that may come of the next call of an execution that runs."""
        mine = world.executions[me]
        if mine.at in LATE and world.faults.late:
            late = world._replace(calls=(*world.calls, Call(mine.at, me, mine))).spent("late")
            yield Move(me, mine.at, "no answer, and the call is still under way", late, fault=True)
        if mine.at in self._calls:
            yield from self._calls[mine.at](world, me, mine)
        else:
            yield from self.write(world, me, mine)

    def write(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        write, answer = self.writes[mine.at], self._answers[mine.at]
        if not write.allowed(Attempt(world.item, me, mine)):
            yield Move(me, mine.at, "refused", world.having(me, answer(world.item, me, mine, False)))
            return
        done = self.written(world, mine.at, me, mine)
        yield Move(me, mine.at, "done", done.having(me, answer(done.item, me, mine, True)))
        if world.faults.lost and mine.at != "Snapshot":
            yield Move(me, mine.at, "done, and the answer lost", done.spent("lost"), fault=True)

    def written(self, world: World, at: str, me: int, sent: Execution) -> World:
        done = world._replace(item=self.writes[at].effect(Attempt(world.item, me, sent)))
        return done._replace(asked=world.asked + 1) if at == "Register" else done

    # What follows the answer of a write: the Choice and Pass states up to the next call.

    def registered(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        return self.goes(mine, "Acquire", ticket=item.requested)

    def acquired(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        return self.goes(mine, "Snapshot", fence=item.fence) if done else self.goes(mine, "ReadItem")

    def taken_over(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        return self.goes(mine, "Snapshot", fence=item.fence) if done else self.goes(mine, "Acquire")

    def snapshot_taken(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        if not done:
            return self.goes(mine, "ReadItem")
        if item.requested == item.completed:
            return self.goes(mine, "Release")
        if self.roles[me].wait and item.completed >= mine.ticket:
            return self.goes(mine, "HandOver", served=item.completed)
        if mine.full:
            return self.goes(mine, "HandOver")
        if item.job != NO_JOB and item.covers > item.completed:
            return self.goes(mine, "GetJob", snapshot=item.requested, job=item.job, covers=item.covers)
        return self.begin_round(item, me, mine)

    def begin_round(self, item: Item, me: int, mine: Execution) -> Execution:
        return self.goes(mine, "StartJob", snapshot=item.requested, round=mine.round + 1, known_job=NO_JOB)

    def job_recorded(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        return self.goes(mine, "GetJob", covers=mine.snapshot) if done else self.goes(mine, "ReadItem")

    def marked(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        return self.goes(mine, "Release" if done else "Snapshot")

    def released(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        if not done:
            return self.goes(mine, "Snapshot")
        return ended(mine, COVERED, told=item.completed) if item.completed else ended(mine, NOTHING_PENDING)

    def job_forgotten(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        if not done:
            return self.goes(mine, "ReadItem")
        enough = mine.failures >= self.scope.attempts or self.roles[me].mode == SWEEP
        return self.goes(mine, "GiveUp" if enough else "Snapshot")

    def given_up(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        return ended(mine, FAILED_END)

    def let_go(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        if mine.served:
            return ended(mine, COVERED, told=mine.served)
        return ended(mine, FAILED_END if self.roles[me].wait else HANDED_OVER)

    # Calls that write nothing into the item.

    def read_item(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        yield Move(me, "ReadItem", "done", world.having(me, self.item_read(world.item, me, mine)))

    def item_read(self, item: Item, me: int, mine: Execution) -> Execution:
        if not item.requested:
            return ended(mine, NOTHING_PENDING)
        if self.requests(me) and item.completed >= mine.ticket:
            return ended(mine, COVERED, told=item.completed)
        if item.requested == item.completed:
            return ended(mine, NOTHING_PENDING)
        if self.roles[me].wait and item.given_up >= mine.ticket:
            return ended(mine, FAILED_END)
        if item.owner in (NOBODY, me):
            return self.goes(mine, "Acquire")
        if mine.full:
            return ended(mine, FAILED_END)
        return self.goes(mine, "DescribeOwner", seen_owner=item.owner, seen_fence=item.fence)

    def describe_owner(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        runs = world.executions[mine.seen_owner].up
        answer = "RUNNING" if runs else "not running"
        yield Move(me, "DescribeOwner", answer, world.having(me, self.owner_described(me, mine, runs)))
        yield Move(me, "DescribeOwner", "no answer", world.having(me, self.goes(mine, "ReadItem")), fault=True)
        if world.faults.stale:
            stale = world.having(me, self.owner_described(me, mine, not runs)).spent("stale")
            yield Move(me, "DescribeOwner", f"{answer}, but the answer is stale", stale, fault=True)

    def owner_described(self, me: int, mine: Execution, runs: bool) -> Execution:
        if not runs:
            return self.goes(mine, "TakeOver")
        if self.roles[me].wait or mine.seen_owner == mine.predecessor:
            return self.goes(mine, "ReadItem")
        return ended(mine, COALESCED)

    def start_job(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        known = self.known_job(world, me, mine)
        if known != NO_JOB:
            yield Move(me, "StartJob", "replayed", world.having(me, self.goes(mine, "RecordJob", job=known)))
        elif self.busy(world):
            yield Move(me, "StartJob", "conflict", world.having(me, self.conflicted(world, me, mine)))
        else:
            started = self.started(world, me, mine)
            job = len(started.jobs) - 1
            yield Move(me, "StartJob", "started", started.having(me, self.goes(mine, "RecordJob", job=job)))
            if world.faults.lost:
                lost = started.having(me, mine._replace(known_job=job)).spent("lost")
                yield Move(me, "StartJob", "started, and the answer lost", lost, fault=True)
        yield Move(me, "StartJob", "throttled", world.having(me, self.goes(mine, "Snapshot")), fault=True)
        if world.faults.errors:
            broken = world.having(me, self.goes(mine, "GiveUp")).spent("errors")
            yield Move(me, "StartJob", "an error that stays", broken, fault=True)

    def known_job(self, world: World, me: int, mine: Execution) -> int:
        """The job that the service replays for this token, which is new in every round."""
        return mine.known_job

    def busy(self, world: World) -> bool:
        return any(job.status == RUNNING for job in world.jobs)

    def conflicted(self, world: World, me: int, mine: Execution) -> Execution:
        return self.goes(mine, "Snapshot")

    def started(self, world: World, me: int, mine: Execution) -> World:
        """A job of ours more; its token is used, so a call of the same round that is still under way does nothing."""
        return world._replace(
            jobs=(*world.jobs, Job(world.asked, RUNNING, own=True)),
            own_jobs=world.own_jobs + 1,
            calls=tuple(call for call in world.calls if not same_token(call, "StartJob", me, mine)),
        )

    def get_job(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        status = world.jobs[mine.job].status
        if status != RUNNING or mine.full:
            yield Move(me, "GetJob", status, world.having(me, self.job_seen(status, me, mine)))
        if world.faults.errors:
            broken = world.having(me, self.goes(mine, "GiveUp")).spent("errors")
            yield Move(me, "GetJob", "an error that stays", broken, fault=True)

    def job_seen(self, status: str, me: int, mine: Execution) -> Execution:
        if status == COMPLETE:
            return self.goes(mine, "Mark")
        if status == FAILED:
            return self.goes(mine, "ForgetJob", failures=mine.failures + 1)
        return self.goes(mine, "HandOver") if mine.full else mine

    def hand_over(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        if mine.handed:
            yield Move(me, "HandOver", "exists already", world.having(me, self.goes(mine, "LetGo")))
            return
        handed = self.successor_started(world, me, mine)
        yield Move(me, "HandOver", "started", handed.having(me, self.goes(mine, "LetGo")))
        if world.faults.lost:
            lost = handed.having(me, mine._replace(handed=True)).spent("lost")
            yield Move(me, "HandOver", "started, and the answer lost", lost, fault=True)

    def successor_started(self, world: World, me: int, mine: Execution) -> World:
        kept = referred_to(world)
        for place in self.successors:
            if not world.executions[place].up and place not in kept:
                successor = Execution(at="Acquire", up=True, predecessor=me)
                calls = tuple(call for call in world.calls if not same_token(call, "HandOver", me, mine))
                return world._replace(calls=calls).having(place, successor)
        raise ScopeTooSmallError(f"no place for another successor: {self.scope}")

    def requests(self, me: int) -> bool:
        return self.roles[me].mode == REQUEST

    def goes(self, mine: Execution, at: str, **remembered: object) -> Execution:
        """Comes to its next call, and forgets what no state from there on reads."""
        return mine._replace(**{**_FORGOTTEN_AT[at], **remembered, "at": at})

    # What happens around the executions.

    def events(self, world: World) -> Iterator[Move]:
        faults = world.faults
        for number, job in enumerate(world.jobs):
            if job.status == RUNNING:
                yield self.job_ends(world, number, COMPLETE)
                if faults.failed_jobs:
                    failed = self.job_ends(world, number, FAILED)
                    yield failed._replace(world=failed.world.spent("failed_jobs"), fault=True)
        if not self.busy(world):
            if faults.foreign:
                foreign = world._replace(jobs=(*world.jobs, Job(world.asked, RUNNING, own=False))).spent("foreign")
                yield Move(NOBODY, "somebody else's job", "starts", foreign, fault=True)
            if faults.siblings:
                sibling = world._replace(jobs=(*world.jobs, Job(0, RUNNING, own=False))).spent("siblings")
                yield Move(NOBODY, "a job of another data source", "starts", sibling, fault=True)
        for number, call in enumerate(world.calls):
            landed = self.landed(world._replace(calls=world.calls[:number] + world.calls[number + 1 :]), call)
            yield Move(NOBODY, f"late {call.at} of {call.who}", "lands", landed)
        for who, execution in enumerate(world.executions):
            if execution.at == ENDED:
                continue
            if not execution.up:
                if faults.redrives:
                    redriven = world.having(who, execution._replace(up=True)).spent("redrives")
                    yield Move(who, execution.at, "redriven", redriven, fault=True)
                continue
            if faults.crashes and self.scope.killed_at in ("", execution.at):
                killed = world.having(who, execution._replace(up=False)).spent("crashes")
                yield Move(who, execution.at, "killed before it", killed, fault=True)
            if faults.full and not execution.full and execution.at in ("Snapshot", "GetJob", "ReadItem"):
                full = world.having(who, execution._replace(full=True)).spent("full")
                yield Move(who, execution.at, "its history is nearly full", full, fault=True)
        if self.sweeper and world.item.requested > world.item.completed:
            yield from self.sweep(world)

    def job_ends(self, world: World, number: int, status: str) -> Move:
        job = world.jobs[number]
        jobs = (*world.jobs[:number], job._replace(status=status), *world.jobs[number + 1 :])
        truth = max(world.truth, job.covers) if status == COMPLETE else world.truth
        return Move(NOBODY, "the job", f"ends {status}", world._replace(jobs=jobs, truth=truth))

    def landed(self, world: World, call: Call) -> World:
        """What a call that was given up does at last; the caller, if it still makes that call, meets the effect."""
        caller = world.executions[call.who]
        waits_for_it = caller.at == call.at and caller.round == call.sent.round
        if call.at == "StartJob":
            if self.busy(world):
                return world
            started = self.started(world, call.who, call.sent)
            known = caller._replace(known_job=len(started.jobs) - 1)
            return started.having(call.who, known) if waits_for_it else started
        if call.at == "HandOver":
            handed = self.successor_started(world, call.who, call.sent)
            return handed.having(call.who, caller._replace(handed=True)) if waits_for_it else handed
        if not self.writes[call.at].allowed(Attempt(world.item, call.who, call.sent)):
            return world
        return self.written(world, call.at, call.who, call.sent)

    def sweep(self, world: World) -> Iterator[Move]:
        """One sweep at a time is enough to look at: who sweeps never waits, and two of them are two that take over."""
        others = range(len(self.roles)) if self.scope.quiet else self.sweepers
        if any(world.executions[place].up for place in others):
            return
        kept = referred_to(world)
        for place in self.sweepers:
            if place not in kept:
                sweep = Execution(at="Acquire", up=True)
                yield Move(NOBODY, "the sweeper", "starts an execution", world.having(place, sweep))
                return


def same_token(call: Call, at: str, who: int, sent: Execution) -> bool:
    return call.at == at and call.who == who and call.sent.round == sent.round >= 0


def referred_to(world: World) -> set[int]:
    """Executions whose name somebody remembers, so that another one cannot take their place."""
    return (
        {world.item.owner}
        | {name for e in world.executions for name in (e.seen_owner, e.predecessor)}
        | {name for call in world.calls for name in (call.who, call.sent.seen_owner, call.sent.predecessor)}
    )
