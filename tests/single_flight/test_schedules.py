"""Schedules that nobody thought of: requests, calls, faults, deaths, redrives and sweeps in any order."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.conftest import Tell
from tests.single_flight.calls import How
from tests.single_flight.conftest import StageOf
from tests.single_flight.play import Play
from tests.single_flight.stage import Stage

pytestmark = pytest.mark.network
MOST_REQUESTS = 5
SOME = st.integers(min_value=0, max_value=1_000)
TROUBLES = st.sampled_from([how for how in How if how is not How.WELL])


class Schedules(RuleBasedStateMachine):
    """Each example is a play; the invariants are checked after each call, and at its end it has to come to rest."""

    stage: ClassVar[Stage]
    played: ClassVar[int]
    calls: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.play = Play(self.stage)

    @initialize(wait=st.booleans())
    def the_first_request_comes(self, wait: bool) -> None:
        self.play.request(wait=wait)

    @precondition(lambda self: len(self.play.requests) < MOST_REQUESTS)
    @rule(wait=st.booleans())
    def a_request_comes(self, wait: bool) -> None:
        self.play.request(wait=wait)

    @precondition(lambda self: len(self.play.requests) < MOST_REQUESTS)
    @rule()
    def an_event_comes_twice(self) -> None:
        self.play.request(again=True)

    @precondition(lambda self: self.play.held())
    @rule(which=SOME, calls=st.integers(min_value=1, max_value=8))
    def one_goes_on(self, which: int, calls: int) -> None:
        held = self.play.held()
        execution = held[which % len(held)].execution
        for _ in range(calls):
            own = [call for call in self.play.held() if call.execution == execution]
            if own:
                self.play.let_go(own[0])

    @precondition(lambda self: self.play.held())
    @rule(turns=st.integers(min_value=1, max_value=10))
    def all_go_on(self, turns: int) -> None:
        for _ in range(turns):
            if held := self.play.held():
                self.play.let_go(held[0])

    @precondition(lambda self: self.play.held())
    @rule(which=SOME, how=TROUBLES)
    def a_call_has_trouble(self, which: int, how: How) -> None:
        held = self.play.held()
        self.play.let_go(held[which % len(held)], how)

    @precondition(lambda self: self.play.redrivable)
    @rule(which=SOME)
    def one_is_redriven(self, which: int) -> None:
        redrivable = self.play.redrivable
        self.play.redrive(redrivable[which % len(redrivable)])

    @precondition(lambda self: self.play.late or self.play.silent)
    @rule()
    def what_was_under_way_lands(self) -> None:
        self.play.land()

    @rule()
    def the_sweeper_comes(self) -> None:
        self.play.sweep()

    @precondition(lambda self: self.play.held() and not self.play.job_runs)
    @rule()
    def somebody_else_starts_a_job(self) -> None:
        self.play.start_foreign_job()

    @precondition(lambda self: self.play.job_runs)
    @rule()
    def the_job_ends(self) -> None:
        self.play.end_jobs()

    @precondition(lambda self: self.play.held())
    @rule(outcome=st.sampled_from(["COMPLETE", "FAILED", "STOPPED"]))
    def jobs_will_end(self, outcome: str) -> None:
        self.play.jobs_end(outcome)

    def teardown(self) -> None:
        try:
            self.play.settle()
        except AssertionError as error:
            error.add_note(self.play.told)
            raise
        finally:
            self.play.close()
            Schedules.played += 1
            Schedules.calls += len(self.play.made)


def perform(stage: Stage, schedules: int, *, the_same: bool) -> None:
    Schedules.stage, Schedules.played, Schedules.calls = stage, 0, 0
    phases = [Phase.generate] if the_same else [Phase.generate, Phase.shrink]
    run_state_machine_as_test(
        Schedules,
        settings=settings(
            max_examples=schedules,
            stateful_step_count=30,
            deadline=None,
            derandomize=the_same,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_some_schedules_break_no_invariant(stage_of: StageOf, tell: Tell) -> None:
    perform(stage_of(), 8, the_same=True)
    tell(f"{Schedules.played} drawn schedules with {Schedules.calls} calls, none broke an invariant")


@pytest.mark.soak
def test_no_schedule_breaks_an_invariant(stage_of: StageOf, tell: Tell) -> None:
    perform(stage_of(), 400, the_same=False)
    tell(f"{Schedules.played} drawn schedules with {Schedules.calls} calls, none broke an invariant")
