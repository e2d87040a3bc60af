"""A check that cannot fail proves nothing: each shortcut in a copy of the definition breaks an invariant."""

from __future__ import annotations

import pytest

from tests.conftest import Tell
from tests.single_flight.calls import How
from tests.single_flight.conftest import StageOf
from tests.single_flight.invariants import Broken
from tests.single_flight.play import played
from tests.single_flight.stage import Cloud, Stage
from tests.single_flight.wrong_copies import WRONG_COPIES, WrongCopy

pytestmark = pytest.mark.network


@pytest.mark.parametrize("wrong", WRONG_COPIES, ids=str)
def test_the_wrong_copy_is_caught(cloud: Cloud, wrong: WrongCopy, tell: Tell) -> None:
    with pytest.raises(Broken) as caught:
        perform(Stage(cloud, wrong.apply), wrong)
    assert caught.value.invariant == wrong.breaks, caught.value
    tell(f"caught: {wrong.name} ({wrong.breaks})")


@pytest.mark.parametrize("wrong", WRONG_COPIES, ids=str)
def test_the_right_definition_passes_the_same_schedule(stage_of: StageOf, wrong: WrongCopy) -> None:
    perform(stage_of(wrong.limits), wrong)


def perform(stage: Stage, wrong: WrongCopy) -> None:
    with played(stage) as play:
        wrong.schedule(play)
        play.run()
        play.settle()


def test_without_the_sweeper_a_crash_strands_those_who_have_left(stage_of: StageOf, tell: Tell) -> None:
    with played(stage_of()) as play:
        first = play.request()
        play.run_to(first, "GetJob")
        play.run(play.request())
        play.run_to_and(first, "GetJob", how=How.DIES_BEFORE)
        play.settle(sweeper=False)
        assert play.item.pending
        play.settle()
    tell("caught: no sweeper (L1)")
