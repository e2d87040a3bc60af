"""Translates a task's parameters and an API's answers between Step Functions' form and botocore's, by the
service model.

SDK integrations use the names of the Java SDK (`naming.member_name`); optimized integrations use the API's
own names with a capital first letter. Map keys are data and stay as they are.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from botocore.model import Shape

from millrace.local.states.naming import member_name

MemberName = Callable[[str], str]


class UnknownParameter(ValueError):
    """A parameter that the operation does not have."""


def capitalized(member: str) -> str:
    return member[:1].upper() + member[1:]


def names(sdk: bool) -> MemberName:
    """How members are called in an SDK integration, or in an optimized one."""
    return member_name if sdk else capitalized


def members(shape: Shape, name: MemberName) -> dict[str, str]:
    """`{the name in a definition: the model's member}`. An SDK integration may also use the API's capitalized name."""
    return {capitalized(m): m for m in shape.members} | {name(m): m for m in shape.members}


def to_request(value: Any, shape: Shape, name: MemberName, where: str = "Parameters") -> Any:
    """Parameters as botocore takes them. Raises UnknownParameter.

    What is not a string goes to a string member as JSON text; a blob carries JSON text.
    """
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        known = members(shape, name)
        request = {}
        for key, part in value.items():
            if key not in known:
                raise UnknownParameter(f"The parameter {where}.{key} is not supported; known are {sorted(known)}")
            request[known[key]] = to_request(part, shape.members[known[key]], name, f"{where}.{key}")
        return request
    if kind == "list" and isinstance(value, list):
        return [to_request(part, shape.member, name, f"{where}[{i}]") for i, part in enumerate(value)]
    if kind == "map" and isinstance(value, dict):
        return {key: to_request(part, shape.value, name, f"{where}.{key}") for key, part in value.items()}
    if kind == "string" and value is not None and not isinstance(value, str):
        return json_text(value)
    if kind == "blob":
        return json_text(value).encode()
    return value


def to_answer(value: Any, shape: Shape | None, name: MemberName) -> Any:
    """An answer as a state sees it: member names as in definitions, times as ISO 8601 in UTC, blobs as text.

    A blob that is not UTF-8 is given in base64. Members without a value are left out.
    """
    kind = shape.type_name if shape is not None else None
    if kind == "structure" and isinstance(value, dict):
        return {
            name(member): to_answer(part, shape.members[member], name)  # type: ignore[union-attr]
            for member, part in value.items()
            if member in shape.members and part is not None  # type: ignore[union-attr]
        }
    if kind == "list" and isinstance(value, list):
        return [to_answer(part, shape.member, name) for part in value]  # type: ignore[union-attr]
    if kind == "map" and isinstance(value, dict):
        return {key: to_answer(part, shape.value, name) for key, part in value.items()}  # type: ignore[union-attr]
    if isinstance(value, dt.datetime):
        return iso_time(value)
    if kind == "blob":
        return _text(value.read() if hasattr(value, "read") else value)
    return value


def _text(blob: bytes | str) -> str:
    if isinstance(blob, str):
        return blob
    try:
        return blob.decode()
    except UnicodeDecodeError:
        return base64.b64encode(blob).decode()


def iso_time(moment: dt.datetime) -> str:
    """`2026-01-31T12:00:00.250Z`, always with milliseconds, always UTC."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def json_text(value: Any) -> str:
    """Compact JSON in UTF-8, as Step Functions writes it; times as ISO 8601."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    return iso_time(value) if isinstance(value, dt.datetime) else str(value)
