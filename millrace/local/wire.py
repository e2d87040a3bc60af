"""How a request of a service's protocol is read, and its answer written; what they mean is not known here.

* ApiError   what the caller gets instead of an answer
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from millrace.local.model import Http, Model

Answer = tuple[int, dict[str, str], bytes]


class ApiError(Exception):
    """Without a `status` it has the one that the API gives to the code, or 400."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Received:
    """A request as it came: the path and the query are decoded, the headers' names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, list[str]] = field(default_factory=dict)


class Wire(Protocol):
    def operation(self, received: Received) -> str:
        """The operation that is asked for. Raises ApiError when there is none."""

    def request(self, operation: str, received: Received) -> Any:
        """What is asked of it, unchecked. Raises ApiError when it cannot be read."""

    def reply(self, operation: str, answer: dict[str, Any]) -> Answer: ...

    def refusal(self, error: ApiError) -> Answer: ...


class JsonRpc:
    """Every operation at one place, named in the header `x-amz-target`."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._headers = {"Content-Type": f"application/x-amz-json-{model.json_version}"}

    def operation(self, received: Received) -> str:
        operation = received.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation not in self._model.operations:
            raise ApiError("UnknownOperationException", f"There is no operation {operation!r}")
        return operation

    def request(self, _operation: str, received: Received) -> Any:
        return _json_of(received.body)

    def reply(self, _operation: str, answer: dict[str, Any]) -> Answer:
        return 200, dict(self._headers), _written(answer)

    def refusal(self, error: ApiError) -> Answer:
        return _refusal(self._model, error, self._headers)


class RestJson:
    """Operations by method and path; members of a request are in its path, its query, its headers and its body, those
    of an answer in its headers and its body. A body may be one member that is a blob, which is base64 here.

    `operations` are those that will be asked for: one whose members are anywhere else is a ValueError here.
    """

    def __init__(self, model: Model, operations: Iterable[str]) -> None:
        self._model = model
        self._http = {operation: model.http(operation) for operation in model.operations}
        # The more of a path is literal the sooner it is tried: "getDocuments" comes before "{documentId}".
        routes = sorted(self._http.items(), key=lambda item: item[1].uri.count("{"))
        self._routes = [(http.method, _pattern(http.uri), operation) for operation, http in routes]
        for operation in operations:
            http = self._http[operation]
            elsewhere = {name for name, place in http.placed.items() if not _is_read(*place)}
            elsewhere |= {name for name, place in http.outside.items() if not _is_written(*place)}
            if elsewhere:
                names = ", ".join(sorted(elsewhere))
                raise ValueError(f"{operation}: {names} has a place that the embedded AWS does not read or write")

    def operation(self, received: Received) -> str:
        for method, pattern, operation in self._routes:
            if method == received.method and pattern.fullmatch(received.path):
                return operation
        message = f"There is no operation {received.method} {received.path}"
        raise ApiError("UnknownOperationException", message, 404)

    def request(self, operation: str, received: Received) -> Any:
        http = self._http[operation]
        blob = _blob(http.placed)
        body = {blob: base64.b64encode(received.body).decode()} if blob else _json_of(received.body)
        if not isinstance(body, dict):
            raise ApiError("SerializationException", "The request's body is not a JSON object")
        found = _pattern(http.uri).fullmatch(received.path)
        in_path = found.groupdict() if found else {}
        return {**body, **_of_headers(http, received.headers), **_of_query(http, received.query), **in_path}

    def reply(self, operation: str, answer: dict[str, Any]) -> Answer:
        http = self._http[operation]
        headers = {
            name: answer[name] for name, (place, _) in http.outside.items() if place == "header" and name in answer
        }
        blob = _blob(http.outside)
        if blob:
            return http.status, headers, base64.b64decode(answer[blob])
        rest = {name: value for name, value in answer.items() if name not in headers}
        return http.status, {"Content-Type": "application/json", **headers}, _written(rest)

    def refusal(self, error: ApiError) -> Answer:
        return _refusal(self._model, error, {"Content-Type": "application/json"})


def wire_of(model: Model, operations: Iterable[str]) -> Wire:
    """The wire of the service's protocol. Raises ValueError for one that is not known here."""
    if model.protocol == "json":
        return JsonRpc(model)
    if model.protocol == "rest-json":
        return RestJson(model, operations)
    raise ValueError(f"{model.service} speaks {model.protocol}, which the embedded AWS does not emulate")


def _pattern(uri: str) -> re.Pattern[str]:
    """`/knowledgebases/{knowledgeBaseId}` as a pattern with named groups; a slash at the end may be there or not.

    An ARN has slashes, which are decoded by the time the path is read.
    """
    parts = re.split(r"\{(\w+)\+?\}", uri.rstrip("/"))
    labels = {part: ".+" if part.lower().endswith("arn") else "[^/]+" for part in parts[1::2]}
    literal_and_label = [
        re.escape(part) if at % 2 == 0 else f"(?P<{part}>{labels[part]})" for at, part in enumerate(parts)
    ]
    return re.compile("".join(literal_and_label) + "/?")


def _is_read(place: str, kind: str) -> bool:
    return place in ("uri", "querystring") or _is_written(place, kind)


def _is_written(place: str, kind: str) -> bool:
    return (place, kind) in (("header", "string"), ("body", "blob"))


def _blob(members: Mapping[str, tuple[str, str]]) -> str | None:
    """The member that is the whole body, where one is."""
    return next((name for name, (place, _) in members.items() if place == "body"), None)


def _of_headers(http: Http, headers: Mapping[str, str]) -> dict[str, Any]:
    named = (name for name, (place, _) in http.placed.items() if place == "header")
    return {name: headers[name.lower()] for name in named if name.lower() in headers}


def _of_query(http: Http, query: Mapping[str, list[str]]) -> dict[str, Any]:
    placed = {name: kind for name, (place, kind) in http.placed.items() if place == "querystring"}
    return {name: _of_text(query[name], kind) for name, kind in placed.items() if query.get(name)}


def _of_text(values: list[str], kind: str) -> Any:
    """A query's values as the kind of its member; what cannot be one stays a text, which the model then refuses."""
    readers: Mapping[str, Callable[[str], Any]] = {
        "boolean": lambda text: {"true": True, "false": False}.get(text, text),
        "integer": lambda text: int(text) if re.fullmatch(r"-?\d+", text) else text,
        "long": lambda text: int(text) if re.fullmatch(r"-?\d+", text) else text,
    }
    if kind == "list":
        return list(values)
    return readers.get(kind, str)(values[0])


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ApiError("SerializationException", f"The request is not JSON: {error}") from None


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _refusal(model: Model, error: ApiError, headers: Mapping[str, str]) -> Answer:
    status = error.status or model.error_status(error.code) or 400
    body = _written({"__type": error.code, "message": error.message})
    return status, {**headers, "x-amzn-ErrorType": error.code}, body
