"""How far the queues are, beside a history that says nothing of it."""

from __future__ import annotations

from typing import Any

from millrace.executions.adapter import History
from millrace.executions.changes import changes
from millrace.executions.counting import Counting, Progress, shown
from millrace.executions.view import Requests, Status, view_of
from millrace.executions.watching import Pace, follow
from tests.fakes.operator.aws import FakeDynamoDB, FakeExecution, FakeStates
from tests.fakes.operator.histories import HistoryWriter, a_whole_job

JOB = "handbook-1/1f2e3d4c5b6a7988"


def waiting(*, ended: bool = False) -> list[dict[str, Any]]:
    """A job of the queue option that waits for its token, or has had it."""
    writer = HistoryWriter()
    writer.start()
    job_id, run = JOB.split("/")
    writer.task("LoadManifest", output={"manifest": {"jobId": job_id, "run": run}})
    writer.enter("ProcessBatches")
    writer.add("TaskScheduled", {})
    if ended:
        writer.add("TaskSucceeded", {})
        writer.leave("ProcessBatches")
        writer.enter("Verify")
    return writer.events


def counting(database: FakeDynamoDB) -> Counting:
    return Counting(Progress(database, "millrace-progress"))


def test_the_requests_stand_at_the_state_that_waits_for_them() -> None:
    database = FakeDynamoDB()
    database.counters[JOB] = (7, 40)
    view = view_of(waiting())
    told = shown(view, counting(database)(view))
    assert {visit.name: visit.requests for visit in told.visits} == {
        "LoadManifest": None,
        "ProcessBatches": Requests(7, 40),
    }


def test_before_the_producer_has_counted_nothing_is_said() -> None:
    view = view_of(waiting())
    assert counting(FakeDynamoDB())(view) is None
    assert shown(view, None) is view


def test_a_map_waits_for_no_queue_and_nothing_is_asked() -> None:
    database = FakeDynamoDB()
    assert counting(database)(view_of(a_whole_job())) is None
    assert database.counters_read == 0


def test_a_state_that_has_ended_is_asked_about_once_more_and_then_known() -> None:
    database = FakeDynamoDB()
    database.counters[JOB] = (39, 40)
    count = counting(database)
    assert count(view_of(waiting())) == Requests(39, 40)
    database.counters[JOB] = (40, 40)
    for _ in range(3):
        assert count(view_of(waiting(ended=True))) == Requests(40, 40)
    assert database.counters_read == 2


def test_a_count_that_grows_is_a_change_though_the_history_stays() -> None:
    counts = iter([(0, 3), (0, 3), (2, 3), (3, 3)])
    database = FakeDynamoDB()
    states = FakeStates()
    arn = states.add(FakeExecution("one", waiting()))

    def sleep(_: float) -> None:
        found = next(counts, None)
        if found is not None:
            database.counters[JOB] = found
        else:
            states.executions[0].history = [*waiting(), *finished(len(waiting()))]

    pace = Pace(every=1, at_most=100, clock=lambda: 0.0, sleep=sleep)
    views = list(follow(History(states, arn), pace, count=counting(database)))
    told = [visit.requests for view in views for visit in view.visits if visit.name == "ProcessBatches"]
    assert told[0] is None
    assert [each for each in told if each] == [Requests(0, 3), Requests(2, 3), Requests(3, 3), Requests(3, 3)]
    assert views[-1].status is Status.SUCCEEDED


def finished(known: int) -> list[dict[str, Any]]:
    events = [*waiting(ended=True)]
    writer = HistoryWriter()
    writer.events = events
    writer.leave("Verify")
    writer.succeed({})
    return writer.events[known:]


def test_a_script_sees_the_requests_of_a_change() -> None:
    view = view_of(waiting())
    found = [
        change.as_dict() for change in changes(view, shown(view, Requests(7, 40))) if change.state == "ProcessBatches"
    ]
    assert [change["requests"] for change in found] == [{"done": 7, "expected": 40}]
