"""Calls that wait until somebody says what becomes of them, so that a test decides which one comes next."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Verdict = TypeVar("Verdict")


class NotHeld(ValueError):
    pass


@dataclass(frozen=True)
class Held(Generic[Verdict]):
    about: dict[str, Any]
    told: Future[list[Verdict]] = field(default_factory=Future)
    answered: Future[None] = field(default_factory=Future)


class HeldCalls(Generic[Verdict]):
    """The calls that wait. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._held: dict[int, Held[Verdict]] = {}

    @contextlib.asynccontextmanager
    async def until_told(self, about: dict[str, Any]) -> AsyncIterator[list[Verdict]]:
        """Wait; gives what the one who lets the call go has said of it. The call is made inside."""
        number, held = next(self._numbers), Held[Verdict](about)
        with self._lock:
            self._held[number] = held
        try:
            yield await asyncio.wrap_future(held.told)
        finally:
            with self._lock:
                self._held.pop(number, None)
            held.answered.set_result(None)

    def all(self) -> list[dict[str, Any]]:
        """`[{"id", ...}]` with what each call is about, in the order in which they came."""
        with self._lock:
            return [{"id": number, **held.about} for number, held in self._held.items()]

    async def let_go(self, number: int, verdicts: list[Verdict]) -> None:
        """Let it be made, and wait until it is answered. Raises NotHeld."""
        with self._lock:
            held = self._held.pop(number, None)
        if held is None:
            raise NotHeld(f"no call {number} is held")
        held.told.set_result(verdicts)
        await asyncio.wrap_future(held.answered)

    def let_all_go(self) -> None:
        with self._lock:
            left = list(self._held.values())
            self._held.clear()
        for held in left:
            held.told.set_result([])
