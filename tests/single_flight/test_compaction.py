"""The same invariants where a job is a series of calls of a function, and no service refuses a second one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.conftest import Tell
from tests.single_flight.campaign import Trouble, arrive, rehearse, suffer
from tests.single_flight.compaction import CompactionStage
from tests.single_flight.definitions import Definition
from tests.single_flight.invariants import S1, Broken
from tests.single_flight.play import Play, played
from tests.single_flight.scenarios import Scenario, burst, one_request, sweeper
from tests.single_flight.stage import Cloud

pytestmark = pytest.mark.network
SCENARIOS = (
    Scenario("one request", one_request),
    Scenario("a burst while a job runs", burst),
    Scenario("a sweep after a death", sweeper),
)
TAKEN = 3
"""Points of a scenario in the normal run."""


@pytest.fixture(scope="module")
def stage(cloud: Cloud) -> CompactionStage:
    return CompactionStage(cloud)


def two_deltas_for_a_job(stage: CompactionStage) -> Play:
    """Both requests are registered when the job starts."""
    with played(stage) as play:
        first = play.request()
        play.run_to(first, "Snapshot")
        play.run(play.request())
        play.run()
        play.settle()
    return play


def test_deltas_that_one_call_leaves_are_taken_by_the_next_of_the_same_job(stage: CompactionStage) -> None:
    calls = [call.body for call in two_deltas_for_a_job(stage).made if call.state == "GetJob"]
    assert len(calls) == 2
    assert len({*calls}) == 1, "both are for one job"


def takes_any_call_for_the_last(definition: Definition) -> None:
    complete = definition["States"]["CheckJob"]["Choices"][0]
    del complete["StringEquals"]
    complete["IsPresent"] = True


def test_a_copy_that_takes_any_call_for_the_last_is_caught(cloud: Cloud) -> None:
    with pytest.raises(Broken) as caught:
        two_deltas_for_a_job(CompactionStage(cloud, takes_any_call_for_the_last))
    assert caught.value.invariant == S1


def test_whenever_another_request_comes_its_delta_is_published_before_it_is_told_so(stage: CompactionStage) -> None:
    play = arrive(stage, 3, wait=True)
    assert play
    assert set(play.statuses.values()) == {"SUCCEEDED"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_some_troubles_break_no_invariant(stage: CompactionStage, scenario: Scenario, tell: Tell) -> None:
    troubles = list(rehearse(stage, scenario).troubles())
    suffer_all(stage, scenario, troubles[SCENARIOS.index(scenario) :: len(troubles) // TAKEN], tell)


@pytest.mark.soak
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_no_trouble_breaks_an_invariant(stage: CompactionStage, scenario: Scenario, tell: Tell) -> None:
    suffer_all(stage, scenario, list(rehearse(stage, scenario).troubles()), tell)


def suffer_all(stage: CompactionStage, scenario: Scenario, troubles: Sequence[Trouble], tell: Tell) -> None:
    for trouble in troubles:
        suffer(stage, scenario, trouble)
    tell(f"compaction, {scenario}: {len(troubles)} points, none broke an invariant")
