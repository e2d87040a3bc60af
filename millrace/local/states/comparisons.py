"""The comparison operators of a Choice state. A value of another type than the operator's never matches."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt
from typing import Any

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": eq,
    "LessThan": lt,
    "LessThanEquals": le,
    "GreaterThan": gt,
    "GreaterThanEquals": ge,
}
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")


def compare(operator: str, value: Any, wanted: Any) -> bool:
    """Whether the variable's value satisfies the operator. `operator` is an ASL name, with or without `Path`.

    Raises ValueError for an operator that ASL does not have.
    """
    name = operator.removesuffix("Path")
    if name in TYPE_TESTS:
        return TYPE_TESTS[name](value) is wanted
    if name == "StringMatches":
        return isinstance(value, str) and isinstance(wanted, str) and wildcard(wanted).fullmatch(value) is not None
    for kind, read in READERS.items():
        if name.startswith(kind) and name.removeprefix(kind) in ORDER:
            left, right = read(value), read(wanted)
            return left is not None and right is not None and ORDER[name.removeprefix(kind)](left, right)
    raise ValueError(f"{operator} is no comparison operator")


def wildcard(pattern: str) -> re.Pattern[str]:
    r"""StringMatches: `*` stands for any text, `\*` for a star, `\\` for a backslash; nothing else is special."""
    parts = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\" and pattern[at + 1 : at + 2] in ("*", "\\"):
            parts.append(re.escape(pattern[at + 1]))
            at += 2
        else:
            parts.append(".*" if pattern[at] == "*" else re.escape(pattern[at]))
            at += 1
    return re.compile("".join(parts), re.DOTALL)


def timestamp(text: Any) -> dt.datetime | None:
    """A time in RFC 3339's profile of ISO 8601 (upper-case T; Z or an offset), else None."""
    if not isinstance(text, str) or not TIMESTAMP.fullmatch(text):
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


READERS: dict[str, Callable[[Any], Any]] = {
    "String": _string,
    "Numeric": _number,
    "Boolean": _boolean,
    "Timestamp": timestamp,
}
TYPE_TESTS: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsString": lambda value: _string(value) is not None,
    "IsNumeric": lambda value: _number(value) is not None,
    "IsBoolean": lambda value: _boolean(value) is not None,
    "IsTimestamp": lambda value: timestamp(value) is not None,
}
