"""Machines whose DynamoDB and Step Functions calls are real, on an embedded AWS, while mocks answer for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.local.instance import Instance
from tests.fakes.deployed import eventually
from tests.state_machines.running import ROLE, history
from tests.substrate import WAIT_SCALE, configure

ENDS_SECONDS = 30.0


def create(states: Any, name: str, definition: Mapping[str, Any]) -> str:
    """The ARN of a new machine."""
    arn = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    return str(arn)


@dataclass
class Executions:
    """Executions of any machine of an embedded AWS; `time_scale` is what a second of a Wait takes."""

    instance: Instance
    states: Any
    time_scale: float = field(default=1.0, kw_only=True)

    def start(self, machine: str, given: Any = None, **name: str) -> str:
        """The execution's ARN. The machine is an ARN, with `#` and a test case of the mock file."""
        text = "{}" if given is None else json.dumps(given)
        return str(self.states.start_execution(stateMachineArn=machine, input=text, **name)["executionArn"])

    def run(self, machine: str, given: Any = None, **name: str) -> str:
        """The execution's ARN, once it has ended."""
        return self.ended(self.start(machine, given, **name))

    def ended(self, arn: str) -> str:
        eventually(lambda: self.status(arn) != "RUNNING", within=ENDS_SECONDS)
        return arn

    def came_to(self, state: str, arn: str) -> str:
        """The execution's ARN, once it is in that state."""
        eventually(lambda: self.last_state(arn) == state, within=ENDS_SECONDS)
        return arn

    def abort(self, arn: str) -> str:
        """The execution's ARN, once it is ABORTED."""
        self.states.stop_execution(executionArn=arn)
        return self.ended(arn)

    def redrive(self, arn: str) -> list[str]:
        """The states that a redriven execution enters after the one that it goes on in; no wait takes time."""
        before = len(self.entered(arn))
        configure(self.instance, {WAIT_SCALE: 0})
        try:
            self.states.redrive_execution(executionArn=arn)
            self.ended(arn)
        finally:
            configure(self.instance, {WAIT_SCALE: self.time_scale})
        return self.entered(arn)[before:]

    def status(self, arn: str) -> str:
        return str(self.states.describe_execution(executionArn=arn)["status"])

    def error(self, arn: str) -> str | None:
        error: str | None = self.states.describe_execution(executionArn=arn).get("error")
        return error

    def output(self, arn: str) -> Any:
        return json.loads(self.states.describe_execution(executionArn=arn)["output"])

    def entered(self, arn: str) -> list[str]:
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in history(self.states, arn)
            if event["type"].endswith("StateEntered")
        ]

    def last_state(self, arn: str) -> str | None:
        return next(reversed(self.entered(arn)), None)


def bystanders(executions: Executions) -> Iterator[Callable[[str], str]]:
    """Starts an execution that `waits` for an hour, or one that has `ended`. For a fixture: they end with it."""
    waiting: list[str] = []

    def start(does: str) -> str:
        first = {"Type": "Wait", "Seconds": 36_000, "End": True} if does == "waits" else {"Type": "Succeed"}
        machine = create(executions.states, f"that-{does}", {"StartAt": "First", "States": {"First": first}})
        if does != "waits":
            return executions.run(machine)
        waiting.append(executions.start(machine))
        return waiting[-1]

    yield start
    for arn in waiting:
        executions.states.stop_execution(executionArn=arn)
