"""The view of histories that the embedded AWS wrote; long texts and stacks are cut from the records."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from millrace.errors import ExitCode
from millrace.executions.changes import changes
from millrace.executions.outcome import outcome_of
from millrace.executions.view import Event, RunView, Status, Step, view_of

RECORDS = {path.stem: path for path in sorted(Path(__file__).with_name("histories").glob("*.json"))}


def events_of(record: str) -> list[Event]:
    events = json.loads(RECORDS[record].read_text("utf-8"))
    return [{**event, "timestamp": datetime.fromisoformat(event["timestamp"])} for event in events]


def step(view: RunView, name: str) -> Step:
    return next(step for step in view.steps() if step.name == name)


@pytest.mark.parametrize("record", RECORDS)
def test_no_visit_is_left_open_and_none_ends_before_it_begins(record: str) -> None:
    view = view_of(events_of(record))
    assert view.status is not Status.RUNNING
    for visit in view.visits:
        assert visit.status is not Status.RUNNING, visit
        assert visit.exited is not None, visit
        assert visit.exited >= visit.entered, visit


@pytest.mark.parametrize("record", RECORDS)
def test_the_top_level_never_holds_a_state_of_the_map(record: str) -> None:
    inside = {"ProcessBatch", "CheckChunk", "ChunkProcessed"}
    assert inside.isdisjoint(step.name for step in view_of(events_of(record)).steps())


@pytest.mark.parametrize("record", RECORDS)
def test_the_changes_of_a_growing_history_end_where_the_whole_one_does(record: str) -> None:
    events = events_of(record)
    last: dict[tuple[str, int], Status] = {}
    before = None
    for length in range(1, len(events) + 1):
        after = view_of(events[:length])
        last |= {(change.state, change.turn): change.status for change in changes(before, after)}
        before = after
    whole = {
        (step.name, turn): visit.status for step in view_of(events).steps() for turn, visit in enumerate(step.visits, 1)
    }
    assert last == whole


def test_the_sample_finishes_with_three_failed_documents() -> None:
    outcome = outcome_of(view_of(events_of("sample")))
    assert outcome.exit_code is ExitCode.FAILED_DOCUMENTS
    assert (outcome.counts["planned"], outcome.counts["updated"], outcome.counts["failed"]) == (15, 12, 3)


def test_fifteen_chunks_are_fifteen_iterations() -> None:
    view = view_of(events_of("fifteen_chunks"))
    progress = step(view, "ProcessBatches").last.map
    assert progress is not None
    assert (progress.total, progress.succeeded, progress.running) == (15, 15, 0)
    nested = Counter(visit.inside for visit in view.visits if visit.name == "ProcessBatch")
    assert len(nested) == 15
    assert set(nested.values()) == {1}


def test_stopping_in_the_map_aborts_what_ran_and_keeps_what_was_done() -> None:
    view = view_of(events_of("aborted_in_map"))
    visit = step(view, "ProcessBatches").last
    assert (view.status, visit.status) == (Status.ABORTED, Status.ABORTED)
    assert visit.map is not None
    assert (visit.map.succeeded, visit.map.aborted, visit.map.running) == (3, 2, 0)


def test_a_redrive_finishes_the_iterations_that_were_left() -> None:
    view = view_of(events_of("redriven"))
    visit = step(view, "ProcessBatches").last
    assert (view.status, view.redrives, visit.status) == (Status.SUCCEEDED, 1, Status.SUCCEEDED)
    assert visit.map is not None
    assert (visit.map.total, visit.map.succeeded, visit.map.aborted) == (15, 15, 0)
    assert outcome_of(view).exit_code is ExitCode.OK


def test_a_manifest_that_breaks_its_schema_fails_and_its_error_is_that_of_the_execution() -> None:
    view = view_of(events_of("manifest_invalid"))
    assert (step(view, "LoadManifest").last.status, view.error) == (Status.CAUGHT, "ManifestInvalid")
    assert step(view, "Failed").last.error == "ManifestInvalid"
    assert outcome_of(view).exit_code is ExitCode.FAILED


@pytest.mark.parametrize(
    ("record", "code"),
    [("manifest_gone", ExitCode.OK), ("already_running", ExitCode.ALREADY_RUNNING)],
)
def test_a_duplicate_event_ends_quietly_and_says_why(record: str, code: ExitCode) -> None:
    outcome = outcome_of(view_of(events_of(record)))
    assert outcome.exit_code is code
    assert outcome.note
