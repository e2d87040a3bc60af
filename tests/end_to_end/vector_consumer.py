"""The embedding worker as ECS runs it, started by hand beside the Lambda consumer, against the same queue and lease."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.end_to_end.vector_stack import EMBED, VectorStack

LAMBDAS = Path(__file__).parents[2] / "lambdas"
STOP_SECONDS = 3
"""The shortest that it takes: it receives for a second at a time then."""
REFUSED = "embed queue has another consumer"
END_SECONDS = 60


class Consumer:
    """A process that works the queue of exports. `log` is the file that it writes its lines to."""

    def __init__(self, stack: VectorStack, log: Path) -> None:
        told = stack.client("lambda").get_function_configuration(FunctionName=EMBED)["Environment"]["Variables"]
        self.log = log
        with log.open("wb") as lines:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vector_store.embed"],
                env={
                    **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                    **stack.instance.environment(),
                    **told,
                    "PYTHONPATH": str(LAMBDAS),
                    "STOP_SECONDS": str(STOP_SECONDS),
                },
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Order it to stop, as ECS does; its exit code."""
        self._process.terminate()
        return self._process.wait(END_SECONDS)

    def kill(self) -> None:
        """Let it die at once."""
        self._process.kill()
        self._process.wait()

    def refusals(self) -> list[dict[str, Any]]:
        """Who had the lease, each time it was refused."""
        return refusals(self.log.read_text().splitlines())


def lambda_refusals(stack: VectorStack) -> list[dict[str, Any]]:
    """Who had the lease, each time the Lambda consumer was refused."""
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{EMBED}")
    return refusals([event["message"] for page in pages for event in page["events"]])


def refusals(lines: list[str]) -> list[dict[str, Any]]:
    said = [json.loads(line) for line in lines if line.startswith("{") and REFUSED in line]
    return [line["holder"] for line in said]
