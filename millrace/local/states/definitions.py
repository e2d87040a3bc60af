"""Checks a state machine's definition, as CreateStateMachine does, before the interpreter parses it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.local.states.integrations import (
    NotEmulated,
    UnknownResource,
    integration,
    is_function,
    top_level_names,
)
from millrace.local.states.matching import ALL

NAME_LENGTH = 80
"""Characters that a state's name may have (Amazon States Language)."""
TERMINAL = frozenset({"Succeed", "Fail"})
TYPES = frozenset({"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"})

INVALID_JSON = "INVALID_JSON_DESCRIPTION"
SCHEMA = "SCHEMA_VALIDATION_FAILED"
TARGET = "MISSING_TRANSITION_TARGET"
DUPLICATE = "DUPLICATE_STATE_NAME"


@dataclass(frozen=True)
class Diagnostic:
    """One error of a definition; `location` is like `/States/Load/Next`."""

    code: str
    message: str
    location: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message} at {self.location or '/'}"


def check(definition: str) -> list[Diagnostic]:
    """Every error of structure that the definition has; none does not yet mean that the interpreter can parse it."""
    try:
        document = json.loads(definition)
    except ValueError as error:
        return [Diagnostic(INVALID_JSON, f"The definition is not JSON: {error}", "")]
    if not isinstance(document, dict):
        return [Diagnostic(SCHEMA, "The definition must be a JSON object", "")]
    names: Counter[str] = Counter()
    found = list(_program(document, "", document.get("QueryLanguage", "JSONPath"), names))
    found += [
        Diagnostic(DUPLICATE, f"The state name {name!r} is used {count} times; it must be unique", "/States")
        for name, count in names.items()
        if count > 1
    ]
    return found


def _program(program: Mapping[str, Any], path: str, language: str, names: Counter[str]) -> Iterator[Diagnostic]:
    states = program.get("States")
    start = program.get("StartAt")
    if not isinstance(states, dict) or not states:
        yield Diagnostic(SCHEMA, "The field 'States' must be an object with at least one state", f"{path}/States")
        return
    if not isinstance(start, str):
        yield Diagnostic(SCHEMA, "The field 'StartAt' is required", f"{path}/StartAt")
    elif start not in states:
        yield Diagnostic(TARGET, f"Missing 'StartAt' target: {start}", f"{path}/StartAt")
    names.update(states.keys())
    reached: dict[str, set[str]] = {}
    for name, state in states.items():
        where = f"{path}/States/{name}"
        if len(name) > NAME_LENGTH:
            yield Diagnostic(SCHEMA, f"A state's name may have {NAME_LENGTH} characters, this has {len(name)}", where)
        if not isinstance(state, dict):
            yield Diagnostic(SCHEMA, "A state must be an object", where)
            continue
        targets = list(_targets(state, where))
        reached[name] = {target for target, _, _ in targets}
        for target, field, at in targets:
            if target not in states:
                yield Diagnostic(TARGET, f"Missing '{field}' target: {target}", at)
        yield from _state(state, where, state.get("QueryLanguage", language), names)
    if isinstance(start, str) and start in states:
        for name in states.keys() - _reachable(start, reached):
            yield Diagnostic(TARGET, f'State "{name}" is not reachable.', f"{path}/States/{name}")


