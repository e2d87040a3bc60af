"""What a query finds: the words to look for, the filters, who may see a document, and the highlights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from millrace.local.kendra.attributes import VALUE_MEMBERS, Configurations
from millrace.local.search.words import BEGIN, END

COMPARISONS = ("GreaterThan", "GreaterThanOrEquals", "LessThan", "LessThanOrEquals")
Value = str | int | float | list[str]


class InvalidFilter(Exception):
    """The attribute filter asks what cannot be answered; the message says which part."""


def highlighted(marked: str, limit: int = 2048) -> dict[str, Any]:
    """A TextWithHighlights of a text in which the matches stand between BEGIN and END."""
    text = ""
    highlights = []
    for piece in re.split(f"({BEGIN}[^{END}]*{END})", marked):
        shown = piece.strip(BEGIN + END)
        if piece.startswith(BEGIN) and len(text) + len(shown) <= limit:
            where = {"BeginOffset": len(text), "EndOffset": len(text) + len(shown)}
            highlights.append({**where, "TopAnswer": False, "Type": "STANDARD"})
        text += shown
    return {"Text": text[:limit], "Highlights": highlights}


def may_see(access: Sequence[Mapping[str, str]], user: Mapping[str, Any] | None) -> bool:
    """Whether the user may see a document with this access list.

    Without a user every document is seen, and one without a list by everybody; a DENY outweighs any ALLOW.
    """
    if user is None or not access:
        return True
    groups = set(user.get("Groups", []))
    effects = {
        entry["Access"]
        for entry in access
        if (entry["Name"] == user.get("UserId") if entry["Type"] == "USER" else entry["Name"] in groups)
    }
    return effects == {"ALLOW"}


def check_filter(condition: Mapping[str, Any], known: Configurations) -> None:
    """Raise InvalidFilter when the filter names an attribute that the index lacks, or has no value."""
    for name, part in condition.items():
        if name in ("AndAllFilters", "OrAllFilters"):
            for item in part:
                check_filter(item, known)
        elif name == "NotFilter":
            check_filter(part, known)
        else:
            if part["Key"] not in known:
                raise InvalidFilter(f"The index has no attribute {part['Key']} to filter by")
            if len([member for member in VALUE_MEMBERS if member in part["Value"]]) != 1:
                raise InvalidFilter(f"The filter by {part['Key']} must have exactly one value")
            if name in COMPARISONS and not {"LongValue", "DateValue"} & part["Value"].keys():
                raise InvalidFilter(f"{name} compares numbers and dates only")


def passes(condition: Mapping[str, Any], attributes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a document with these attributes passes an AttributeFilter; all of its members must hold."""
    values = {attribute["Key"]: value_of(attribute) for attribute in attributes}
    return all(_holds(name, part, attributes, values) for name, part in condition.items())


def _holds(name: str, part: Any, attributes: Sequence[Mapping[str, Any]], values: Mapping[str, Value]) -> bool:
    if name == "AndAllFilters":
        return all(passes(item, attributes) for item in part)
    if name == "OrAllFilters":
        return any(passes(item, attributes) for item in part)
    if name == "NotFilter":
        return not passes(part, attributes)
    has, asked = values.get(part["Key"]), value_of(part)
    if has is None:
        return False
    if name == "EqualsTo":
        return has == asked
    if name in ("ContainsAll", "ContainsAny"):
        common = [item in _items(has) for item in _items(asked)]
        return all(common) if name == "ContainsAll" else any(common)
    if isinstance(has, str | list) or isinstance(asked, str | list):
        return False
    return {
        "GreaterThan": has > asked,
        "GreaterThanOrEquals": has >= asked,
        "LessThan": has < asked,
        "LessThanOrEquals": has <= asked,
    }[name]


def value_of(attribute: Mapping[str, Any]) -> Value:
    (value,) = attribute["Value"].values()
    return value


def _items(value: Value) -> list[Any]:
    return value if isinstance(value, list) else [value]


def confidence(position: int) -> str:
    """How sure a result is, by its place: Kendra gives a bucket, never a number."""
    return ("VERY_HIGH", "HIGH", "MEDIUM")[position] if position < 3 else "LOW"
