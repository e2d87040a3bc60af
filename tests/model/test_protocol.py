"""Every law holds in every world of every scope, and each wrong variant breaks the law that it is known to break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Tell
from tests.model.checker import Exploration, Result, check
from tests.model.protocol import Move, Protocol
from tests.model.scopes import LARGE, SMALL, WITHOUT_SWEEPER, Look
from tests.model.variants import WRONG, NoSweeper, TakesOverTheOwnersName, Wrong
from tests.model.world import NO_JOB, Faults, Scope, World

LAWS = {"S1", "S2", "S3", "S4", "S5", "L1", "L2"}


def name(case: Look | Wrong) -> str:
    return case.protocol.__name__ if isinstance(case, Wrong) else str(case).replace(" ", "-")


def holds(look: Look) -> Result:
    result = check(look.protocol(look.scope))
    assert result.violation is None, str(result.violation)
    return result


@pytest.mark.parametrize("look", SMALL, ids=name)
def test_nothing_false_is_told_and_every_request_is_covered(look: Look) -> None:
    holds(look)


@pytest.mark.parametrize("look", WITHOUT_SWEEPER, ids=name)
def test_every_request_is_covered_without_a_sweeper_where_no_caller_is_left_alone(look: Look) -> None:
    holds(look)


@pytest.mark.soak
@pytest.mark.parametrize("look", LARGE, ids=name)
def test_the_laws_hold_in_large_scopes(look: Look, tell: Tell) -> None:
    result = holds(look)
    tell(f"{result.states:,} worlds, {result.moves:,} moves, {result.seconds:.1f} s ({result.scope})")


@pytest.mark.parametrize("wrong", WRONG, ids=name)
def test_a_wrong_variant_is_caught_by_the_law_that_it_breaks(wrong: Wrong) -> None:
    violation = check(wrong.protocol(wrong.scope)).violation
    assert violation is not None, f"{wrong.protocol.__name__} goes unnoticed in {wrong.scope}"
    assert violation.law == wrong.law, str(violation)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(wrong, marks=pytest.mark.soak if wrong.protocol is TakesOverTheOwnersName else ())
        for wrong in WRONG
        if wrong.protocol is not NoSweeper
    ],
    ids=name,
)
def test_it_is_the_variant_that_is_caught_and_not_its_scope(wrong: Wrong) -> None:
    right = Protocol if wrong.protocol.sweeper else NoSweeper
    violation = check(right(wrong.scope)).violation
    assert violation is None, str(violation)


def test_every_law_has_a_variant_that_breaks_it() -> None:
    assert {wrong.law for wrong in WRONG} == LAWS


@pytest.mark.parametrize("faults", [Faults(crashes=1), Faults(errors=1), Faults(failed_jobs=2)])
def test_without_a_sweeper_callers_that_left_are_stranded(faults: Faults) -> None:
    violation = check(NoSweeper(Scope(requests=2, sweepers=0, faults=faults))).violation
    assert violation is not None
    assert violation.law == "L1"


def test_a_trace_says_step_by_step_how_it_came_to_it() -> None:
    (wrong,) = [wrong for wrong in WRONG if wrong.law == "S1" and wrong.scope.faults.failed_jobs]
    violation = check(wrong.protocol(wrong.scope)).violation
    assert violation is not None
    told = str(violation).splitlines()
    assert told[0] == "S1: completed is 1, but complete jobs cover 0"
    assert [line.split("  ")[1].strip() for line in told[1:3]] == [
        "execution 0 Register: done",
        "execution 0 Acquire: done",
    ]
    assert told[-1].endswith("requested 1, completed 1, owner execution 0")


class StartIsUnheard(NoSweeper):
    """Of all answers, only that of StartJob is lost or late; and none is throttled, which would begin a new round."""

    def moves(self, world: World, me: int) -> Iterator[Move]:
        for move in super().moves(world, me):
            if not move.fault or (move.step == "StartJob" and move.outcome != "throttled"):
                yield move


class TokenWithRedriveCount(StartIsUnheard):
    """A redrive makes a new token, although it goes on in the same round."""

    def events(self, world: World) -> Iterator[Move]:
        for move in super().events(world):
            if move.outcome == "redriven":
                redriven = move.world.executions[move.who]
                forgetful = redriven._replace(known_job=NO_JOB, round=redriven.round + 1)
                yield move._replace(world=move.world.having(move.who, forgetful))
            else:
                yield move


@pytest.mark.parametrize(("protocol", "jobs"), [(StartIsUnheard, 1), (TokenWithRedriveCount, 2)])
@pytest.mark.parametrize("fault", ["lost", "late"])
def test_a_redrive_repeats_a_start_with_its_token_and_costs_no_job(
    protocol: type[Protocol], jobs: int, fault: str
) -> None:
    """The start took effect, and the execution was killed before it heard of it."""
    faults = Faults(crashes=1, redrives=1)._replace(**{fault: 1})
    exploration = Exploration(protocol(Scope(1, sweepers=0, faults=faults, killed_at="StartJob")))
    exploration.run(limit=100_000)
    assert max(w.own_jobs for w in exploration.worlds if w.item.requested == 1) == jobs


class Burst(NoSweeper):
    """All requests arrive while one job runs: none ends before."""

    def events(self, world: World) -> Iterator[Move]:
        arrived = all(execution.at != "Register" for execution in world.executions)
        return (move for move in super().events(world) if arrived or move.step != "the job")


def test_requests_that_arrive_while_one_job_runs_cost_two_jobs() -> None:
    exploration = Exploration(Burst(Scope(requests=4, sweepers=0)))
    assert exploration.run(limit=100_000) is None
    assert max(world.own_jobs for world in exploration.worlds) == 2
