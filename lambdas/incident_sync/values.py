"""Values as DynamoDB gives them (`{"N": "3.10"}`), as JSON and as metadata.

They are never Python's own numbers in between: a float would lose digits, and boto3's Decimal has no JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

AttributeValue = Mapping[str, Any]
MetadataValue = str | int | bool | list[str]

NESTING_MAX = 32
"""Levels of lists and maps (DynamoDB developer guide, "Constraints": nested attribute depth)."""

NUMBER_MAX_CHARACTERS = 200
"""38 digits between 1E-130 and 1E+126 (developer guide, "Data types": number), written without an exponent."""

JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)

FITS_METADATA = "a text, a whole number, true or false, or a list or set of texts"


class Unfit(ValueError):
    """A value that neither a document nor its metadata can hold. The message goes on after the field's name, and says
    nothing of the value's text."""


def says_nothing(value: AttributeValue) -> bool:
    """Whether the value is null, blank or empty: such a field is left out, as if it were not there."""
    match _parts(value):
        case ("NULL", _):
            return True
        case ("S", str(text)):
            return not text.strip()
        case ("L" | "M" | "SS" | "NS", content):
            return not content
    return False


def as_json(value: AttributeValue, level: int = 0) -> str:
    """The value as JSON text. Numbers keep every digit, sets become sorted lists, maps are sorted by key.

    Raises Unfit for a binary value, and for what DynamoDB cannot have sent."""
    if level > NESTING_MAX:
        raise Unfit(f"is nested deeper than {NESTING_MAX} levels")
    match _parts(value):
        case ("NULL", _):
            return "null"
        case ("BOOL", bool(truth)):
            return "true" if truth else "false"
        case ("S", str(text)):
            return _quoted(text)
        case ("N", str(number)):
            return _number(number)
        case ("SS", list(texts)):
            return _list(map(_quoted, sorted(map(_text, texts))))
        case ("NS", list(numbers)):
            return _list(sorted(map(_number, numbers), key=Decimal))
        case ("L", list(items)):
            return _list(as_json(item, level + 1) for item in items)
        case ("M", Mapping() as members):
            pairs = sorted((_text(name), member) for name, member in members.items())
            return "{" + ", ".join(f"{_quoted(name)}: {as_json(member, level + 1)}" for name, member in pairs) + "}"
        case ("B" | "BS", _):
            raise Unfit("has a binary value, which a document cannot hold; store it as text, or take the field out")
    raise Unfit("has a value that is none of DynamoDB's")


def as_metadata(value: AttributeValue) -> MetadataValue:
    """The value as a filter of a knowledge base can compare it. Blank texts of a list are left out.

    Raises Unfit for a map, a number that is not whole, and anything else that filters cannot compare."""
    match _parts(value):
        case ("BOOL", bool(truth)):
            return truth
        case ("S", str(text)):
            return _text(text)
        case ("N", str(number)):
            return _whole(number)
        case ("SS", list(texts)):
            return sorted(text for text in map(_text, texts) if text.strip())
        case ("L", list(items)):
            return [text for text in map(_listed, items) if text.strip()]
        case ("M", _):
            raise Unfit(f"is a map, which filters cannot compare; allowed: {FITS_METADATA}")
        case ("B" | "BS", _):
            raise Unfit(f"has a binary value, which filters cannot compare; allowed: {FITS_METADATA}")
    raise Unfit(f"has a value that filters cannot compare; allowed: {FITS_METADATA}")


def texts(value: AttributeValue) -> Iterator[str]:
    """Every text of a value that `as_json` takes, however deep, without the names of maps."""
    match _parts(value):
        case ("S", str(text)):
            yield text
        case ("SS", list(found)):
            yield from found
        case ("L", list(items)):
            for item in items:
                yield from texts(item)
        case ("M", Mapping() as members):
            for member in members.values():
                yield from texts(member)


def _parts(value: object) -> tuple[str, Any] | None:
    """The type and the content; None where it is not one type with one content."""
    if isinstance(value, Mapping) and len(value) == 1:
        return next(iter(value.items()))
    return None


def _text(text: object) -> str:
    if not isinstance(text, str):
        raise Unfit("has a value that is none of DynamoDB's")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Unfit("holds half of a surrogate pair, which is no character") from None
    return text


def _quoted(text: str) -> str:
    return json.dumps(_text(text), ensure_ascii=False)


def _number(text: object) -> str:
    """A number as JSON writes it: as it is, where that is JSON (`3.10`), and else with the same value (`.5`)."""
    if not isinstance(text, str) or len(text) > NUMBER_MAX_CHARACTERS or not NUMBER.fullmatch(text):
        raise Unfit("has a number that is none of DynamoDB's")
    return text if JSON_NUMBER.fullmatch(text) else str(Decimal(text))


def _whole(text: str) -> int:
    number, fraction = Decimal(_number(text)).as_integer_ratio()
    if fraction != 1:
        raise Unfit(f"is a number that is not whole; allowed: {FITS_METADATA}")
    return number


def _listed(item: AttributeValue) -> str:
    match _parts(item):
        case ("S", str(text)):
            return _text(text)
    raise Unfit(f"is a list of something else than texts; allowed: {FITS_METADATA}")


def _list(items: Iterator[str] | Sequence[str]) -> str:
    return "[" + ", ".join(items) + "]"
