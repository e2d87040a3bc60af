"""A document's attributes as one mapping, given inline or in a metadata file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from millrace.local.bedrock.limits import METADATA_FILE_BYTES
from millrace.local.search.text import Unindexable

Value = str | float | bool | list[str]
MEMBER_OF_TYPE = {
    "BOOLEAN": "booleanValue",
    "NUMBER": "numberValue",
    "STRING": "stringValue",
    "STRING_LIST": "stringListValue",
}


def flaw_of_attributes(attributes: Sequence[Mapping[str, Any]]) -> str | None:
    """Why the inline attributes cannot be attributes: what the API refuses."""
    keys = [attribute["key"] for attribute in attributes]
    if len(set(keys)) < len(keys):
        return "An attribute is given more than once"
    for attribute in attributes:
        flaw = _flaw_of_value(attribute["value"])
        if flaw:
            return f"The attribute {attribute['key']} {flaw}"
    return None


def _flaw_of_value(value: Mapping[str, Any]) -> str | None:
    expected = MEMBER_OF_TYPE[value["type"]]
    given = [member for member in MEMBER_OF_TYPE.values() if member in value]
    if given == [expected]:
        return None
    return f"of type {value['type']} must have {expected} and no other value, found {', '.join(given) or 'none'}"


def of_attributes(attributes: Sequence[Mapping[str, Any]]) -> dict[str, Value]:
    """The mapping of attributes without a flaw."""
    return {attribute["key"]: _value(attribute["value"]) for attribute in attributes}


def _value(value: Mapping[str, Any]) -> Value:
    return value[MEMBER_OF_TYPE[value["type"]]]


def of_file(content: bytes, where: str) -> dict[str, Value]:
    """The mapping of a metadata file: `{"metadataAttributes": {name: value}}`. Raises Unindexable.

    A value is a string, a number, a boolean or a list of strings, or `{"value": {"type", ...}}` as in inline attributes
    (user guide, "Connect to Amazon S3 for your knowledge base", document metadata fields).
    """
    if len(content) > METADATA_FILE_BYTES:
        raise Unindexable(f"The metadata file {where} is {len(content)} bytes; the limit is {METADATA_FILE_BYTES}")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unindexable(f"The metadata file {where} is not valid JSON: {error}") from None
    attributes = document.get("metadataAttributes") if isinstance(document, dict) else None
    if not isinstance(attributes, dict):
        raise Unindexable(f"The metadata file {where} has no object metadataAttributes")
    return {name: _value_in_file(value, name, where) for name, value in attributes.items()}


def _value_in_file(value: Any, name: str, where: str) -> Value:
    if isinstance(value, dict):
        typed = value.get("value")
        if isinstance(typed, dict) and typed.get("type") in MEMBER_OF_TYPE and _flaw_of_value(typed) is None:
            return _value(typed)
    elif isinstance(value, str | int | float) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    ):
        return value
    raise Unindexable(
        f"The attribute {name} of the metadata file {where} is neither a string, number, boolean nor list of strings"
    )
