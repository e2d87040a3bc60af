"""Waiting for executions, with an end to every wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from millrace.errors import NotFound, StillRunning
from millrace.executions.adapter import Execution, Executions, History
from millrace.executions.counting import shown
from millrace.executions.view import Requests, RunView, Status, view_of


@dataclass(frozen=True)
class Pace:
    """How often to look (seconds) and for how long at most; clock and sleep are passed in by tests."""

    every: float
    at_most: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def ticks(self) -> Iterator[float]:
        """Yield the seconds gone by, at once and then every `every`, and last when `at_most` is reached."""
        began = self.clock()
        while True:
            gone = self.clock() - began
            yield gone
            if gone >= self.at_most:
                return
            self.sleep(min(self.every, self.at_most - gone))


def await_execution(executions: Executions, bucket: str, key: str, since: datetime, pace: Pace) -> Execution:
    """Wait for the execution that the manifest's event starts. Raises NotFound when the time is up."""
    for _ in pace.ticks():
        found = executions.of_manifest(bucket, key, since)
        if found is not None:
            return found
    raise NotFound(
        f"no execution has begun for s3://{bucket}/{key} within {pace.at_most:.0f} s; look whether the "
        "EventBridge rule is enabled and whether its dead-letter queue holds the event"
    )


def follow(
    history: History,
    pace: Pace,
    *,
    count: Callable[[RunView], Requests | None] = lambda _: None,
    redrives: int = 0,
    going_on: str = "the job goes on: millrace watch",
) -> Iterator[RunView]:
    """Yield the view each time that the history has grown or the count has changed, until the execution has ended.

    `count` says what the history does not (`counting`). An end that comes before this many redrives is the end that
    the last of them is about to undo: Step Functions shows a redrive a moment after it was asked for. Raises
    StillRunning when the time is up, which says what is `going_on`; the execution itself is never touched.
    """
    view, read, told = RunView(), -1, None
    for _ in pace.ticks():
        events = history.read()
        grown = len(events) > read
        if grown:
            view, read = view_of(events), len(events)
        requests = count(view)
        if not grown and requests == told:
            continue
        told = requests
        yield shown(view, requests)
        if view.status is not Status.RUNNING and view.redrives >= redrives:
            return
    raise StillRunning(f"still running after {pace.at_most:.0f} s of watching; {going_on}")
