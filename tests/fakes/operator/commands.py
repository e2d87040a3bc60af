"""Running `millrace` in this process, and what it printed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from typer.testing import CliRunner, Result

from millrace.cli import app
from tests.fakes.operator.aws import FakeExecution
from tests.fakes.operator.histories import BEGAN, MANIFEST, a_whole_job


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def finished(name: str = "one", job_id: str = "handbook-1", *, stopped: bool = False, **counts: int) -> FakeExecution:
    history = a_whole_job(job_id, stopped=stopped, **counts)
    output = history[-1]["executionSucceededEventDetails"]["output"]
    return FakeExecution(name, history, input=json.dumps(MANIFEST), output=output, ended=BEGAN + timedelta(seconds=9))
