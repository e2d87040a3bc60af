"""Runs test cases on an engine with Step Functions' interface that knows Step Functions Local's mock file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.state_machines.cases.case import Case
from tests.state_machines.histories import Visit, visits

ROLE = "arn:aws:iam::123456789012:role/a-machine"
PAGE = 1_000  # GetExecutionHistory's largest page
DEADLINE_SECONDS = 90.0


@dataclass(frozen=True)
class Run:
    """One execution of a case that has ended. `error` and `cause` are None where it succeeded.

    `events` is the length of its history.
    """

    arn: str
    status: str
    error: str | None
    cause: str | None
    output: Any
    events: int
    visits: list[Visit]

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(visit.state for visit in self.visits)

    def visits_to(self, *states: str) -> list[Visit]:
        """Its visits to any of these states, in order."""
        return [visit for visit in self.visits if visit.state in states]

    def last_visit(self, state: str) -> Visit:
        return self.visits_to(state)[-1]

    def requests(self, *states: str) -> list[Any]:
        """What it asked in any of these states, in order, with what it tried again."""
        return [request for visit in self.visits_to(*states) for request in visit.requests]


Runs = Mapping[str, Mapping[str, Run]]
"""The runs of every machine's cases."""
Definitions = Mapping[str, Mapping[str, Any]]


def run_cases(client: Any, machine: str, definition: Mapping[str, Any], cases: Iterable[Case]) -> dict[str, Run]:
    """Run all cases side by side. Raises TimeoutError that names the cases that do not end."""
    arn = client.create_state_machine(name=machine, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    running = {case.name: _start(client, arn, case) for case in cases}
    ended: dict[str, Run] = {}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while running:
        for name, execution in list(running.items()):
            said = client.describe_execution(executionArn=execution)
            if said["status"] != "RUNNING":
                ended[name] = _run(client, execution, said)
                del running[name]
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ended after {DEADLINE_SECONDS:.0f} s: {', '.join(sorted(running))}")
        time.sleep(0.1)
    return ended


def _start(client: Any, machine: str, case: Case) -> str:
    return client.start_execution(
        stateMachineArn=f"{machine}#{case.name}", name=case.name, input=json.dumps(case.input)
    )["executionArn"]


def _run(client: Any, arn: str, said: Mapping[str, Any]) -> Run:
    events = list(history(client, arn))
    return Run(
        arn=arn,
        status=said["status"],
        error=said.get("error"),
        cause=said.get("cause"),
        output=json.loads(said["output"]) if said.get("output") else None,
        events=len(events),
        visits=visits(events),
    )


def history(client: Any, arn: str) -> Iterator[Mapping[str, Any]]:
    """Every event of an execution, oldest first."""
    arguments = {"executionArn": arn, "maxResults": PAGE}
    while True:
        page = client.get_execution_history(**arguments)
        yield from page["events"]
        if not page.get("nextToken"):
            return
        arguments["nextToken"] = page["nextToken"]
