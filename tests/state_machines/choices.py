"""Which rule of a Choice state applies to an input, for the part of the language that our definitions use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MISSING = object()

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "BooleanEquals": lambda value, wanted: value is wanted,
    "NumericGreaterThan": lambda value, wanted: value > wanted,
    "NumericGreaterThanEquals": lambda value, wanted: value >= wanted,
    "StringEquals": lambda value, wanted: value == wanted,
}


class VariableMissing(LookupError):
    """A comparison's variable is not in the input. On AWS the execution fails with States.Runtime."""


def rule_of(state: Mapping[str, Any], data: Any) -> int | None:
    """The number of the first rule that holds, or None where the Default applies."""
    return next((number for number, rule in enumerate(state["Choices"]) if holds(rule, data)), None)


def holds(rule: Mapping[str, Any], data: Any) -> bool:
    if "And" in rule:
        return all(holds(part, data) for part in rule["And"])
    if "Or" in rule:
        return any(holds(part, data) for part in rule["Or"])
    value = look_up(rule["Variable"], data)
    if "IsPresent" in rule:
        return (value is not MISSING) is rule["IsPresent"]
    if value is MISSING:
        raise VariableMissing(f"{rule['Variable']} is not in the state's input")
    if "StringEqualsPath" in rule:
        return value == look_up(rule["StringEqualsPath"], data)
    (comparison,) = rule.keys() & COMPARISONS.keys()
    return COMPARISONS[comparison](value, rule[comparison])


def look_up(path: str, data: Any) -> Any:
    """What is at a path of plain names such as `$.lock.looks`, or MISSING."""
    for name in path.split(".")[1:]:
        if not isinstance(data, dict) or name not in data:
            return MISSING
        data = data[name]
    return data
