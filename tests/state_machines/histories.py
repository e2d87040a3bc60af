"""What an execution did, read from its history: the states it visited and the edges that it took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.state_machines.choices import rule_of
from tests.state_machines.edges import Edge, State, handler_of, next_edge, retry_edge


@dataclass
class Visit:
    """One stay in a state. `requests` are what its Task sent, one an attempt; `failures` their errors."""

    state: str
    input: Any
    requests: list[Any] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    next: str | None = None


def visits(events: Iterable[Mapping[str, Any]]) -> list[Visit]:
    """The visits in the order of entering. Iterations of a Map must not overlap (its MaxConcurrency is 1)."""
    found: list[Visit] = []
    scopes: list[Visit | None] = [None]
    for event in events:
        kind, current = event["type"], scopes[-1]
        if kind.endswith("StateEntered"):
            entered = event["stateEnteredEventDetails"]
            visit = Visit(entered["name"], json.loads(entered["input"]))
            if current:
                current.next = visit.state
            scopes[-1] = visit
            found.append(visit)
            if kind == "MapStateEntered":
                scopes.append(None)
        elif kind == "MapIterationStarted":
            scopes[-1] = None
        elif kind == "MapStateExited":
            scopes.pop()
        elif current and kind == "TaskScheduled":
            current.requests.append(json.loads(event["taskScheduledEventDetails"]["parameters"]))
        elif current and kind == "LambdaFunctionScheduled":
            current.requests.append(json.loads(event["lambdaFunctionScheduledEventDetails"]["input"]))
        elif current and kind in FAILURES:
            current.failures.append(event[FAILURES[kind]]["error"])
    return found


FAILURES = {
    "LambdaFunctionFailed": "lambdaFunctionFailedEventDetails",
    "LambdaFunctionTimedOut": "lambdaFunctionTimedOutEventDetails",
    "TaskFailed": "taskFailedEventDetails",
    "TaskTimedOut": "taskTimedOutEventDetails",
}


def taken(visit: Visit, state: State) -> set[Edge]:
    """The edges that a visit took. AssertionError: it went on where the definition does not lead."""
    edges: set[Edge] = set()
    if state["Type"] == "Choice":
        number = rule_of(state, visit.input)
        if number is None:
            edges.add(Edge(visit.state, "Default", "", state["Default"]))
        else:
            edges.add(Edge(visit.state, "Choice", str(number), state["Choices"][number]["Next"]))
    elif len(visit.failures) < max(len(visit.requests), 1):
        edges.add(next_edge(visit.state, state))
    else:
        edges |= _caught(visit, state)
    ways_on = {edge.target for edge in edges if edge.kind not in ("Retry", "NoRetry")}
    assert ways_on <= {visit.next}, f"{visit.state} went on to {visit.next}, the definition says {ways_on}"
    return edges | _retried(visit, state)


def _caught(visit: Visit, state: State) -> set[Edge]:
    last = visit.failures[-1]
    edges: set[Edge] = set()
    refused = handler_of(last, state.get("Retry", []))
    if refused and state["Retry"][refused[0]]["MaxAttempts"] == 0:
        edges.add(retry_edge(visit.state, refused[0], state["Retry"][refused[0]], refused[1]))
    caught = handler_of(last, state.get("Catch", []))
    if caught:
        number, name = caught
        edges.add(Edge(visit.state, "Catch", f"{number} {name}", state["Catch"][number]["Next"]))
    return edges


def _retried(visit: Visit, state: State) -> set[Edge]:
    edges: set[Edge] = set()
    for error in visit.failures[: len(visit.requests) - 1]:
        handler = handler_of(error, state.get("Retry", []))
        assert handler, f"{visit.state} was retried after {error}, which no retrier lists"
        edges.add(retry_edge(visit.state, handler[0], state["Retry"][handler[0]], handler[1]))
    return edges
