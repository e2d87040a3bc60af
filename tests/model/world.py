"""What the model knows at one moment: the item, the executions, the jobs, and the calls that are still under way.

A world is a nested tuple, so that worlds compare and hash by value. `canonical` makes one of worlds that differ only in
names: of executions with the same role, of jobs, and of fences.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

NOBODY = -1
NO_JOB = -1
ENDED = "ended"

RUNNING, COMPLETE, FAILED = "RUNNING", "COMPLETE", "FAILED"
COVERED, COALESCED, NOTHING_PENDING = "Covered", "Coalesced", "NothingPending"
HANDED_OVER, FAILED_END = "HandedOver", "Failed"
ENDINGS = frozenset({COVERED, COALESCED, NOTHING_PENDING, HANDED_OVER, FAILED_END})
"""The states that an execution ends in. Superseded is Coalesced of one that was the owner once: here they are one."""

REQUEST, SWEEP, SUCCESSOR = "request", "sweep", "successor"

CURRENT_FENCE, STALE_FENCE = 2, 1

FENCED = frozenset({"RecordJob", "Mark", "Release", "ForgetJob", "GiveUp", "LetGo"})
"""Writes on condition of owner and fence: with a fence of the past they never do anything."""


class Item(NamedTuple):
    """The item of one key. Its `last` is not kept: Mark writes it together with `completed`, so it covers just that."""

    requested: int = 0
    completed: int = 0
    given_up: int = 0
    owner: int = NOBODY
    fence: int = 0
    job: int = NO_JOB
    covers: int = 0


class Execution(NamedTuple):
    """One execution: the ASL state whose call comes next, and what it remembers from earlier answers.

    `up` is false for one that was killed; a redrive goes on where it stood. `known_job` is the job that the service
    remembers under the token of this round. `served` and `told` are the ticket that the job covers which is named at
    the end, or 0. `handed` says that a successor's name is taken, `owned` is for a wrong variant alone.
    """

    at: str = ENDED
    up: bool = False
    ticket: int = 0
    fence: int = 0
    snapshot: int = 0
    job: int = NO_JOB
    covers: int = 0
    known_job: int = NO_JOB
    round: int = 0
    seen_owner: int = NOBODY
    seen_fence: int = 0
    failures: int = 0
    full: bool = False
    served: int = 0
    handed: bool = False
    predecessor: int = NOBODY
    owned: bool = False
    told: int = 0


_ENDED = Execution()


def ended(mine: Execution, ending: str, told: int = 0) -> Execution:
    return Execution(at=ending, ticket=mine.ticket, told=told)


class Job(NamedTuple):
    """A job of the service: it covers the tickets that were registered when it started."""

    covers: int
    status: str
    own: bool


class Call(NamedTuple):
    """A call whose answer was given up, and which may take effect later: the state that made it, and what it sent."""

    at: str
    who: int
    sent: Execution


class Faults(NamedTuple):
    """How many of each kind may still happen. Those in `CAUSES_OF_JOBS` may cost a job each.

    An execution is killed before a call (`crashes`), and goes on there (`redrives`). A job fails or is stopped. A call
    takes effect, but its answer is lost; or it is given up and lands late, perhaps when its caller has ended. What
    DescribeExecution says is stale. StartJob or GetJob meet an error that stays (`errors`). Somebody else starts a job,
    of this data source (`foreign`) or of another one in the knowledge base (`siblings`). A history is nearly full.
    """

    crashes: int = 0
    redrives: int = 0
    failed_jobs: int = 0
    lost: int = 0
    late: int = 0
    stale: int = 0
    errors: int = 0
    foreign: int = 0
    siblings: int = 0
    full: int = 0


CAUSES_OF_JOBS = ("crashes", "failed_jobs", "lost", "late", "stale", "errors")


class Role(NamedTuple):
    mode: str
    wait: bool


class Scope(NamedTuple):
    """How large a world is looked at. Of sweepers and successors, so many can be remembered at one time."""

    requests: int = 2
    waiting: int = 0
    sweepers: int = 1
    successors: int = 0
    faults: Faults = Faults()
    attempts: int = 2
    """Failed jobs after which an owner gives up: the states say 3, the model less, for its size."""
    quiet: bool = False
    """The sweeper comes only when nothing else runs, which makes far fewer worlds. Other scopes have it at any time."""

    killed_at: str = ""
    """The one state before which an execution may be killed; empty: any."""

    def __str__(self) -> str:
        sizes = {name: getattr(self, name) for name in ("requests", "waiting", "sweepers", "successors")}
        limits = [f"killed_at={self.killed_at}"] * bool(self.killed_at) + ["quiet"] * self.quiet
        return " ".join(
            [*(f"{name}={size}" for name, size in (sizes | self.faults._asdict()).items() if size), *limits]
        )

    def roles(self) -> tuple[Role, ...]:
        return (
            (Role(REQUEST, False),) * self.requests
            + (Role(REQUEST, True),) * self.waiting
            + (Role(SWEEP, False),) * self.sweepers
            + (Role(SUCCESSOR, False),) * self.successors
        )

    def classes(self) -> tuple[range, ...]:
        """The places of the executions that are alike, for those classes that have more than one."""
        found, first = [], 0
        for size in (self.requests, self.waiting, self.sweepers, self.successors):
            if size > 1:
                found.append(range(first, first + size))
            first += size
        return tuple(found)


class World(NamedTuple):
    """`asked` counts the requests ever made, `truth` is what complete jobs really cover, `own_jobs` counts our jobs."""

    item: Item
    executions: tuple[Execution, ...]
    jobs: tuple[Job, ...]
    calls: tuple[Call, ...]
    faults: Faults
    asked: int = 0
    truth: int = 0
    own_jobs: int = 0
    tokens: tuple[tuple[object, int], ...] = ()
    """Jobs that the service remembers under tokens that live longer than a round; only wrong variants have such."""

    def having(self, who: int, execution: Execution) -> World:
        return self._replace(executions=(*self.executions[:who], execution, *self.executions[who + 1 :]))

    def spent(self, kind: str) -> World:
        return self._replace(faults=self.faults._replace(**{kind: getattr(self.faults, kind) - 1}))


def beginning(scope: Scope) -> World:
    """Every request is on its way, nothing is registered."""
    arriving, absent = Execution(at="Register", up=True), Execution()
    executions = (arriving,) * (scope.requests + scope.waiting) + (absent,) * (scope.sweepers + scope.successors)
    return World(Item(), executions, (), (), scope.faults)


def canonical(world: World, classes: tuple[range, ...]) -> World:
    """The same world under the names that all worlds like it share, without what nobody can ask for any more."""
    item, executions, calls = world.item, buried(world), world.calls
    if calls:
        calls = tuple(_with_round(call, executions[call.who]) for call in calls)
    if item.fence not in (0, CURRENT_FENCE) or any(execution.round for execution in executions):
        executions = tuple(_refenced(execution, item.fence) for execution in executions)
        calls = tuple(call._replace(sent=_refenced(call.sent, item.fence)) for call in calls)
        item = item._replace(fence=CURRENT_FENCE)
    calls = tuple(sorted(call for call in calls if call.at not in FENCED or call.sent.fence == CURRENT_FENCE))
    order = _order(item, executions, calls, classes)
    if order is not None:
        item, executions, calls = _moved(item, executions, calls, order)
    return _with_named_jobs(world._replace(item=item, executions=executions, calls=calls))


def buried(world: World) -> tuple[Execution, ...]:
    """Nobody asks how an execution ended, nor where it was killed once it cannot be redriven."""
    redrivable = world.faults.redrives > 0
    executions = world.executions
    for execution in executions:
        if not execution.up and execution != _ENDED:
            return tuple(e if e.up or (redrivable and e.at not in ENDINGS) else _ENDED for e in executions)
    return executions


def _refenced(execution: Execution, fence: int) -> Execution:
    """Fences are only compared with the item's, and one that is not the item's never will be."""
    mine, seen = execution.fence, execution.seen_fence
    if not mine and not seen and execution.round <= 0:
        return execution
    return execution._replace(
        fence=(CURRENT_FENCE if mine == fence else STALE_FENCE) if mine else 0,
        seen_fence=(CURRENT_FENCE if seen == fence else STALE_FENCE) if seen else 0,
        round=min(execution.round, 0),
    )


def _with_round(call: Call, caller: Execution) -> Call:
    """Of a call's round only this counts: whether its caller is in it still. Past ones are -1."""
    if call.sent.round == caller.round and call.at == caller.at:
        return call._replace(sent=call.sent._replace(round=caller.round))
    return call._replace(sent=call.sent._replace(round=-1))


