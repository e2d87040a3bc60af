"""Runs definitions on the mended interpreter in this process, with functions and services that the test gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from millrace.local.model import Model
from millrace.local.states import mends
from millrace.local.states.calls import Caller, function_failure
from millrace.local.states.engine import parse
from millrace.local.states.executions import Execution
from millrace.local.states.integrations import Integration
from millrace.local.states.mocks import read_case
from millrace.local.states.operations import Engine, StateMachines

MODEL = Model("stepfunctions")
REGION, ACCOUNT = "eu-west-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/machine"
Definition = Mapping[str, Any]


def function(name: str) -> str:
    """The ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


class FunctionFailed(Exception):
    """A function of the test raised this: the error's name and message reach the state machine."""

    def __init__(self, error: str, message: str = "") -> None:
        super().__init__(message)
        self.error = error


@dataclass
class Services:
    """Lambda functions and service answers of one test. Stands where the engine calls AWS."""

    functions: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    answers: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    callers: list[Caller] = field(default_factory=list)

    def invoke(self, _: Integration, parameters: dict[str, Any], caller: Caller) -> dict[str, Any]:
        self.callers.append(caller)
        name = parameters["FunctionName"].rpartition(":")[2]
        try:
            payload = self.functions[name](json.loads(parameters.get("Payload", b"{}")))
        except FunctionFailed as failure:
            raise function_failure({"errorType": failure.error, "errorMessage": str(failure)}) from failure
        return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": payload}

    def call(self, task: Integration, parameters: dict[str, Any], caller: Caller) -> Any:
        self.callers.append(caller)
        return self.answers[task.operation.name](parameters)


@dataclass(frozen=True)
class Run:
    """An execution that has ended."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    events: list[dict[str, Any]]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def states(self) -> list[str]:
        """The names of the states in the order in which they were entered."""
        return [
            event["stateEnteredEventDetails"]["name"] for event in self.events if "stateEnteredEventDetails" in event
        ]


class Lab:
    """Step Functions of one account and region, which run on `services`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.mocks: dict[str, Any] = {}
        self.statuses: list[str] = []
        self.time_scale = 1.0
        self.api = StateMachines(
            REGION,
            ACCOUNT,
            Engine(
                parse=parse,
                mocked_case=lambda machine, case: read_case(self.mocks, machine, case),
                time_scale=lambda: self.time_scale,
                on_status=lambda execution: self.statuses.append(execution.status),
            ),
        )

    def create(self, definition: Definition, **more: Any) -> str:
        name = more.pop("name", f"machine-{len(self.api.machines)}")
        request = {"name": name, "definition": json.dumps(definition), "roleArn": ROLE, **more}
        return str(self.api.create_state_machine(request)["stateMachineArn"])

    def start(self, machine: str, given: Any = None, **more: Any) -> Execution:
        request = {"stateMachineArn": machine, "input": json.dumps({} if given is None else given), **more}
        return self.api.executions[self.api.start_execution(request)["executionArn"]]

    def wait(self, execution: Execution, seconds: float = 10) -> Run:
        assert execution.ended.wait(seconds), f"still running; so far {self.history(execution)[-3:]}"
        self._hold_against_model(execution)
        output = None if execution.output is None else json.loads(execution.output)
        return Run(execution.status, output, execution.error, execution.cause, self.history(execution))

    def _hold_against_model(self, execution: Execution) -> None:
        """Whatever a test is about: what it leaves behind is what the real API could tell."""
        arn = {"executionArn": execution.order.arn}
        MODEL.check_output("DescribeExecution", self.api.describe_execution(arn))
        MODEL.check_output("GetExecutionHistory", self.api.get_execution_history({**arn, "maxResults": 1000}))

    def history(self, execution: Execution) -> list[dict[str, Any]]:
        return execution.history.part(0, len(execution.history))

    def run(self, definition: Definition, given: Any = None, **more: Any) -> Run:
        return self.wait(self.start(self.create(definition), given, **more))

    def state(self, state: Definition, given: Any = None) -> Run:
        """Run one state alone. States that it leads to by Next are added: each succeeds with its input."""
        ends = {"Caught", "Yes", "No"} & set(_targets(state))
        others = {name: {"Type": "Pass", "End": True} for name in ends}
        return self.run({"StartAt": "It", "States": {"It": state, **others}}, given)


def _targets(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value[key] for key in ("Next", "Default") if isinstance(value.get(key), str)]
        return own + [target for part in value.values() for target in _targets(part)]
    return [target for part in value for target in _targets(part)] if isinstance(value, list) else []


class Switchboard:
    """The interpreter is mended once for the process; each test connects its own services."""

    def __init__(self) -> None:
        self.services = Services()
        self._lock = threading.Lock()

    def call(self, *given: Any) -> Any:
        return self.services.call(*given)

    def invoke(self, *given: Any) -> Any:
        return self.services.invoke(*given)


_switchboard = Switchboard()


@pytest.fixture(scope="session")
def mended_interpreter() -> Switchboard:
    mends.apply(_switchboard)  # type: ignore[arg-type]
    return _switchboard


@pytest.fixture
def lab(mended_interpreter: Switchboard) -> Lab:
    mended_interpreter.services = Services()
    return Lab(mended_interpreter.services)
