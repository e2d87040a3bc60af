"""What an execution's state is sure to hold when it comes to a state, whatever way it came.

A path that is read and not there fails the execution with States.Runtime, which nothing catches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.state_machines.edges import Definition, State

Shape = dict[str, Any] | None
"""The names that data is sure to have, each with its own shape. None: something that nobody has described."""

PATH = re.compile(r"(?<![$\w])\$((?:\.\w+)+)")
OF_THE_STATE = ("Parameters", "ItemSelector", "InputPath", "ItemsPath", "SecondsPath", "ErrorPath", "CausePath")
ERROR: Shape = {"Error": None}  # a Cause comes with most errors, and not with all


def missing(definition: Definition, given: Shape = None) -> set[str]:
    """Each `State reads $.path` that is not there on some way to the state. `given` is what the input has."""
    found: set[str] = set()
    for name, shape in _arrivals(definition, given).items():
        state = definition["States"][name]
        found |= {f"{name} reads ${path}" for path in reads(state) if not _has(shape, path)}
        if "ItemProcessor" in state:
            item = shape_of(state["ItemSelector"], shape) if "ItemSelector" in state else None
            found |= missing(state["ItemProcessor"], item)
    return found


def _arrivals(definition: Definition, given: Shape) -> dict[str, Shape]:
    """What the state holds on arrival at each state: what all ways to it have in common."""
    arrivals: dict[str, Shape] = {definition["StartAt"]: given}
    ahead = [definition["StartAt"]]
    while ahead:
        name = ahead.pop()
        for target, shape in departures(definition["States"][name], arrivals[name]):
            known = common(arrivals[target], shape) if target in arrivals else shape
            if target not in arrivals or known != arrivals[target]:
                arrivals[target] = known
                ahead.append(target)
    return arrivals


def departures(state: State, shape: Shape) -> Iterator[tuple[str, Shape]]:
    """Every state that may follow, and what the state then holds."""
    for rule in state.get("Choices", []):
        sure = shape
        for path in asked(rule):
            sure = _with(sure, path.split(".")[1:])
        yield rule["Next"], sure
    if "Default" in state:
        yield state["Default"], shape
    for catcher in state.get("Catch", []):
        yield catcher["Next"], placed(catcher.get("ResultPath", "$"), shape, ERROR)
    if "Next" in state:
        yield state["Next"], placed(state.get("ResultPath", "$"), shape, result(state, shape))


def result(state: State, shape: Shape) -> Shape:
    if state["Type"] in ("Task", "Map"):
        return shape_of(state["ResultSelector"], None) if "ResultSelector" in state else None
    if "Result" in state:
        return shape_of(state["Result"], None)
    if "InputPath" in state:
        path = PATH.fullmatch(state["InputPath"])
        shape = _at(shape, path[1]) if path else None
    return shape_of(state["Parameters"], shape) if "Parameters" in state else shape


def shape_of(template: Any, shape: Shape) -> Shape:
    """What a payload template gives; a path gives what is there."""
    if not isinstance(template, Mapping):
        return None
    described: dict[str, Any] = {}
    for key, value in template.items():
        if key.endswith(".$"):
            path = PATH.fullmatch(value)
            described[key[:-2]] = _at(shape, path[1]) if path else None
        else:
            described[key] = shape_of(value, shape)
    return described


def placed(path: str | None, shape: Shape, value: Shape) -> Shape:
    """What the state holds when a result is put at a ResultPath."""
    if path is None or (path == "$" and value is shape):
        return shape
    if path == "$":
        return value
    name, _, rest = path.removeprefix("$.").partition(".")
    holder = shape or {}
    return {**holder, name: placed(f"$.{rest}", holder.get(name), value) if rest else value}


def common(one: Shape, other: Shape) -> Shape:
    if one is None or other is None:
        return other if one is None else one
    return {name: common(one[name], other[name]) for name in one.keys() & other.keys()}


def reads(state: State) -> set[str]:
    """The paths that a state reads of what it holds, like `.job.id`; those alone that it would miss."""
    texts = [text for field in OF_THE_STATE if field in state for text in _strings(state[field])]
    texts += [text for rule in state.get("Choices", []) for text in _compared(rule)]
    return {path for text in texts for path in PATH.findall(text)}


def asked(rule: Mapping[str, Any]) -> set[str]:
    """What is sure to be there where a rule holds, because the rule asks for it (IsPresent)."""
    parts = [rule, *rule.get("And", [])]
    return {part["Variable"] for part in parts if part.get("IsPresent") and PATH.fullmatch(part["Variable"])}


def _compared(rule: Mapping[str, Any]) -> Iterator[str]:
    """What a rule compares. What it asks for first (IsPresent) need not be there."""
    inner = [*rule.get("And", []), *rule.get("Or", []), *([rule["Not"]] if "Not" in rule else [])]
    present = {part["Variable"] for part in inner if part.get("IsPresent")}
    for part in inner:
        yield from (text for text in _compared(part) if text not in present)
    if not inner and "IsPresent" not in rule:
        yield rule["Variable"]
        yield from (value for key, value in rule.items() if key.endswith("Path"))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _at(shape: Shape, path: str) -> Shape:
    for name in path.split(".")[1:]:
        shape = shape.get(name) if shape is not None else None
    return shape


def _with(shape: Shape, names: list[str]) -> Shape:
    """The same with something at a path, unless that may hold anything already."""
    if shape is None or not names:
        return shape
    name, *rest = names
    return {**shape, name: _with(shape.get(name, {} if rest else None), rest)}


def _has(shape: Shape, path: str) -> bool:
    for name in path.split(".")[1:]:
        if shape is None:
            return True
        if name not in shape:
            return False
        shape = shape[name]
    return True