def _order(
    item: Item, executions: tuple[Execution, ...], calls: tuple[Call, ...], classes: tuple[range, ...]
) -> tuple[int, ...] | None:
    """Which execution comes to which place, with those that are alike in order; None if they are in order already."""
    owner, callers = item.owner, [call.who for call in calls]

    def rank(who: int) -> tuple[Execution, bool, int]:
        return executions[who], owner == who, callers.count(who)

    order = list(range(len(executions)))
    changed = False
    for places in classes:
        ranks = [rank(who) for who in places]
        if any(one > other for one, other in pairwise(ranks)):
            order[places.start : places.stop] = sorted(places, key=rank)
            changed = True
    return tuple(order) if changed else None


def _moved(
    item: Item, executions: tuple[Execution, ...], calls: tuple[Call, ...], order: tuple[int, ...]
) -> tuple[Item, tuple[Execution, ...], tuple[Call, ...]]:
    place = {who: position for position, who in enumerate(order)} | {NOBODY: NOBODY}

    def moved(execution: Execution) -> Execution:
        if execution.seen_owner == NOBODY and execution.predecessor == NOBODY:
            return execution
        return execution._replace(seen_owner=place[execution.seen_owner], predecessor=place[execution.predecessor])

    return (
        item._replace(owner=place[item.owner]),
        tuple(moved(executions[who]) for who in order),
        tuple(sorted(Call(call.at, place[call.who], moved(call.sent)) for call in calls)),
    )


def _with_named_jobs(world: World) -> World:
    """Jobs are numbered in the order in which they are referred to; an ended one that nobody refers to is gone."""
    if not world.jobs:
        return world
    references = [world.item.job]
    for execution in (*world.executions, *(call.sent for call in world.calls)):
        references += (execution.job, execution.known_job)
    references += (job for _, job in world.tokens)
    references += (number for number, job in enumerate(world.jobs) if job.status == RUNNING)
    kept = list(dict.fromkeys(job for job in references if job != NO_JOB))
    if kept == list(range(len(world.jobs))):
        return world
    name = {job: position for position, job in enumerate(kept)} | {NO_JOB: NO_JOB}

    def named(execution: Execution) -> Execution:
        if execution.job == NO_JOB and execution.known_job == NO_JOB:
            return execution
        return execution._replace(job=name[execution.job], known_job=name[execution.known_job])

    return world._replace(
        item=world.item._replace(job=name[world.item.job]),
        executions=tuple(named(execution) for execution in world.executions),
        calls=tuple(call._replace(sent=named(call.sent)) for call in world.calls),
        tokens=tuple((token, name[job]) for token, job in world.tokens),
        jobs=tuple(world.jobs[job] for job in kept),
    )