def _reachable(start: str, reached: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(reached.get(name, ()))
    return seen


def _targets(state: Mapping[str, Any], where: str) -> Iterator[tuple[str, str, str]]:
    """`(target, field, location)` of every transition out of a state."""
    if isinstance(state.get("Next"), str):
        yield state["Next"], "Next", f"{where}/Next"
    if isinstance(state.get("Default"), str):
        yield state["Default"], "Default", f"{where}/Default"
    for field in ("Choices", "Catch"):
        for at, entry in enumerate(_list(state.get(field))):
            if isinstance(entry, dict) and isinstance(entry.get("Next"), str):
                yield entry["Next"], "Next", f"{where}/{field}[{at}]/Next"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _state(state: Mapping[str, Any], where: str, language: str, names: Counter[str]) -> Iterator[Diagnostic]:
    kind = state.get("Type")
    if kind not in TYPES:
        yield Diagnostic(SCHEMA, f"The field 'Type' must be one of {', '.join(sorted(TYPES))}", f"{where}/Type")
        return
    yield from _way_out(kind, state, where)
    for field in ("Retry", "Catch"):
        yield from _error_lists(state.get(field), f"{where}/{field}")
    yield from _retriers(state.get("Retry"), f"{where}/Retry")
    if kind == "Task":
        yield from _task(state, where, language)
    elif kind == "Parallel":
        branches = _list(state.get("Branches"))
        if not branches:
            yield Diagnostic(SCHEMA, "The field 'Branches' must be a list with at least one branch", where)
        for at, branch in enumerate(branches):
            yield from _inner(branch, f"{where}/Branches[{at}]", language, names)
    elif kind == "Map":
        yield from _map(state, where, language, names)


def _way_out(kind: str, state: Mapping[str, Any], where: str) -> Iterator[Diagnostic]:
    ways = [field for field in ("Next", "End") if field in state]
    if kind in TERMINAL:
        if ways:
            yield Diagnostic(SCHEMA, f"A {kind} state has neither Next nor End", where)
    elif kind == "Choice":
        rules = _list(state.get("Choices"))
        if ways:
            yield Diagnostic(SCHEMA, "A Choice state has Next in its Choices only, and no End", where)
        if not rules:
            yield Diagnostic(SCHEMA, "The field 'Choices' must be a list with at least one rule", f"{where}/Choices")
        for at, rule in enumerate(rules):
            if not isinstance(rule, dict) or not isinstance(rule.get("Next"), str):
                yield Diagnostic(SCHEMA, "The field 'Next' is required", f"{where}/Choices[{at}]")
    elif len(ways) != 1 or ("End" in state and state["End"] is not True):
        yield Diagnostic(SCHEMA, "A state has either Next, or End with the value true", where)


def _error_lists(entries: Any, where: str) -> Iterator[Diagnostic]:
    entries = _list(entries)
    for at, entry in enumerate(entries):
        listed = entry.get("ErrorEquals") if isinstance(entry, dict) else None
        here = f"{where}[{at}]/ErrorEquals"
        if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
            yield Diagnostic(SCHEMA, "The field 'ErrorEquals' must be a list of at least one name", here)
        elif ALL in listed and len(listed) > 1:
            yield Diagnostic(SCHEMA, f"{ALL} must appear alone", here)
        elif ALL in listed and at < len(entries) - 1:
            yield Diagnostic(SCHEMA, f"{ALL} must be in the last entry", here)


def _retriers(entries: Any, where: str) -> Iterator[Diagnostic]:
    for at, entry in enumerate(_list(entries)):
        if not isinstance(entry, dict):
            continue
        most, first = entry.get("MaxDelaySeconds"), entry.get("IntervalSeconds", 1)
        if isinstance(most, int) and isinstance(first, int) and most <= first:
            yield Diagnostic(SCHEMA, "MaxDelaySeconds must be greater than IntervalSeconds", f"{where}[{at}]")


def _task(state: Mapping[str, Any], where: str, language: str) -> Iterator[Diagnostic]:
    resource = state.get("Resource")
    if not isinstance(resource, str):
        yield Diagnostic(SCHEMA, "The field 'Resource' is required", f"{where}/Resource")
        return
    limit, beat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(limit, int) and isinstance(beat, int) and beat >= limit:
        yield Diagnostic(SCHEMA, "HeartbeatSeconds must be smaller than TimeoutSeconds", where)
    if is_function(resource):
        return
    try:
        task = integration(resource)
    except (UnknownResource, NotEmulated) as error:
        yield Diagnostic(SCHEMA, str(error), f"{where}/Resource")
        return
    field = "Parameters" if language == "JSONPath" else "Arguments"
    parameters = state.get(field, {})
    if not isinstance(parameters, dict):
        return
    given = top_level_names(parameters)
    for name in sorted(given - task.parameters):
        yield Diagnostic(SCHEMA, f'The field "{name}" is not supported by Step Functions', f"{where}/{field}")
    for name in sorted(task.required - given):
        yield Diagnostic(SCHEMA, f'The field "{name}" is required but was missing', f"{where}/{field}")


def _map(state: Mapping[str, Any], where: str, language: str, names: Counter[str]) -> Iterator[Diagnostic]:
    field = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
    processor = state.get(field)
    if not isinstance(processor, dict):
        yield Diagnostic(SCHEMA, "The field 'ItemProcessor' is required", where)
        return
    if (processor.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED":
        yield Diagnostic(
            SCHEMA,
            "The embedded Step Functions does not run Distributed Map; use the mode INLINE",
            f"{where}/{field}",
        )
    yield from _inner(processor, f"{where}/{field}", language, names)


def _inner(program: Any, path: str, language: str, names: Counter[str]) -> Iterator[Diagnostic]:
    if isinstance(program, dict):
        yield from _program(program, path, program.get("QueryLanguage", language), names)
    else:
        yield Diagnostic(SCHEMA, "A branch or item processor must be an object", path)
