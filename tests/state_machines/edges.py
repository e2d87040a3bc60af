"""What a definition lets happen: its states, and every edge that an execution can take out of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Definition = Mapping[str, Any]
State = Mapping[str, Any]

ANY_ERROR = "States.ALL"
ANY_BUT_TIMEOUT = "States.TaskFailed"
WILDCARDS = (ANY_ERROR, ANY_BUT_TIMEOUT)
TERMINAL = ("Succeed", "Fail")


class Edge(NamedTuple):
    """One way on from a state.

    `kind` is Next, End, Choice, Default, Catch, Retry or NoRetry (a retrier of no attempts). `detail` is the
    rule's number, or the retrier's or catcher's number and the error name that it lists. `target` is None
    where the state ends or stays.
    """

    state: str
    kind: str
    detail: str = ""
    target: str | None = None

    def __str__(self) -> str:
        return f"{self.state} {self.kind} {self.detail} -> {self.target or '.'}"


def all_states(definition: Definition) -> dict[str, Any]:
    """Every state by name, those inside Map states too. Names are unique across the whole definition."""
    found: dict[str, Any] = {}
    for name, state in definition["States"].items():
        inner = all_states(state["ItemProcessor"]) if "ItemProcessor" in state else {}
        repeated = found.keys() & {name, *inner}
        if repeated:
            raise ValueError(f"states share a name: {', '.join(sorted(repeated))}")
        found |= {name: state, **inner}
    return found


def task_names(definition: Definition) -> list[str]:
    return [name for name, state in all_states(definition).items() if state["Type"] == "Task"]


def all_edges(definition: Definition) -> set[Edge]:
    return {edge for name, state in all_states(definition).items() for edge in edges_of(name, state)}


def edges_of(name: str, state: State) -> Iterator[Edge]:
    if state["Type"] in TERMINAL or state.get("End"):
        yield Edge(name, "End")
    if "Next" in state:
        yield next_edge(name, state)
    for number, rule in enumerate(state.get("Choices", [])):
        yield Edge(name, "Choice", str(number), rule["Next"])
    if "Default" in state:
        yield Edge(name, "Default", "", state["Default"])
    for number, retrier in enumerate(state.get("Retry", [])):
        for error in retrier["ErrorEquals"]:
            yield retry_edge(name, number, retrier, error)
    for number, catcher in enumerate(state.get("Catch", [])):
        for error in catcher["ErrorEquals"]:
            yield Edge(name, "Catch", f"{number} {error}", catcher["Next"])


def next_edge(name: str, state: State) -> Edge:
    return Edge(name, "Next", "", state["Next"]) if "Next" in state else Edge(name, "End")


def retry_edge(name: str, number: int, retrier: Mapping[str, Any], error: str) -> Edge:
    return Edge(name, "Retry" if retrier["MaxAttempts"] > 0 else "NoRetry", f"{number} {error}")


def handler_of(error: str, handlers: Sequence[Mapping[str, Any]]) -> tuple[int, str] | None:
    """The retrier or catcher that an error meets: its number and the name in its list that matched."""
    for number, handler in enumerate(handlers):
        for name in handler["ErrorEquals"]:
            if name in (error, ANY_ERROR) or (name == ANY_BUT_TIMEOUT and error != "States.Timeout"):
                return number, name
    return None
