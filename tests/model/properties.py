"""The laws of single flight: S1 to S5 of every move, and what a good world is, for L1 and L2.

* S1 `completed` never passes what a COMPLETE job that started after those tickets really covers.
* S2 `completed` and `givenUp` never go back and never pass `requested`.
* S3 own jobs <= requested + faults, of which a redrive is none: a death costs one job at most, redriven or not.
* S4 one execution with a valid fence, the owner; never two own jobs at once.
* S5 what an execution tells is true: the job it names covers its ticket, and a caller who waits sees covered or failed.
* L1 once faults stop, everything asked for is covered and nothing runs.
* L2 from every world such a one can be reached.
"""

from __future__ import annotations

from tests.model.protocol import OWNING, Move, Protocol
from tests.model.world import CAUSES_OF_JOBS, COVERED, ENDINGS, FAILED_END, NOBODY, RUNNING, World


def broken_by(protocol: Protocol, before: World, move: Move) -> tuple[str, str] | None:
    """The law that a move breaks, and how; None if it breaks none."""
    world = move.world
    old, item = before.item, world.item
    if item is not old:
        if item.completed > world.truth:
            return "S1", f"completed is {item.completed}, but complete jobs cover {world.truth}"
        if item.completed < old.completed or item.completed > item.requested:
            return "S2", f"completed goes from {old.completed} to {item.completed} of {item.requested}"
        if item.given_up < old.given_up or item.given_up > item.requested:
            return "S2", f"givenUp goes from {old.given_up} to {item.given_up} of {item.requested}"
    if world.own_jobs > before.own_jobs:
        faults = sum(getattr(protocol.scope.faults, kind) - getattr(world.faults, kind) for kind in CAUSES_OF_JOBS)
        if world.own_jobs > item.requested + faults:
            return "S3", f"{world.own_jobs} own jobs for {item.requested} requests and {faults} faults"
        if sum(job.own and job.status == RUNNING for job in world.jobs) > 1:
            return "S4", "two own jobs run at once"
    holders = [who for who, e in enumerate(world.executions) if e.up and e.at in OWNING and e.fence == item.fence]
    if len(holders) > 1 or (holders and item.owner not in (NOBODY, holders[0])):
        return "S4", f"executions {holders} hold the fence of owner {item.owner}"
    if move.who != NOBODY:
        mine = world.executions[move.who]
        if mine.at == COVERED and mine.told < mine.ticket:
            return "S5", f"the job that is told covers {mine.told}, the ticket is {mine.ticket}"
        if protocol.roles[move.who].wait and mine.at in ENDINGS and mine.at not in (COVERED, FAILED_END):
            return "S5", f"a caller who waits is told {mine.at}"
    return None


def is_good(world: World) -> bool:
    """Everything asked for is covered, and known to be; nothing runs and nothing is under way."""
    return (
        world.item.requested == world.item.completed
        and world.truth >= world.asked
        and not world.calls
        and not any(execution.up for execution in world.executions)
    )
