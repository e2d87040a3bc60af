"""A definition, walked from one Task to the next with answers that the caller gives.

For the language that the states of single flight use, and no more: what it does not know is an error.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from millrace.local.states.paths import read
from tests.state_machines.choices import rule_of
from tests.state_machines.edges import handler_of

TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*')|(?P<number>-?\d+)|(?P<path>\$[\w$.:\[\]]*)|(?P<name>[\w.]+)|(?P<sign>[(),]))"
)


Parts = tuple[tuple[str, str], ...]


class Standing(NamedTuple):
    """Where an execution stands: before a Task, or in the state that it ended in, with the data that it has there."""

    state: str
    data: Any


class Walker:
    """The states of a machine. A context is what `$$` names."""

    def __init__(self, states: Mapping[str, Any], start_at: str) -> None:
        self.states = states
        self.start_at = start_at

    def begin(self, data: Any, context: Mapping[str, Any]) -> Standing:
        return self._on(self.start_at, data, context)

    def request(self, at: Standing, context: Mapping[str, Any]) -> Any:
        """What the Task sends."""
        return filled(self.states[at.state]["Parameters"], at.data, context)

    def answered(self, at: Standing, answer: Any, context: Mapping[str, Any]) -> Standing:
        """Where a successful answer leads to."""
        task = self.states[at.state]
        result = filled(task["ResultSelector"], answer, context) if "ResultSelector" in task else answer
        return self._on(task["Next"], placed(at.data, task.get("ResultPath", "$"), result), context)

    def failed(self, at: Standing, error: str, context: Mapping[str, Any]) -> Standing:
        """Where an error that is not retried any more leads to. Raises ValueError where nothing catches it."""
        task = self.states[at.state]
        handler = handler_of(error, task.get("Catch", []))
        if handler is None:
            raise ValueError(f"{at.state} does not catch {error}")
        catcher = task["Catch"][handler[0]]
        failure = {"Error": error, "Cause": f"{at.state} got {error}"}
        return self._on(catcher["Next"], placed(at.data, catcher.get("ResultPath", "$"), failure), context)

    def _on(self, name: str, data: Any, context: Mapping[str, Any]) -> Standing:
        while True:
            state = self.states[name]
            match state["Type"]:
                case "Task" | "Fail" | "Succeed":
                    return Standing(name, data)
                case "Choice":
                    rule = rule_of(state, data)
                    name = state["Default"] if rule is None else state["Choices"][rule]["Next"]
                    continue
                case "Pass":
                    seen = read(state.get("InputPath", "$"), data)
                    result = filled(state["Parameters"], seen, context) if "Parameters" in state else seen
                    data = placed(data, state.get("ResultPath", "$"), result)
                    if state.get("End"):
                        return Standing(name, data)
                case "Wait":
                    pass
                case other:
                    raise ValueError(f"{name} is a {other}, which the walker does not know")
            name = state["Next"]


def placed(data: Any, path: str | None, result: Any) -> Any:
    """The data with a result at a path of names, or as it was where the path is null."""
    if path is None:
        return data
    if path == "$":
        return result
    first, _, rest = path.removeprefix("$.").partition(".")
    return {**data, first: placed(data.get(first, {}), f"$.{rest}" if rest else "$", result)}


def filled(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    """A payload template with every `.$` field replaced by what its path or function gives."""
    if isinstance(template, Mapping):
        return {
            key.removesuffix(".$"): value_of(value, data, context)
            if key.endswith(".$")
            else filled(value, data, context)
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [filled(value, data, context) for value in template]
    return template


def value_of(expression: str, data: Any, context: Mapping[str, Any]) -> Any:
    value, rest = _value(parts_of(expression), data, context)
    if rest:
        raise ValueError(f"{expression} goes on after its end")
    return value


@cache
def parts_of(expression: str) -> Parts:
    """The words of a path or function with the kind of each, without the signs that only separate them."""
    found = [(match.lastgroup or "", match[0].strip()) for match in TOKEN.finditer(expression)]
    return tuple((kind, text) for kind, text in found if text not in "(,")


def _value(parts: Parts, data: Any, context: Mapping[str, Any]) -> tuple[Any, Parts]:
    (kind, text), rest = parts[0], parts[1:]
    if kind == "text":
        return text[1:-1], rest
    if kind == "number":
        return int(text), rest
    if kind == "path":
        return (read(text[1:], context) if text.startswith("$$") else read(text, data)), rest
    if text in LITERALS:
        return LITERALS[text], rest
    arguments: list[Any] = []
    while rest[0][1] != ")":
        argument, rest = _value(rest, data, context)
        arguments.append(argument)
    return FUNCTIONS[text](*arguments), rest[1:]


def _formatted(template: str, *values: Any) -> str:
    """The template with values for `{}`; a backslash takes the meaning from what follows it."""
    texts = iter(value if isinstance(value, str) else json.dumps(value) for value in values)
    return re.sub(r"\\(.)|\{\}", lambda found: found[1] or next(texts), template)


LITERALS = {"true": True, "false": False, "null": None}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "States.Format": _formatted,
    "States.MathAdd": lambda one, other: one + other,
    "States.MathRandom": lambda least, _: least,
    "States.StringToJson": json.loads,
    "States.JsonToString": json.dumps,
    "States.JsonMerge": lambda one, other, _: {**one, **other},
    "States.Hash": lambda value, algorithm: hashlib.new(algorithm.replace("-", ""), value.encode()).hexdigest(),
    "States.ArrayGetItem": lambda array, number: array[number],
    "States.ArrayLength": len,
    "States.StringSplit": lambda text, separator: [part for part in text.split(separator) if part],
}
