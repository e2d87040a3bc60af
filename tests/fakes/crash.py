"""Sudden death: a process that is killed before or after its n-th call to the outside."""

from __future__ import annotations

from typing import Any

from tests.fakes.intercepted import Call, Intercepted


class Crash(BaseException):
    """Not an Exception: nothing in the process may handle it, as nothing handles a kill."""


class Fuse:
    """Blows at call number `at` (from 1; 0 is never); `done` says whether that call still takes effect."""

    def __init__(self, at: int = 0, *, done: bool = False) -> None:
        self.at = at
        self.done = done
        self.calls = 0
        self.dead = False

    def guard(self, client: Any) -> Any:
        """The client, with every call counted."""
        return Intercepted(client, self.call)

    def call(self, _: str, function: Call, arguments: dict[str, Any]) -> Any:
        if self.dead:
            raise Crash
        self.calls += 1
        if self.calls == self.at:
            self.dead = True
            if self.done:
                function(**arguments)
            raise Crash
        return function(**arguments)
