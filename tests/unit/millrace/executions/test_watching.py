from __future__ import annotations

import json
from datetime import timedelta

import pytest

from millrace.errors import NotFound, StillRunning
from millrace.executions.adapter import Executions, History
from millrace.executions.view import Status
from millrace.executions.watching import Pace, await_execution, follow
from tests.fakes.operator.aws import FakeExecution, FakeStates
from tests.fakes.operator.histories import BEGAN, MANIFEST, HistoryWriter, a_whole_job

BUCKET, KEY = MANIFEST["bucket"], MANIFEST["key"]


class Clock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self, every: float, at_most: float) -> Pace:
        return Pace(every=every, at_most=at_most, clock=lambda: self.now, sleep=self.sleep)


def executions(states: FakeStates) -> Executions:
    return Executions(states, states.machine)


def test_a_pace_looks_at_once_and_last_when_the_time_is_up() -> None:
    assert list(Clock().pace(every=2, at_most=5).ticks()) == [0, 2, 4, 5]
    assert list(Clock().pace(every=2, at_most=0).ticks()) == [0]


def test_following_shows_each_growth_once_and_stops_at_the_end() -> None:
    states = FakeStates(step=5)
    arn = states.add(FakeExecution("one", a_whole_job()))
    views = list(follow(executions(states).history(arn), Clock().pace(every=1, at_most=100)))
    assert [view.status for view in views[:-1]] == [Status.RUNNING] * (len(views) - 1)
    assert views[-1].status is Status.SUCCEEDED


def test_following_ends_when_the_time_is_up_and_leaves_the_job_alone() -> None:
    states = FakeStates()
    arn = states.add(FakeExecution("one", a_whole_job()[:6], status="RUNNING"))
    clock = Clock()
    with pytest.raises(StillRunning, match="the job goes on"):
        list(follow(executions(states).history(arn), clock.pace(every=1, at_most=10)))
    assert clock.now == 10


def test_an_end_before_the_redrive_is_not_the_end() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("Verify")
    writer.add("ExecutionAborted", {})
    seen = len(writer.events)
    writer.add("ExecutionRedriven", {})
    writer.succeed({})
    states = FakeStates(step=seen)
    arn = states.add(FakeExecution("one", writer.events))
    views = list(follow(executions(states).history(arn), Clock().pace(every=1, at_most=100), redrives=1))
    assert [view.status for view in views] == [Status.ABORTED, Status.SUCCEEDED]


def test_a_history_is_read_on_from_its_last_page_and_no_event_comes_twice() -> None:
    states = FakeStates(step=7)
    events = a_whole_job()
    arn = states.add(FakeExecution("one", events))
    history = History(states, arn, page=10)
    while len(history.read()) < len(events):
        pass
    assert [event["id"] for event in history.events] == [event["id"] for event in events]


def test_the_execution_of_a_manifest_is_the_newest_that_began_since() -> None:
    states = FakeStates()
    other = json.dumps({**MANIFEST, "key": "another/_control/manifest.json"})
    mine = json.dumps(MANIFEST)
    states.add(FakeExecution("earlier", [], started=BEGAN - timedelta(seconds=1), input=mine))
    states.add(FakeExecution("mine", [], started=BEGAN + timedelta(seconds=1), input=mine))
    states.add(FakeExecution("foreign", [], started=BEGAN + timedelta(seconds=2), input=other))
    states.add(FakeExecution("odd", [], started=BEGAN + timedelta(seconds=3), input="[1]"))
    found = executions(states).of_manifest(BUCKET, KEY, BEGAN)
    assert found is not None
    assert found.name == "mine"


def test_waiting_for_an_execution_that_never_begins_ends_and_says_where_to_look() -> None:
    states = FakeStates()
    states.add(FakeExecution("earlier", [], started=BEGAN - timedelta(seconds=1), input=json.dumps(MANIFEST)))
    clock = Clock()
    with pytest.raises(NotFound, match="EventBridge"):
        await_execution(executions(states), BUCKET, KEY, BEGAN, clock.pace(every=1, at_most=3))
    assert clock.now == 3


def test_a_manifest_can_be_started_by_hand() -> None:
    started = executions(FakeStates()).start({"bucket": BUCKET, "key": KEY})
    assert started.running
    assert json.loads(started.input or "") == {"bucket": BUCKET, "key": KEY}


def test_an_unknown_execution_is_not_running() -> None:
    states = FakeStates()
    states.add(FakeExecution("running", [], status="RUNNING"))
    found = executions(states)
    assert found.is_running("running")
    assert not found.is_running("never-was")


def test_the_newest_executions_come_first_and_no_more_than_asked() -> None:
    states = FakeStates()
    for number in range(5):
        states.add(FakeExecution(f"run-{number}", [], started=BEGAN + timedelta(minutes=number)))
    assert [found.name for found in executions(states).newest(3)] == ["run-4", "run-3", "run-2"]
