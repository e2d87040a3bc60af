from __future__ import annotations

import io
from datetime import timedelta

from rich.console import Console

from millrace.executions.counting import shown
from millrace.executions.drawing import draw, table
from millrace.executions.view import Requests, view_of
from tests.fakes.operator.histories import BEGAN, HistoryWriter, a_whole_job


def drawn(*views: object) -> str:
    console = Console(file=io.StringIO(), width=100)
    for view in views:
        console.print(view)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_plain_terminal_gets_one_line_for_each_state_that_ended() -> None:
    events = a_whole_job()
    console = Console(file=io.StringIO(), width=100)
    draw(console, (view_of(events[:length]) for length in range(1, len(events) + 1)))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    names = [line.split()[1] for line in lines]
    assert names == ["LoadManifest", "ListBatches", "ProcessBatches", "Verify", "AggregateFailures"]
    assert "2 of 2 iterations" in lines[2]


def test_the_table_shows_a_running_map_with_its_iterations_and_clock() -> None:
    writer = HistoryWriter()
    writer.start()
    begun = writer.map_start("ProcessBatches", 40)
    writer.iteration("Started", "ProcessBatches", 0, after=begun)
    said = drawn(table(view_of(writer.events), BEGAN + timedelta(seconds=61)))
    assert "ProcessBatches" in said
    assert "60.0 s" in said
    assert "0 of 40 iterations, 1 running" in said


def test_the_table_shows_how_far_the_queues_are() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("ProcessBatches")
    view = shown(view_of(writer.events), Requests(7, 40))
    assert "7 of 40 requests" in drawn(table(view, BEGAN))


def test_choices_are_not_drawn_unless_they_fail() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("CheckLock", "Choice")
    writer.leave("CheckLock", "Choice")
    assert "CheckLock" not in drawn(table(view_of(writer.events), BEGAN))
    writer.enter("CheckOwner", "Choice")
    writer.add("ExecutionFailed", {"error": "States.NoChoiceMatched", "cause": "none"})
    said = drawn(table(view_of(writer.events), BEGAN))
    assert "CheckOwner" in said
    assert "States.NoChoiceMatched: none" in said


def test_a_documents_name_cannot_command_the_terminal() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.add("ExecutionFailed", {"error": "ManifestInvalid", "cause": "[red]not markup[/red]"})
    assert "[red]not markup[/red]" in drawn(table(view_of(writer.events), BEGAN))
