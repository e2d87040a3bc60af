"""Shortcuts that are wrong, each as one small change of the protocol, with a small scope that shows it and its law."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.protocol import (
    WRITES,
    Attempt,
    Move,
    Protocol,
    Write,
    always,
    owned,
    owns,
    unchanged,
    without_job,
    without_owner,
)
from tests.model.world import (
    COALESCED,
    COVERED,
    FAILED,
    NO_JOB,
    NOBODY,
    Execution,
    Faults,
    Item,
    Scope,
    World,
    ended,
)


class LooksBeforeItRegisters(Protocol):
    """Looks for a running sync first, and registers only if there is none."""

    def write(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        if mine.at == "Register" and world.item.owner != NOBODY:
            left = world._replace(asked=world.asked + 1).having(me, ended(mine, COALESCED))
            yield Move(me, "Register", "somebody syncs already", left)
        else:
            yield from super().write(world, me, mine)


class ReadsRequestedAfterTheStart(Protocol):
    """Covers what is registered when the job is recorded."""

    writes = WRITES | {
        "RecordJob": Write(owns, lambda by: by.item._replace(job=by.mine.job, covers=by.item.requested)),
    }

    def job_recorded(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        recorded = super().job_recorded(item, me, mine, done)
        return recorded._replace(covers=item.covers) if done else recorded


class MarksWhatIsRequestedAtTheEnd(Protocol):
    """completed = requested, whatever the snapshot was."""

    writes = WRITES | {
        "Mark": Write(
            WRITES["Mark"].allowed,
            lambda by: without_job(by)._replace(completed=by.item.requested),
        ),
    }


class AdoptsTheRunningJob(Protocol):
    """On Conflict, takes somebody else's job for its own."""

    def conflicted(self, world: World, me: int, mine: Execution) -> Execution:
        running = next(number for number, job in enumerate(world.jobs) if job.status == "RUNNING")
        return self.goes(mine, "RecordJob", job=running)


class LeavesOnConflict(Protocol):
    """On Conflict, releases and leaves: somebody syncs, after all."""

    sweeper = False

    def conflicted(self, world: World, me: int, mine: Execution) -> Execution:
        return self.goes(mine, "LetGo")


class TakesFailedForTheEnd(Protocol):
    """A job that FAILED has ended, so its tickets are marked."""

    def job_seen(self, status: str, me: int, mine: Execution) -> Execution:
        return self.goes(mine, "Mark") if status == FAILED else super().job_seen(status, me, mine)


class TokenThatLives(Protocol):
    """A client token that is not new in every round: the service replays the job that it started first."""

    def token(self, me: int) -> object:
        raise NotImplementedError

    def known_job(self, world: World, me: int, mine: Execution) -> int:
        return dict(world.tokens).get(self.token(me), NO_JOB)

    def started(self, world: World, me: int, mine: Execution) -> World:
        started = super().started(world, me, mine)
        return started._replace(tokens=(*world.tokens, (self.token(me), len(started.jobs) - 1)))


class TokenOfTheTarget(TokenThatLives):
    """The token is made of the data source."""

    def token(self, me: int) -> object:
        return "the data source"


class TokenOfTheExecution(TokenThatLives):
    """The token is made of the execution's name."""

    def token(self, me: int) -> object:
        return me


class NeverTakesOver(Protocol):
    """Whoever finds an owner leaves, dead or alive."""

    def owner_described(self, me: int, mine: Execution, runs: bool) -> Execution:
        return super().owner_described(me, mine, True)


class NoSweeper(Protocol):
    """Nobody makes up for callers that left."""

    sweeper = False


class ReleasesUnchecked(Protocol):
    """Release does not look for new requests."""

    sweeper = False
    writes = WRITES | {"Release": Write(owns, without_owner)}


class ReleasesUnconditionally(Protocol):
    """Release has no condition at all."""

    sweeper = False
    writes = WRITES | {"Release": Write(always, without_owner)}


