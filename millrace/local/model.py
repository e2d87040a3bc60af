"""Holding what is emulated against the API that AWS publishes: botocore's service model, for requests and answers.

An emulated operation puts its request through `Model.check_input` and its answer through `Model.check_output`.
A request that breaks the API gets AWS's own error; an answer that breaks it is our defect and must be loud, so that
a field or a status that the real API does not have can never reach a caller.

* InvalidInput   the request breaks the API; carries the error code that AWS gives
* WrongAnswer    our answer breaks the API
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape

# What Java's \p{C} holds: control, format, surrogate and private characters (unassigned ones are left out).
CONTROL_CHARACTERS = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\ud800-\uf8ff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
JAVA_CLASSES = {
    r"[^\p{C}]": f"[^{CONTROL_CHARACTERS}]",
    r"\P{C}": f"[^{CONTROL_CHARACTERS}]",
    r"\p{ASCII}": r"[\x00-\x7f]",
    r"\p{L}\p{Z}\p{N}_": r"\w \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
SHOWN_CHARACTERS = 200
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("a String", lambda value: isinstance(value, str)),
    "character": ("a Character", lambda value: isinstance(value, str) and len(value) == 1),
    "blob": ("a Blob", lambda value: isinstance(value, str)),
    "boolean": ("a Boolean", lambda value: isinstance(value, bool)),
    "integer": ("an Integer", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "long": ("a Long", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a Float", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "double": ("a Double", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "timestamp": (
        "a Timestamp",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ),
    "iso8601": ("a Timestamp", lambda value: isinstance(value, str) and ISO_DATE.fullmatch(value) is not None),
    "structure": ("a Structure", lambda value: isinstance(value, dict)),
    "list": ("a List", lambda value: isinstance(value, list)),
    "map": ("a Map", lambda value: isinstance(value, dict)),
}


class InvalidInput(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class WrongAnswer(Exception):
    pass


@dataclass(frozen=True)
class Flaw:
    """One way in which a value breaks its shape. `about_type`: it could not even be read as that shape."""

    path: str
    text: str
    about_type: bool = False


@dataclass(frozen=True)
class Http:
    """Where a REST operation stands on the wire: `uri` is a template, `placed` the request's members that are not in
    the body, with their place (`uri`, `querystring`, `header`; `body` where one is the whole of it) and type, `outside`
    the answer's.
    """

    method: str
    uri: str
    status: int
    placed: Mapping[str, tuple[str, str]]
    outside: Mapping[str, tuple[str, str]]


class Model:
    """One service's published API; values are as they stand in the JSON of the wire.

    A timestamp is a number of seconds or, where the API says so, a date in ISO 8601; a blob is a base64 string.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self._model = _service_model(service)

    @property
    def protocol(self) -> str:
        """How the service speaks: `json`, `rest-json`, ..."""
        return self._model.metadata["protocol"]

    @property
    def json_version(self) -> str:
        """The version in the content type `application/x-amz-json-<version>`."""
        return self._model.metadata["jsonVersion"]

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(self._model.operation_names)

    def error_status(self, code: str) -> int | None:
        """The HTTP status of the error, where the API gives it one."""
        return self._error_statuses.get(code)

    @functools.cached_property
    def _error_statuses(self) -> dict[str, int]:
        declared = {shape.error_code: shape.metadata.get("error", {}) for shape in self._model.error_shapes}
        return {code: error["httpStatusCode"] for code, error in declared.items() if "httpStatusCode" in error}

    def http(self, operation: str) -> Http:
        model = self._operation(operation)
        return Http(
            method=model.http["method"],
            uri=model.http["requestUri"],
            status=model.http.get("responseCode", 200),
            placed=_placed(model.input_shape),
            outside=_placed(model.output_shape),
        )

    def members(self, operation: str) -> frozenset[str]:
        """The names of the request's members."""
        shape = self._operation(operation).input_shape
        return frozenset(shape.members) if shape else frozenset()

    def check_input(self, operation: str, request: Any) -> None:
        """Raise InvalidInput, in AWS's words, when the request breaks the operation's model."""
        flaws = list(_flaws_of(request, self._operation(operation).input_shape))
        unreadable = next((flaw for flaw in flaws if flaw.about_type), None)
        if unreadable is not None:
            where = f" at '{unreadable.path}'" if unreadable.path else ""
            raise InvalidInput("SerializationException", f"{unreadable.text}{where}")
        if flaws:
            found = f"{len(flaws)} validation error{'s' if len(flaws) > 1 else ''} detected: "
            raise InvalidInput("ValidationException", found + "; ".join(flaw.text for flaw in flaws))

    def check_output(self, operation: str, answer: Any) -> None:
        """Raise WrongAnswer when the answer is not one that the real API could give."""
        flaws = list(_flaws_of(answer, self._operation(operation).output_shape))
        if flaws:
            told = "; ".join(f"{flaw.path or 'the answer'}: {flaw.text}" for flaw in flaws)
            raise WrongAnswer(f"{self.service} {operation} would answer what the real API cannot: {told}")

    def _operation(self, operation: str) -> OperationModel:
        return self._model.operation_model(operation)


