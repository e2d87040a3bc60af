from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

from millrace.local.gateway import Gateway


class Substrate:
    """Remembers the scopes that reach AWS."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)


def failing(_: Any) -> Any:
    raise RuntimeError("broken")


def ask(method: str, path: str, body: bytes = b"") -> tuple[int, Any, Substrate]:
    substrate = Substrate()
    routes = {
        ("GET", "/_millrace/status"): lambda _: {"well": True},
        ("PUT", "/_millrace/double"): lambda number: number * 2,
        ("GET", "/_millrace/failing"): failing,
        ("GET", "/_millrace/names/"): lambda name: f"it is {name}",
        ("GET", "/_millrace/later"): lambda _: asyncio.sleep(0, "waited"),
    }
    sent: list[dict[str, Any]] = []
    pieces = [{"body": body[:3], "more_body": True}, {"body": body[3:]}]

    async def receive() -> Any:
        return pieces.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [(b"host", b"x")]}
    asyncio.run(Gateway(SimpleNamespace(app=substrate.app), routes)(scope, receive, send))
    if not sent:
        return 0, None, substrate
    return sent[0]["status"], json.loads(sent[1]["body"]), substrate


def test_our_own_questions_do_not_reach_aws():
    status, answer, substrate = ask("GET", "/_millrace/status")
    assert (status, answer) == (200, {"well": True})
    assert substrate.scopes == []


def test_a_body_in_pieces_is_read_whole():
    assert ask("PUT", "/_millrace/double", b"12345")[:2] == (200, 24690)


def test_all_else_reaches_aws_as_if_over_tls():
    _, _, substrate = ask("GET", "/bucket/key")
    (scope,) = substrate.scopes
    assert scope["headers"] == [(b"host", b"x"), (b"x-forwarded-proto", b"https")]


def test_an_unknown_question_is_answered_with_those_that_can_be_asked():
    status, answer, _ = ask("GET", "/_millrace/else")
    assert status == 404
    assert "PUT /_millrace/double" in answer["error"]


def test_a_route_may_be_awaited():
    assert ask("GET", "/_millrace/later")[:2] == (200, "waited")


def test_a_body_that_is_not_json_is_the_callers_mistake():
    assert ask("PUT", "/_millrace/double", b"{{{{")[0] == 400


def test_a_defect_is_a_500():
    assert ask("GET", "/_millrace/failing")[:2] == (500, {"error": "RuntimeError('broken')"})


def test_a_route_below_a_folder_takes_the_name():
    assert ask("GET", "/_millrace/names/one")[:2] == (200, "it is one")
    for path in ("/_millrace/names/one/two", "/_millrace/names"):
        assert ask("GET", path)[0] == 404
