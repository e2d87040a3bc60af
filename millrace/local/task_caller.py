"""Which Task of which execution makes a call: the embedded Step Functions says so in a header of what it calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

HEADER = "x-millrace-task"


class TaskCaller(NamedTuple):
    """`execution` is its ARN, `state` the name of the Task state."""

    execution: str
    state: str


def header(caller: TaskCaller) -> str:
    """The header's value. Names of executions and states may hold letters of any script."""
    return f"{quote(caller.execution)} {quote(caller.state)}"


def task_of(headers: Mapping[str, str]) -> TaskCaller | None:
    """Who calls, by the call's headers (names in lower case); None where it is no Task."""
    execution, _, state = headers.get(HEADER, "").partition(" ")
    return TaskCaller(unquote(execution), unquote(state)) if execution else None
