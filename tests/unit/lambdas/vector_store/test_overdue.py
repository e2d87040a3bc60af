from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.fakes.compaction import World
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.stepfunctions import FakeStepFunctions
from vector_store import assembly, overdue
from vector_store.changes import Change
from vector_store.deltas import ATTEMPTS_MAX
from vector_store.machine import Machine
from vector_store.overdue import Waiting, ask_for_overdue, waiting
from vector_store.places import COLLECTIONS, LINES, WORDS

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:compaction"
QUARTER = timedelta(minutes=15)


def change(number: int) -> Change:
    return Change(f"R1/{number:05}", f"{number:040}", born=True)


@pytest.fixture
def world() -> World:
    return World()


def test_the_oldest_delta_tells_how_long_a_collection_waits(world: World) -> None:
    world.tell(change(1))
    world.clock.now += 100
    world.tell(change(2))
    assert waiting(world.deltas(), world.now()) == Waiting(101.0, 0)
    assert waiting(world.deltas_of(WORDS), world.now()) == Waiting(0.0, 0)


def test_what_is_set_aside_does_not_wait_and_is_counted(world: World) -> None:
    for number in (1, 2):
        (delta,) = world.tell(change(number))
        for attempts in range(ATTEMPTS_MAX):
            world.deltas().failed(delta._replace(attempts=attempts), "cut off")
    assert waiting(world.deltas(), world.now()) == Waiting(0.0, 2)


def test_a_clock_that_is_behind_waits_for_nothing(world: World) -> None:
    world.tell(change(1))
    assert waiting(world.deltas(), world.now() - timedelta(minutes=1)).seconds == 0.0


def test_a_collection_that_has_waited_too_long_is_asked_for() -> None:
    machines = FakeStepFunctions()
    waits = {LINES: Waiting(900.0, 0), WORDS: Waiting(900.001, 0)}
    assert ask_for_overdue(waits, Machine(machines, MACHINE), after=QUARTER) == [WORDS]
    assert machines.started == {MACHINE: [{"collection": WORDS}]}


def test_the_function_measures_every_collection_and_answers_which_it_has_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machines = FakeStepFunctions()
    monkeypatch.setattr(assembly, "deltas", world.deltas_of)
    monkeypatch.setattr(assembly, "machine", lambda: Machine(machines, MACHINE))
    monkeypatch.setenv("OVERDUE_SECONDS", "900")
    world.tell(change(1))
    answer = overdue.handler({}, FakeLambdaContext())
    assert answer["asked"] == [LINES], "the world's clock stands in 2025"
    assert answer["oldestSeconds"][LINES] > 900
    assert answer["oldestSeconds"][WORDS] == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    assert [record["collection"] for record in records] == list(COLLECTIONS)
    assert [record["OldestPendingDeltaSeconds"] for record in records] == [[answer["oldestSeconds"][LINES]], [0.0]]
    assert [record["DeltasSetAside"] for record in records] == [[0.0], [0.0]]
