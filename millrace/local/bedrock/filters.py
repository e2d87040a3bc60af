"""Whether a document passes a RetrievalFilter. What each operator means: API reference, RetrievalFilter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from millrace.local.bedrock.metadata import Value


class InvalidFilter(Exception):
    """The filter compares with a value that its operator cannot have; the message names both."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(has: Any, asked: Any) -> bool:
    """Equal and of the same kind: in JSON `true` is not 1."""
    return isinstance(has, bool) == isinstance(asked, bool) and has == asked


def _contains(has: Value, asked: str) -> bool:
    return any(asked in item for item in (has if isinstance(has, list) else [has]) if isinstance(item, str))


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": _same,
    "notEquals": lambda has, asked: not _same(has, asked),
    "in": lambda has, asked: any(_same(has, item) for item in asked),
    "notIn": lambda has, asked: not any(_same(has, item) for item in asked),
    "greaterThan": lambda has, asked: _is_number(has) and has > asked,
    "greaterThanOrEquals": lambda has, asked: _is_number(has) and has >= asked,
    "lessThan": lambda has, asked: _is_number(has) and has < asked,
    "lessThanOrEquals": lambda has, asked: _is_number(has) and has <= asked,
    "listContains": lambda has, asked: isinstance(has, list) and asked in has,
    "startsWith": lambda has, asked: isinstance(has, str) and has.startswith(asked),
    "stringContains": _contains,
}
# Of a document without the attribute only this one holds (API reference: "The key is not present in the document").
HOLDS_WITHOUT = frozenset({"notEquals"})
NUMBERS = frozenset({"greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals"})
LISTS = frozenset({"in", "notIn"})
TEXTS = frozenset({"listContains", "startsWith", "stringContains"})


def check(condition: Mapping[str, Any]) -> None:
    """Raise InvalidFilter when a part of the filter compares with what cannot be compared."""
    for operator, part in condition.items():
        if operator in ("andAll", "orAll"):
            for item in part:
                check(item)
            continue
        value = part["value"]
        if operator in NUMBERS:
            fits, wanted = _is_number(value), "a number"
        elif operator in LISTS:
            fits, wanted = isinstance(value, list) and bool(value), "a list of at least one value"
        elif operator in TEXTS:
            fits, wanted = isinstance(value, str), "a string"
        else:
            fits, wanted = isinstance(value, str | bool | int | float), "a string, number or boolean"
        if not fits:
            raise InvalidFilter(f"The value of the filter {operator} by {part['key']} must be {wanted}")


def passes(condition: Mapping[str, Any], attributes: Mapping[str, Value]) -> bool:
    """Whether a document with these attributes passes; an empty filter lets everything through."""
    return all(_holds(operator, part, attributes) for operator, part in condition.items())


def _holds(operator: str, part: Any, attributes: Mapping[str, Value]) -> bool:
    if operator == "andAll":
        return all(passes(item, attributes) for item in part)
    if operator == "orAll":
        return any(passes(item, attributes) for item in part)
    if part["key"] not in attributes:
        return operator in HOLDS_WITHOUT
    return COMPARISONS[operator](attributes[part["key"]], part["value"])
