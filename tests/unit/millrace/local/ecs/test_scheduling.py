from __future__ import annotations

import pytest

from millrace.local.ecs.scheduling import PAUSE_SECONDS_MOST, Bounds, Step, pause, step

ONE_AT_A_TIME = (0, 100)
SIDE_BY_SIDE = (100, 200)


def next_step(desired: int, percents: tuple[int, int], new: str = "", old: str = "", stopping: int = 0) -> Step:
    """Tasks are letters; small ones are pending."""
    running = frozenset(task for task in new + old if task.isupper())
    return step(desired, Bounds.of(desired, *percents), new=new, old=old, running=running, stopping=stopping)


def test_a_service_without_tasks_starts_all_it_wants():
    assert next_step(3, SIDE_BY_SIDE) == Step(3, ())


def test_a_service_with_all_its_tasks_rests():
    assert next_step(2, SIDE_BY_SIDE, new="Ab") == Step(0, ())


def test_the_old_task_is_stopped_before_the_new_one_starts():
    assert next_step(1, ONE_AT_A_TIME, old="A") == Step(0, ("A",))
    assert next_step(1, ONE_AT_A_TIME, stopping=1) == Step(0, ())
    assert next_step(1, ONE_AT_A_TIME) == Step(1, ())


def test_the_new_task_runs_before_the_old_one_is_stopped():
    assert next_step(1, SIDE_BY_SIDE, old="A") == Step(1, ())
    assert next_step(1, SIDE_BY_SIDE, new="b", old="A") == Step(0, ())
    assert next_step(1, SIDE_BY_SIDE, new="B", old="A") == Step(0, ("A",))


def test_half_of_the_tasks_may_go_at_once():
    assert next_step(4, (50, 100), old="ABCD") == Step(0, ("A", "B"))
    assert next_step(4, (50, 100), old="CD", stopping=2) == Step(0, ())
    assert next_step(4, (50, 100), old="CD") == Step(2, ())


def test_an_old_task_that_does_not_run_yet_is_no_loss():
    assert next_step(2, SIDE_BY_SIDE, old="Ab") == Step(2, ("b",))


def test_scaling_down_stops_the_newest():
    assert next_step(1, SIDE_BY_SIDE, new="ABC") == Step(0, ("B", "C"))
    assert next_step(0, ONE_AT_A_TIME, new="A", old="B") == Step(0, ("A", "B"))


@pytest.mark.parametrize(
    ("desired", "percents", "bounds"),
    [
        (3, (50, 150), Bounds(2, 4)),
        (1, (0, 100), Bounds(0, 1)),
        (1, (1, 199), Bounds(1, 1)),
        (0, (0, 100), Bounds(0, 0)),
    ],
)
def test_the_minimum_is_rounded_up_and_the_maximum_down(desired, percents, bounds):
    assert Bounds.of(desired, *percents) == bounds


def test_a_first_failure_is_mended_at_once_and_more_of_them_ever_later():
    assert [pause(failures) for failures in range(6)] == [0, 0, 1, 2, 4, 8]
    assert pause(1000) == PAUSE_SECONDS_MOST
