from __future__ import annotations

from millrace.executions.changes import changes
from millrace.executions.view import Status, view_of
from tests.fakes.operator.histories import HistoryWriter, a_whole_job


def test_nothing_changes_between_equal_views() -> None:
    events = a_whole_job()
    assert changes(view_of(events), view_of(events)) == []


def test_each_state_is_told_when_it_begins_and_when_it_ends() -> None:
    events = a_whole_job()
    told: list[tuple[str, Status]] = []
    before = None
    for length in range(1, len(events) + 1):
        after = view_of(events[:length])
        told += [(change.state, change.status) for change in changes(before, after)]
        before = after
    assert told[:4] == [
        ("LoadManifest", Status.RUNNING),
        ("LoadManifest", Status.SUCCEEDED),
        ("ListBatches", Status.RUNNING),
        ("ListBatches", Status.SUCCEEDED),
    ]
    assert told[-1] == ("AggregateFailures", Status.SUCCEEDED)
    assert ("ProcessBatch", Status.RUNNING) not in told


def test_a_maps_progress_is_a_change() -> None:
    events = a_whole_job()
    progress = []
    before = None
    for length in range(1, len(events) + 1):
        after = view_of(events[:length])
        progress += [change.map.succeeded for change in changes(before, after) if change.map]
        before = after
    assert sorted(set(progress)) == [0, 1, 2]


def test_a_loops_turns_are_numbered() -> None:
    writer = HistoryWriter()
    writer.start()
    for _ in range(3):
        writer.task("Verify")
    assert [change.turn for change in changes(None, view_of(writer.events))] == [1, 2, 3]


def test_a_change_for_scripts_names_its_error_and_its_seconds() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("LoadManifest")
    writer.add("TaskScheduled", {})
    writer.fail("ManifestInvalid", "manifest /jobId is missing")
    writer.leave("LoadManifest")
    (change,) = changes(None, view_of(writer.events))
    document = change.as_dict()
    assert (document["status"], document["error"], document["seconds"]) == ("CAUGHT", "ManifestInvalid", 3.0)
    assert document["cause"] == "manifest /jobId is missing"