class TakesOverTheOwnersName(Protocol):
    """TakeOver compares the owner, and not the fence."""

    writes = WRITES | {"TakeOver": Write(lambda by: by.item.owner == by.mine.seen_owner, owned)}


class TakesOverUnconditionally(Protocol):
    """Whoever found a dead owner is the next one, whatever has happened meanwhile."""

    writes = WRITES | {"TakeOver": Write(always, owned)}


class TakesOverTheUnknown(Protocol):
    """A DescribeExecution that fails is taken for a dead owner."""

    def describe_owner(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        for move in super().describe_owner(world, me, mine):
            if move.outcome == "no answer":
                yield move._replace(world=world.having(me, self.goes(mine, "TakeOver")))
            else:
                yield move


class KeepsTheFence(Protocol):
    """TakeOver changes the owner and leaves the fence; the other writes compare the fence alone."""

    writes = {
        at: Write(lambda by: by.item.fence == by.mine.fence, write.effect) if write.allowed is owns else write
        for at, write in WRITES.items()
    } | {"TakeOver": Write(WRITES["TakeOver"].allowed, lambda by: by.item._replace(owner=by.me))}


class MarksUnconditionally(Protocol):
    """Mark writes its tickets without a condition."""

    writes = WRITES | {"Mark": Write(always, WRITES["Mark"].effect)}


class LetsGoBeforeItHandsOver(Protocol):
    """Releases first and starts the successor then."""

    sweeper = False

    def hand_over(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        let_go = world
        if self.writes["LetGo"].allowed(Attempt(world.item, me, mine)):
            let_go = self.written(world, "LetGo", me, mine)
        yield Move(me, "HandOver", "lets go first", let_go.having(me, self.goes(mine, "LetGo")))

    def write(self, world: World, me: int, mine: Execution) -> Iterator[Move]:
        if mine.at != "LetGo":
            yield from super().write(world, me, mine)
            return
        handed = self.successor_started(world, me, mine)
        yield Move(me, "LetGo", "starts the successor then", handed.having(me, self.let_go(world.item, me, mine, True)))


class SuccessorThatLeaves(Protocol):
    """A successor that finds its predecessor as the owner leaves as coalesced."""

    sweeper = False

    def owner_described(self, me: int, mine: Execution, runs: bool) -> Execution:
        return super().owner_described(me, mine._replace(predecessor=NOBODY), runs)


class FollowsFailedJobs(Protocol):
    """A failed job stays on record."""

    writes = WRITES | {"ForgetJob": Write(owns, unchanged)}


class FollowsMarkedJobs(Protocol):
    """A job may be put on record, and is followed, when all its tickets are covered."""

    writes = WRITES | {"RecordJob": Write(owns, WRITES["RecordJob"].effect)}

    def snapshot_taken(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        follows = super().snapshot_taken(item, me, mine, done)
        if follows.at == "StartJob" and item.job != NO_JOB:
            return self.goes(mine, "GetJob", snapshot=item.requested, job=item.job, covers=item.covers)
        return follows


class WaitsForItself(Protocol):
    """An execution that was never granted does not know itself in the item, if its Acquire lands late."""

    def acquired(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        return super().acquired(item, me, mine, done)._replace(owned=done or mine.owned)

    def taken_over(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        return super().taken_over(item, me, mine, done)._replace(owned=done or mine.owned)

    def item_read(self, item: Item, me: int, mine: Execution) -> Execution:
        comes_to = super().item_read(item, me, mine)
        if comes_to.at == "Acquire" and item.owner == me and not mine.owned:
            return self.goes(mine, "DescribeOwner", seen_owner=me, seen_fence=item.fence)
        return comes_to


class TellsWhatItReadEarlier(Protocol):
    """Covered names the last job as ReadItem found it, before the owner marked and died."""

    def item_read(self, item: Item, me: int, mine: Execution) -> Execution:
        comes_to = super().item_read(item, me, mine)
        return comes_to if comes_to.at == COVERED else comes_to._replace(told=item.completed)

    def goes(self, mine: Execution, at: str, **remembered: object) -> Execution:
        return super().goes(mine, at, **remembered)._replace(told=mine.told)

    def marked(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        comes_to = super().marked(item, me, mine, done)
        return comes_to._replace(told=item.completed) if done else comes_to

    def released(self, item: Item, me: int, mine: Execution, done: bool) -> Execution:
        comes_to = super().released(item, me, mine, done)
        return comes_to._replace(told=mine.told) if done else comes_to


class ServiceThatTakesTwo(Protocol):
    """Not a shortcut of ours: a service without ConflictException. S4 rests on the one that refuses."""

    def busy(self, world: World) -> bool:
        return False


class Wrong(NamedTuple):
    protocol: type[Protocol]
    law: str
    scope: Scope


WRONG = (
    Wrong(LooksBeforeItRegisters, "L1", Scope(requests=2)),
    Wrong(ReadsRequestedAfterTheStart, "S1", Scope(requests=2)),
    Wrong(MarksWhatIsRequestedAtTheEnd, "S1", Scope(requests=2)),
    Wrong(AdoptsTheRunningJob, "S1", Scope(requests=2, faults=Faults(foreign=1))),
    Wrong(LeavesOnConflict, "L1", Scope(requests=1, sweepers=0, faults=Faults(foreign=1))),
    Wrong(TakesFailedForTheEnd, "S1", Scope(requests=1, faults=Faults(failed_jobs=1))),
    Wrong(TokenOfTheTarget, "L2", Scope(requests=1, sweepers=1, faults=Faults(failed_jobs=1))),
    Wrong(TokenOfTheExecution, "S1", Scope(requests=1, waiting=1, sweepers=0, successors=1)),
    Wrong(NeverTakesOver, "L2", Scope(requests=1, sweepers=2, faults=Faults(crashes=1))),
    Wrong(NoSweeper, "L1", Scope(requests=2, sweepers=0, faults=Faults(crashes=1))),
    Wrong(ReleasesUnchecked, "L1", Scope(requests=2, sweepers=0)),
    Wrong(ReleasesUnconditionally, "L1", Scope(requests=2, sweepers=0)),
    Wrong(
        TakesOverTheOwnersName,
        "S3",
        Scope(requests=2, sweepers=2, faults=Faults(crashes=1, redrives=1), killed_at="Snapshot"),
    ),
    Wrong(TakesOverUnconditionally, "S3", Scope(requests=2, sweepers=2, faults=Faults(crashes=1))),
    Wrong(TakesOverTheUnknown, "S3", Scope(requests=2)),
    Wrong(KeepsTheFence, "S4", Scope(requests=2, sweepers=2, quiet=True, faults=Faults(crashes=1, redrives=1))),
    Wrong(MarksUnconditionally, "S2", Scope(requests=2, sweepers=0, faults=Faults(stale=1))),
    Wrong(
        LetsGoBeforeItHandsOver,
        "L1",
        Scope(sweepers=0, successors=1, faults=Faults(crashes=1, full=1), killed_at="LetGo"),
    ),
    Wrong(SuccessorThatLeaves, "L1", Scope(requests=1, sweepers=0, successors=1, faults=Faults(full=1))),
    Wrong(FollowsFailedJobs, "L2", Scope(requests=1, faults=Faults(failed_jobs=1))),
    Wrong(FollowsMarkedJobs, "L2", Scope(requests=2, quiet=True, faults=Faults(late=1))),
    Wrong(
        WaitsForItself, "L2", Scope(requests=1, waiting=1, successors=1, quiet=True, faults=Faults(late=1, errors=1))
    ),
    Wrong(TellsWhatItReadEarlier, "S5", Scope(requests=2, sweepers=2, faults=Faults(crashes=1))),
    Wrong(ServiceThatTakesTwo, "S4", Scope(requests=2, sweepers=2, faults=Faults(crashes=1))),
)
