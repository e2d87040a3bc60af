"""Which rule of a Choice state applies to an input, for the part of the language that our definitions use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.local.states.comparisons import compare
from millrace.local.states.paths import NoSuchPath, read

MISSING = object()


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
    if "Not" in rule:
        return not holds(rule["Not"], data)
    value = look_up(rule["Variable"], data)
    if "IsPresent" in rule:
        return (value is not MISSING) is rule["IsPresent"]
    (operator,) = rule.keys() - {"Variable", "Next", "Comment"}
    wanted = look_up(rule[operator], data) if operator.endswith("Path") else rule[operator]
    for path, found in ((rule["Variable"], value), (rule[operator], wanted)):
        if found is MISSING:
            raise VariableMissing(f"{path} is not in the state's input")
    return compare(operator, value, wanted)


def look_up(path: str, data: Any) -> Any:
    """What is at a path such as `$.lock.looks` or `$.input[0]`, or MISSING."""
    try:
        return read(path, data)
    except NoSuchPath:
        return MISSING
