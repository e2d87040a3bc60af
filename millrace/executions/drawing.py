"""An execution's view on a terminal: a live table of its states, or a line for each state that ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from millrace.executions.changes import Change, changes
from millrace.executions.outcome import sentence
from millrace.executions.view import MapProgress, Requests, RunView, Status, Step

MARKS = {
    Status.RUNNING: ("●", "yellow"),
    Status.SUCCEEDED: ("✓", "green"),
    Status.CAUGHT: ("!", "magenta"),
    Status.FAILED: ("✗", "red"),
    Status.TIMED_OUT: ("✗", "red"),
    Status.ABORTED: ("■", "red"),
}
PLUMBING = (
    "Choice",
    "Pass",
)  # they take no time and do nothing; drawn only when something is wrong with them
FRAMES_PER_SECOND = 8


def draw(console: Console, views: Iterable[RunView], indent: int = 0) -> RunView:
    """Show the views as they come and return the last one. Needs at least one view."""
    if console.is_terminal:
        return _draw_live(console, views, indent)
    return _draw_lines(console, views, indent)


class _LiveRun:
    """The table of the newest view; drawn anew at each frame, so that the clocks of running states go on."""

    def __init__(self, indent: int) -> None:
        self.view = RunView()
        self._indent = indent

    def __rich__(self) -> RenderableType:
        return Padding(table(self.view, datetime.now(UTC)), (0, 0, 0, self._indent))


def _draw_live(console: Console, views: Iterable[RunView], indent: int) -> RunView:
    run = _LiveRun(indent)
    with Live(run, console=console, refresh_per_second=FRAMES_PER_SECOND):
        for view in views:
            run.view = view
    return run.view


def _draw_lines(console: Console, views: Iterable[RunView], indent: int) -> RunView:
    before: RunView | None = None
    for view in views:
        for change in changes(before, view):
            if _worth_showing(change.kind, change.status) and change.status is not Status.RUNNING:
                console.print(Text(" " * indent) + line(change), soft_wrap=True)
        before = view
    assert before is not None
    return before


def table(view: RunView, now: datetime) -> RenderableType:
    """The states of the top level, one row each, and under a failed execution its error."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column()
    rows.add_column(min_width=24)
    rows.add_column(justify="right", min_width=8)
    rows.add_column()
    for step in view.steps():
        if _worth_showing(step.kind, step.last.status):
            mark, colour = MARKS[step.last.status]
            rows.add_row(
                Text(mark, colour),
                Text(step.name),
                Text(f"{step.seconds(now):.1f} s"),
                Text(_step_note(step)),
            )
    if view.error:
        return Group(rows, Text(f"{view.error}: {sentence(view.cause)}", "red"))
    return rows


def line(change: Change) -> Text:
    mark, colour = MARKS[change.status]
    note = _note(change.turn, change.retries, change.map, change.requests, change.error)
    return Text.assemble((f"{mark} ", colour), f"{change.state:<24}", f"{change.seconds or 0:>8.1f} s  ", note)


def _worth_showing(kind: str, status: Status) -> bool:
    return kind not in PLUMBING or status not in (Status.RUNNING, Status.SUCCEEDED)


def _step_note(step: Step) -> str:
    return _note(len(step.visits), step.retries, step.last.map, step.last.requests, step.last.error)


def _note(turns: int, retries: int, progress: MapProgress | None, requests: Requests | None, error: str | None) -> str:
    parts = []
    if progress:
        parts.append(_map_note(progress))
    if requests:
        parts.append(f"{requests.done} of {requests.expected} requests")
    if turns > 1:
        parts.append(f"turn {turns}")
    if retries:
        parts.append(f"{retries} {'retry' if retries == 1 else 'retries'}")
    if error:
        parts.append(error)
    return ", ".join(parts)


def _map_note(progress: MapProgress) -> str:
    parts = [f"{progress.succeeded} of {progress.total} iterations"]
    parts += [
        f"{count} {word}"
        for count, word in (
            (progress.running, "running"),
            (progress.failed, "failed"),
            (progress.aborted, "aborted"),
        )
        if count
    ]
    return ", ".join(parts)
