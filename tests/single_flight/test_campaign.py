"""Every scenario with a trouble at every point; in the normal run with each so many-th of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.conftest import Tell
from tests.single_flight.campaign import Trouble, arrive, rehearse, suffer
from tests.single_flight.conftest import StageOf
from tests.single_flight.scenarios import SCENARIOS, Scenario

pytestmark = pytest.mark.network
TAKEN = 4
"""Points of a scenario in the normal run."""


@pytest.mark.parametrize("wait", [False, True], ids=["leaves", "waits"])
def test_whenever_another_request_comes_two_jobs_cover_both(stage_of: StageOf, wait: bool, tell: Tell) -> None:
    arrivals = 0
    while play := arrive(stage_of(), arrivals, wait=wait):
        assert play.jobs <= 2
        assert set(play.statuses.values()) == {"SUCCEEDED"}
        arrivals += 1
    assert arrivals > len(("Register", "Acquire", "Snapshot", "StartJob", "RecordJob", "GetJob", "Mark", "Release"))
    tell(f"{arrivals} moments at which another request comes, none broke an invariant")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_some_troubles_break_no_invariant(stage_of: StageOf, scenario: Scenario, tell: Tell) -> None:
    troubles = list(rehearse(stage_of(scenario.change), scenario).troubles())
    first = SCENARIOS.index(scenario)
    play_all(stage_of, scenario, troubles[first :: len(troubles) // TAKEN], len(troubles), tell)


@pytest.mark.soak
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_no_trouble_breaks_an_invariant(stage_of: StageOf, scenario: Scenario, tell: Tell) -> None:
    troubles = list(rehearse(stage_of(scenario.change), scenario).troubles())
    play_all(stage_of, scenario, troubles, len(troubles), tell)


def play_all(stage_of: StageOf, scenario: Scenario, troubles: Sequence[Trouble], all_in_all: int, tell: Tell) -> None:
    stage, deaths, broken = stage_of(scenario.change), 0, []
    for trouble in troubles:
        try:
            suffer(stage, scenario, trouble)
        except AssertionError as error:
            error.add_note(f"where {trouble}")
            broken.append(error)
        deaths += trouble.deadly
    tell(
        f"{scenario}: {len(troubles)} of {all_in_all} points ({deaths} crashes, {len(troubles) - deaths} faults of "
        f"calls), {len(broken)} broke an invariant"
    )
    if broken:
        raise ExceptionGroup(f"{len(broken)} of {len(troubles)} troubles of {scenario}", broken)
