"""Functions that are called by their name, and what their errors mean to the person who asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from millrace.errors import FunctionFailed

INVOKE_SETTINGS: Mapping[str, Any] = {"read_timeout": 930, "tcp_keepalive": True}
"""For the client: an invocation may take Lambda's longest time, 900 s, without a byte on the connection."""


class Answer(NamedTuple):
    """What a function said, and the HTTP status of Invoke."""

    said: dict[str, Any]
    status_code: int


def call(client: Any, function: str, event: Mapping[str, Any]) -> Answer:
    """A function's answer to an event; `client` is Lambda's, made with INVOKE_SETTINGS. Raises FunctionFailed."""
    reply = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    said = json.loads(reply["Payload"].read())
    if "FunctionError" in reply:
        raise FunctionFailed(function, said.get("errorType", "Unknown"), said.get("errorMessage", "no message"))
    return Answer(said, int(reply["StatusCode"]))
