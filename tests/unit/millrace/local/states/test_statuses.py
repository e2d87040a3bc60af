from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from millrace.local.states.executions import Execution
from millrace.local.states.statuses import measures

STARTED = dt.datetime(2026, 11, 22, 13, 0, tzinfo=dt.UTC)


def execution(status: str, *, redrives: int = 0) -> Execution:
    stopped = None if status == "RUNNING" else STARTED + dt.timedelta(seconds=1.5)
    told: Any = SimpleNamespace(status=status, started_at=STARTED, stopped_at=stopped, redrives=redrives)
    told.still = lambda: nullcontext(told)
    return cast(Execution, told)


def test_an_execution_that_begins_is_counted_and_its_redrive_is_not() -> None:
    assert measures(execution("RUNNING")) == [("ExecutionsStarted", 1, "Count")]
    assert measures(execution("RUNNING", redrives=1)) == []


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("SUCCEEDED", "ExecutionsSucceeded"),
        ("FAILED", "ExecutionsFailed"),
        ("ABORTED", "ExecutionsAborted"),
        ("TIMED_OUT", "ExecutionsTimedOut"),
    ],
)
def test_an_execution_that_ends_is_counted_by_how_and_tells_its_time(status: str, name: str) -> None:
    assert measures(execution(status)) == [(name, 1, "Count"), ("ExecutionTime", 1500, "Milliseconds")]
