"""Waiting for executions, with an end to every wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from millrace.errors import NotFound, StillRunning
from millrace.executions.adapter import Execution, Executions, History
from millrace.executions.view import RunView, Status, view_of


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


def follow(history: History, pace: Pace) -> Iterator[RunView]:
    """Yield the view each time that the history has grown, until the execution has ended.

    Raises StillRunning when the time is up; the execution itself is never touched.
    """
    seen = -1
    for _ in pace.ticks():
        events = history.read()
        if len(events) == seen:
            continue
        seen = len(events)
        view = view_of(events)
        yield view
        if view.status is not Status.RUNNING:
            return
    raise StillRunning(f"still running after {pace.at_most:.0f} s of watching; the job goes on: millrace watch")
