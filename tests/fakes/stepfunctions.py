"""A Step Functions client in memory that knows tasks waiting with tokens, and counts what is started."""

# ruff: noqa: N803 - the arguments are boto3's, by its names

from __future__ import annotations

import json
from typing import Any

from tests.fakes.api_model import check_request
from tests.fakes.s3 import client_error


class FakeStepFunctions:
    """`waiting` are the tokens that somebody waits with; each takes one answer. `started` are the inputs of the
    executions, by their machine."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.answered: list[str] = []
        self.refused: list[str] = []
        self.errors: list[str] = []
        self.started: dict[str, list[Any]] = {}

    def start_execution(self, **asked: Any) -> dict[str, Any]:
        check_request("stepfunctions", "StartExecution", asked)
        if self.errors:
            raise client_error("StartExecution", self.errors.pop(0))
        self.started.setdefault(asked["stateMachineArn"], []).append(json.loads(asked["input"]))
        return {"executionArn": "arn"}

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:
        json.loads(output)
        if self.errors:
            raise client_error("SendTaskSuccess", self.errors.pop(0))
        if taskToken not in self.waiting:
            self.refused.append(taskToken)
            raise client_error("SendTaskSuccess", "TaskTimedOut" if taskToken in self.answered else "TaskDoesNotExist")
        self.waiting.discard(taskToken)
        self.answered.append(taskToken)
        return {}