def _placed(shape: Shape | None) -> dict[str, tuple[str, str]]:
    """The members that are not part of a JSON body: their place and type by their names on the wire."""
    if shape is None:
        return {}
    whole_body = shape.serialization.get("payload")
    placed = {}
    for name, member in shape.members.items():
        place = "body" if name == whole_body else member.serialization.get("location")
        if place is not None:
            placed[member.serialization.get("name", name)] = (place, member.type_name)
    return placed


@functools.cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _flaws_of(value: Any, shape: Shape | None) -> Iterator[Flaw]:
    if shape is not None:
        yield from _flaws(value, shape, "")
    elif value:
        yield Flaw("", f"nothing is expected here, found {_shown(value)}")


def _flaws(value: Any, shape: Shape, path: str) -> Iterator[Flaw]:
    if shape.metadata.get("document"):
        return
    name, fits = TYPES["iso8601" if shape.serialization.get("timestampFormat") == "iso8601" else shape.type_name]
    if not fits(value):
        yield Flaw(path, f"{_kind(value)} can not be converted to {name}", about_type=True)
        return
    yield from (Flaw(path, _sentence(value, shape, path, demand)) for demand in _unmet(value, shape))
    if shape.type_name == "structure":
        yield from _flaws_of_members(value, shape, path)
    elif shape.type_name == "list":
        for position, item in enumerate(value, start=1):
            yield from _flaws(item, shape.member, f"{path}.{position}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _flaws(key, shape.key, f"{path}.key")
            yield from _flaws(item, shape.value, f"{path}.{key}.member")


def _flaws_of_members(value: dict[str, Any], shape: Shape, path: str) -> Iterator[Flaw]:
    on_wire = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    required = {shape.members[name].serialization.get("name", name) for name in shape.required_members}
    given = {name: item for name, item in value.items() if item is not None}
    for name in sorted(required - given.keys()):
        where = _joined(path, name)
        demand = "Member must not be null"
        yield Flaw(where, f"Value null at '{where}' failed to satisfy constraint: {demand}")
    if shape.metadata.get("union") and len(given) != 1:
        demand = "Member must have exactly one of its fields"
        yield Flaw(path, f"Value at '{path}' failed to satisfy constraint: {demand}")
    for name, item in given.items():
        where = _joined(path, name)
        if name in on_wire:
            yield from _flaws(item, on_wire[name], where)
        else:
            yield Flaw(where, f"Value at '{where}' failed to satisfy constraint: Member is not in the API")


def _unmet(value: Any, shape: Shape) -> Iterator[str]:
    """The demands of the shape that the value does not meet, as AWS words them."""
    limits = shape.metadata
    low, high = limits.get("min"), limits.get("max")
    if shape.type_name in ("string", "list", "map", "blob"):
        length = len(value) if shape.type_name != "blob" else _bytes_of(value)
        if low is not None and length < low:
            yield f"Member must have length greater than or equal to {low}"
        if high is not None and length > high:
            yield f"Member must have length less than or equal to {high}"
    elif shape.type_name in ("integer", "long", "float", "double"):
        if low is not None and value < low:
            yield f"Member must have value greater than or equal to {low}"
        if high is not None and value > high:
            yield f"Member must have value less than or equal to {high}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not _compiled(limits["pattern"]).fullmatch(value):
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"


def _bytes_of(base64: str) -> int:
    """How many bytes a base64 text stands for, whether or not it is a whole one."""
    return len(base64.rstrip("=")) * 3 // 4


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of the model, which is Java's, as one of Python's."""
    for java, python in JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _sentence(value: Any, shape: Shape, path: str, demand: str) -> str:
    shown = "" if shape.metadata.get("sensitive") else f" '{_shown(value)}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {demand}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def _joined(path: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "TRUE_VALUE" if value else "FALSE_VALUE"
        case str():
            return "STRING_VALUE"
        case int():
            return "NUMBER_VALUE"
        case float():
            return "DECIMAL_VALUE"
        case list():
            return "Start of list"
        case dict():
            return "Start of structure or map"
    return "NULL_VALUE" if value is None else type(value).__name__
