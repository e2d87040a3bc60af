"""The embedded AWS's front door: presents loopback HTTP as TLS and answers `/_millrace/`; all else is AWS."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
# Takes the request's JSON document (None without one), or a name, and gives the answer's, or what to await for it;
# ValueError is the caller's mistake.
Route = Callable[[Any], Any]
OWN = "/_millrace/"
log = logging.getLogger(__name__)


class Gateway:
    """An ASGI application around MiniStack's. `routes` are by method and path; one that ends in a slash is for all that
    stands directly below it, whose name it takes in place of a document.

    A bucket policy that asks for TLS (`aws:SecureTransport`) must hold here too, although loopback has no
    TLS.
    """

    def __init__(self, substrate: ModuleType, routes: Mapping[tuple[str, str], Route]) -> None:
        self._substrate = substrate
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"].startswith(OWN):
                await _reply(send, *await self._answer(scope["method"], scope["path"], await _body(receive)))
                return
            scope = {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}
        await self._substrate.app(scope, receive, send)

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        folder, _, name = path.rpartition("/")
        below = self._routes.get((method, f"{folder}/")) if name else None
        route = self._routes.get((method, path)) or below
        if route is None:
            known = ", ".join(f"{method} {path}" for method, path in sorted(self._routes))
            return 404, {"error": f"there is no {method} {path}; there is {known}"}
        try:
            told = name if route is below else json.loads(body) if body else None
            answer = route(told)
            return 200, await answer if inspect.isawaitable(answer) else answer
        except ValueError as error:
            return 400, {"error": str(error)}
        except Exception as error:
            log.exception("%s %s failed", method, path)
            return 500, {"error": repr(error)}


async def _body(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def _reply(send: Send, status: int, document: Any) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
