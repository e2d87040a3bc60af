"""Reading histories: every rule that the view promises, on histories written by hand."""

from __future__ import annotations

from datetime import timedelta

from millrace.executions.view import Iteration, Status, view_of
from tests.fakes.operator.histories import BEGAN, HistoryWriter, a_whole_job


def test_a_finished_execution_has_its_times_and_output() -> None:
    view = view_of(a_whole_job(planned=2, indexed=2))
    assert view.status is Status.SUCCEEDED
    assert view.started == BEGAN
    assert view.ended is not None
    assert view.seconds(BEGAN) == (view.ended - BEGAN).total_seconds() > 0
    assert '"indexed": 2' in (view.output or "")


def test_the_steps_are_the_top_level_in_order() -> None:
    names = [step.name for step in view_of(a_whole_job()).steps()]
    assert names == ["LoadManifest", "ListBatches", "ProcessBatches", "Verify", "AggregateFailures"]


def test_every_prefix_of_a_history_is_a_view_that_runs() -> None:
    events = a_whole_job()
    for length in range(1, len(events)):
        assert view_of(events[:length]).status is Status.RUNNING
    assert view_of([]).visits == []


def test_a_state_that_has_not_exited_is_running_and_its_clock_goes_on() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("Verify")
    visit = view_of(writer.events).visits[0]
    assert visit.status is Status.RUNNING
    assert visit.seconds(visit.entered + timedelta(seconds=7)) == 7


def test_a_loops_turns_are_one_step_and_its_time_leaves_out_what_lies_between() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.task("Verify")
    writer.enter("WaitForIndex", "Wait")
    writer.leave("WaitForIndex", "Wait")
    writer.task("Verify")
    verify, wait = view_of(writer.events).steps()
    assert (verify.name, len(verify.visits), wait.name) == ("Verify", 2, "WaitForIndex")
    assert verify.seconds(BEGAN) == 3 + 3


def test_a_failed_attempt_that_is_repeated_counts_as_a_retry_and_leaves_no_error() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("Verify")
    for _ in range(2):
        writer.add("TaskScheduled", {})
        writer.fail("SinkThrottled")
    waiting = view_of(writer.events).visits[0]
    assert (waiting.status, waiting.retries, waiting.error) == (Status.RUNNING, 1, "SinkThrottled")
    writer.add("TaskScheduled", {})
    writer.add("TaskSucceeded", {})
    writer.leave("Verify")
    done = view_of(writer.events).visits[0]
    assert (done.status, done.retries, done.error) == (Status.SUCCEEDED, 2, None)


def test_a_caught_error_stays_visible_on_the_state_that_had_it() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("LoadManifest")
    writer.add("TaskScheduled", {})
    writer.fail("ManifestGone", "no such key")
    writer.leave("LoadManifest")
    writer.enter("ManifestGone", "Succeed")
    load, gone = view_of(writer.events).visits
    assert (load.status, load.error, load.cause) == (Status.CAUGHT, "ManifestGone", "no such key")
    assert gone.status is Status.RUNNING


def test_a_timeout_has_the_name_that_retriers_match() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("Verify")
    writer.add("TaskScheduled", {})
    writer.add("TaskTimedOut", {})
    assert view_of(writer.events).visits[0].error == "States.Timeout"


def test_interleaved_iterations_keep_their_states_apart() -> None:
    writer = HistoryWriter()
    writer.start()
    begun = writer.map_start("ProcessBatches", 3)
    first = writer.iteration("Started", "ProcessBatches", 0, after=begun)
    second = writer.iteration("Started", "ProcessBatches", 1, after=begun)
    first = writer.enter("ProcessBatch", after=first)
    second = writer.enter("ProcessBatch", after=second)
    second = writer.fail("SinkThrottled", after=second)
    first = writer.leave("ProcessBatch", after=first)
    writer.iteration("Succeeded", "ProcessBatches", 0, after=first)

    container, one, two = view_of(writer.events).visits
    assert (one.inside, one.status, one.error) == (Iteration(container.number, 0), Status.SUCCEEDED, None)
    assert (two.inside, two.status, two.error) == (
        Iteration(container.number, 1),
        Status.RUNNING,
        "SinkThrottled",
    )
    progress = container.map
    assert progress is not None
    assert (progress.total, progress.succeeded, progress.running) == (3, 1, 1)


