"""Nested executions: a Task that starts one and waits for it (`.sync`, `.sync:2`) ends as it does.

When the Task's own end comes first (its execution is stopped or times out, its time is over, a sibling fails), the
nested execution is stopped, as well as can be: AWS promises no more, and needs `states:StopExecution` for it.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from millrace.local.states.calls import Caller, CallFailed, Calls
from millrace.local.states.executions import RUNNING, SUCCEEDED
from millrace.local.states.frames import Frame, Halted
from millrace.local.states.integrations import Integration, integration
from millrace.local.states.interpreter import (
    ResourceCondition,
    ResourceRuntimePart,
    StateCredentials,
    StateTaskServiceSfn,
)
from millrace.local.states.matching import TASK_FAILED
from millrace.local.states.shapes import json_text
from millrace.local.task_caller import TaskCaller

FIRST_LOOK_SECONDS = 0.02
MOST_SECONDS_BETWEEN_LOOKS = 0.25
"""Pauses between two looks at a nested execution: each is half as long again as the one before, up to this."""
FAILED_LOOKS = 20
"""Looks in a row that may fail before the Task does: an outage passes, a missing permission stays."""
CAUSE_CHARACTERS = 32_768
"""The longest cause of a failed task (API model, SensitiveCause)."""
START = "arn:aws:states:::states:startExecution"

logger = logging.getLogger("millrace.local.states")


@dataclasses.dataclass(frozen=True)
class Nested:
    """An execution that a Task has started and waits for."""

    arn: str
    calls: Calls
    caller: Caller

    def ended(self, frame: Frame) -> dict[str, Any]:
        """Its description, once it has ended. Raises Halted when the frame ends first, CallFailed when nobody tells."""
        failed, pause = 0, FIRST_LOOK_SECONDS
        while True:
            frame.go_on()
            try:
                told = self._call("DescribeExecution")
            except CallFailed:
                failed += 1
                if failed == FAILED_LOOKS:
                    raise
            else:
                failed = 0
                if told["Status"] != RUNNING:
                    return told
            frame.pause(pause)
            pause = min(pause * 1.5, MOST_SECONDS_BETWEEN_LOOKS)

    def stop(self) -> None:
        try:
            self._call("StopExecution")
        except CallFailed as error:
            logger.warning("%s runs on, though nobody waits for it any more: %s", self.arn, error)

    def _call(self, operation: str) -> dict[str, Any]:
        return self.calls.call(_operation(operation), {"ExecutionArn": self.arn}, self.caller)


def _operation(name: str) -> Integration:
    """Another operation of Step Functions, with the names that startExecution's integration has."""
    start = integration(START)
    return dataclasses.replace(start, operation=start.service.operation_model(name), pattern="", allowed=None)


def wait_for_nested(calls: Calls) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What follows the start of an execution, in place of what waits for a task's token."""

    def instead_of(wait_for_token: Callable[..., None]) -> Callable[..., None]:
        def evaluate(
            self: StateTaskServiceSfn,
            env: Frame,
            resource_runtime_part: ResourceRuntimePart,
            normalised_parameters: dict[str, Any],
            state_credentials: StateCredentials,
        ) -> None:
            condition = self.resource.condition
            if condition == ResourceCondition.WaitForTaskToken:
                wait_for_token(self, env, resource_runtime_part, normalised_parameters, state_credentials)
                return
            asking = TaskCaller(env.context["Execution"]["Id"], env.context["State"]["Name"])
            caller = Caller(resource_runtime_part.region, state_credentials.role_arn, asking)
            nested = Nested(env.stack.pop()["ExecutionArn"], calls, caller)
            try:
                told = nested.ended(env)
            except (Halted, CallFailed):
                nested.stop()
                raise
            if condition == ResourceCondition.Sync2:
                told = _read(told)
            if told["Status"] != SUCCEEDED:
                raise CallFailed(TASK_FAILED, json_text(told)[:CAUSE_CHARACTERS])
            env.stack.append(told)

        return evaluate

    return instead_of


def _read(told: Mapping[str, Any]) -> dict[str, Any]:
    """The description with input and output as JSON, not as text."""
    return {name: json.loads(part) if name in ("Input", "Output") else part for name, part in told.items()}
