"""What every execution of incident_sync keeps, whichever case it is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest

from tests.state_machines.answers.incident_sync import JOB, PASSES, WELL
from tests.state_machines.edges import all_states
from tests.state_machines.machines import INCIDENT_SYNC
from tests.state_machines.running import Run, Runs

pytestmark = pytest.mark.network

PASS_SECONDS = 910
"""The longest that a pass holds its lease: 900 seconds, as long as any function runs, and ten."""
RUN_PASSES = 20
"""Passes of a run, by default (docs/incident_sync.md)."""
COUNTS = ("synced", "removed", "failed", "setAside", "overtaken")
MARKS = ("searchable", "removed", "failed", "setAside")


def all_runs(runs: Runs) -> Iterator[tuple[str, Run]]:
    yield from runs[INCIDENT_SYNC.name].items()


def test_every_run_says_who_it_is_and_since_when_the_same_each_time(runs: Runs) -> None:
    for name, run in all_runs(runs):
        for request in run.requests("SyncBatch", "Confirm", "Measure", "MeasureFailure"):
            assert request["run"] == name
        assert len({request["startedAt"] for request in run.requests("SyncBatch", "Measure", "MeasureFailure")}) == 1


def test_a_pass_has_the_number_after_the_one_before_and_keeps_it_when_it_is_tried_again(runs: Runs) -> None:
    for name, run in all_runs(runs):
        numbers = [[request["pass"] for request in visit.requests] for visit in run.visits_to("SyncBatch")]
        assert numbers == [[number] * len(tries) for number, tries in enumerate(numbers, start=1)], name
        assert len(numbers) <= PASSES, name


def test_no_job_is_asked_for_where_nothing_waits_for_one_and_one_is_wherever_something_does(runs: Runs) -> None:
    for name, run in all_runs(runs):
        if "NeedsIngestion" in run.path:
            uncovered = run.last_visit("NeedsIngestion").input["batch"]["result"]["uncovered"]
            assert ("Ingest" in run.path) is uncovered, name


def test_nothing_is_confirmed_but_by_the_job_that_covered_the_request(runs: Runs) -> None:
    for name, run in all_runs(runs):
        for request in run.requests("Confirm"):
            assert request["job"] == JOB, name
        for before, visit in itertools.pairwise(run.visits):
            if visit.state == "CheckCovered" and visit.next == "KeepJob":
                assert (before.state, visit.input["answer"]["status"]) == ("Ingest", "covered"), name


def test_a_request_is_dated_after_the_last_pass_and_before_its_job_is_asked_for(runs: Runs) -> None:
    for name, run in all_runs(runs):
        if "Ingest" in run.path:
            assert run.path[run.path.index("Ingest") - 1] == "RequestIngestion", name
            assert "SyncBatch" not in run.path[run.path.index("RequestIngestion") :], name
            asked = run.last_visit("Ingest").input["ingestion"]["requestedAt"]
            assert {request["requestedAt"] for request in run.requests("Confirm")} <= {asked}, name


def test_each_page_is_asked_for_with_the_cursor_of_the_one_before(runs: Runs) -> None:
    for name, run in all_runs(runs):
        pages = run.visits_to("Confirm")
        answers = [visit.input["answer"] for visit in run.visits_to("CountConfirmed")]
        cursors = [visit.requests[0]["cursor"] for visit in pages]
        assert cursors == [None, *(answer["cursor"] for answer in answers)][: len(pages)], name


def test_what_is_told_and_measured_are_the_sums_of_what_was_answered(runs: Runs) -> None:
    for name, run in all_runs(runs):
        (measured,) = {repr(each): each for each in run.requests("Measure", "MeasureFailure")}.values()
        passes = [visit.input["batch"]["result"] for visit in run.visits_to("CountPass")]
        pages = [visit.input["answer"] for visit in run.visits_to("CountConfirmed")]
        for count in COUNTS:
            assert measured["sync"][count] == sum(each[count] for each in passes), name
        for mark in MARKS:
            assert measured["ingestion"][mark] == sum(each[mark] for each in pages), name
        if run.status == "SUCCEEDED":
            told = run.output["ingestion"]
            assert run.output["sync"] == measured["sync"], name
            assert told == {part: measured["ingestion"][part] for part in told}, name


def test_who_waits_only_for_the_writing_finds_its_counts_before_any_job_is_asked_for(runs: Runs) -> None:
    for name, run in all_runs(runs):
        if "NeedsIngestion" in run.path:
            done = run.last_visit("NeedsIngestion").input["sync"]  # what SyncDone gave
            assert done == run.requests("Measure", "MeasureFailure")[-1]["sync"], name


def test_every_run_is_measured_once_as_what_it_was(runs: Runs) -> None:
    for name, run in all_runs(runs):
        measured = [state for state in run.path if state in ("Measure", "MeasureFailure")]
        assert measured == ["Measure" if run.status == "SUCCEEDED" else "MeasureFailure"], name
        wanted = "completed" if run.status == "SUCCEEDED" else "failed"
        assert {request["status"] for request in run.requests(*measured)} == {wanted}, name


def test_a_run_fails_as_the_part_that_failed_with_the_cause_of_what_failed_in_it_or_its_name(runs: Runs) -> None:
    parts = {"SyncFailed": "SyncBatch", "IngestionFailed": "Ingest", "ConfirmFailed": "Confirm"}
    for name, run in all_runs(runs):
        if run.status == "FAILED":
            failure = run.last_visit("CheckCause").input["failure"]
            assert run.last_visit(parts[run.error or ""]).failures[-1:] in ([failure["Error"]], []), name
            assert run.cause
            assert run.cause == failure["Cause"] or run.cause.startswith(f"{failure['Error']}, without a cause"), name


def test_a_run_waits_longer_than_all_the_passes_that_another_one_may_make() -> None:
    """Delays are anywhere between nothing and the longest; four standard deviations are one run in thirty thousand."""
    retrier = all_states(INCIDENT_SYNC.rendered())["SyncBatch"]["Retry"][0]
    assert retrier["ErrorEquals"] == ["PassBusy"]
    waits, longest = retrier["MaxAttempts"], retrier["MaxDelaySeconds"]
    spread = longest / math.sqrt(12) * math.sqrt(waits)
    assert waits * longest / 2 - 4 * spread > RUN_PASSES * PASS_SECONDS


def test_a_machine_has_time_for_its_passes_beside_the_longest_ingestion() -> None:
    definition = INCIDENT_SYNC.rendered()
    passes = definition["TimeoutSeconds"] - all_states(definition)["Ingest"]["TimeoutSeconds"]
    assert passes > RUN_PASSES * PASS_SECONDS


@pytest.mark.parametrize("task", WELL)
def test_every_task_is_part_of_a_run_in_which_all_is_well(task: str, runs: Runs) -> None:
    assert task in runs[INCIDENT_SYNC.name]["AllWell"].path