def test_a_map_inside_a_map_counts_its_own_iterations() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.map_start("Outer", 1)
    writer.iteration("Started", "Outer", 0)
    writer.map_start("Inner", 2)
    writer.iteration("Started", "Inner", 0)
    writer.enter("Work")
    writer.leave("Work")
    writer.iteration("Succeeded", "Inner", 0)
    outer, inner, work = view_of(writer.events).visits
    assert outer.map is not None
    assert inner.map is not None
    assert (outer.map.running, inner.map.succeeded) == (1, 1)
    assert inner.inside == Iteration(outer.number, 0)
    assert work.inside == Iteration(inner.number, 0)


def test_a_failed_map_fails_and_its_other_iterations_are_aborted() -> None:
    writer = HistoryWriter()
    writer.start()
    begun = writer.map_start("ProcessBatches", 2)
    first = writer.iteration("Started", "ProcessBatches", 0, after=begun)
    second = writer.iteration("Started", "ProcessBatches", 1, after=begun)
    first = writer.enter("ProcessBatch", after=first)
    second = writer.enter("ProcessBatch", after=second)
    first = writer.fail("Broken", after=first)
    failed = writer.iteration("Failed", "ProcessBatches", 0, after=first)
    writer.iteration("Aborted", "ProcessBatches", 1, after=second)
    writer.add("MapStateFailed", {"error": "Broken", "cause": "because"}, after=failed)
    writer.add("ExecutionFailed", {"error": "Broken", "cause": "because"})
    view = view_of(writer.events)
    container, one, two = view.visits
    assert (view.status, view.error) == (Status.FAILED, "Broken")
    assert (container.status, container.error) == (Status.FAILED, "Broken")
    assert container.map is not None
    assert (container.map.failed, container.map.aborted, container.map.running) == (1, 1, 0)
    assert (one.status, one.error) == (Status.FAILED, "Broken")
    assert two.status is Status.ABORTED


def test_parallel_branches_lie_inside_their_state() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("Both", "Parallel")
    begun = writer.add("ParallelStateStarted")
    left = writer.task("Left", after=begun)
    writer.task("Right", after=begun)
    writer.add("ParallelStateSucceeded", after=left)
    writer.leave("Both", "Parallel")
    writer.enter("After")
    view = view_of(writer.events)
    both, left_visit, right_visit, after = view.visits
    assert left_visit.inside == right_visit.inside == Iteration(both.number, None)
    assert (both.status, after.inside) == (Status.SUCCEEDED, None)


def test_the_state_that_ended_an_execution_failed_and_has_the_error() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("Failed", "Fail")
    writer.add("ExecutionFailed", {"error": "ManifestInvalid", "cause": "manifest /jobId is missing"})
    visit = view_of(writer.events).visits[0]
    assert (visit.status, visit.error) == (Status.FAILED, "ManifestInvalid")


def test_an_aborted_execution_aborts_what_was_running_only() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.task("LoadManifest")
    writer.enter("Verify")
    writer.add("ExecutionAborted", {"error": "Stopped", "cause": "by hand"}, after=0)
    view = view_of(writer.events)
    assert [visit.status for visit in view.visits] == [Status.SUCCEEDED, Status.ABORTED]
    assert view.ended == view.visits[1].exited


def test_a_redrive_reopens_the_execution_at_the_state_that_ended_it() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.task("LoadManifest")
    writer.enter("Notify")
    writer.add("TaskScheduled", {})
    writer.fail("SNS.AuthorizationErrorException")
    writer.add("ExecutionFailed", {"error": "SNS.AuthorizationErrorException", "cause": "denied"})
    writer.add("ExecutionRedriven", {"redriveCount": 1})
    reopened = view_of(writer.events)
    assert (reopened.status, reopened.ended, reopened.error, reopened.redrives) == (
        Status.RUNNING,
        None,
        None,
        1,
    )
    writer.add("TaskScheduled", {})
    writer.add("TaskSucceeded", {})
    writer.leave("Notify")
    writer.succeed({})
    view = view_of(writer.events)
    assert view.status is Status.SUCCEEDED
    assert [(visit.name, visit.status) for visit in view.visits] == [
        ("LoadManifest", Status.SUCCEEDED),
        ("Notify", Status.SUCCEEDED),
    ]
    assert view.visits[1].retries == 0, "the redrive's attempt is no retry"
