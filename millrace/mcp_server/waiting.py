"""Blocking work behind an event loop: in a thread of its own, while the loop passes on what it says, keeps the time and
hears of a cancellation.

A thread cannot be ended from outside. When nobody waits for it any more it is left alone, and ends by itself at the
next `Wait.say`, `Wait.sleep` or `Wait.go_on`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from millrace.errors import StillRunning

T = TypeVar("T")
Report = Callable[[float, str], Awaitable[None]]
"""Told the seconds gone by, which always grow, and a sentence."""

SECONDS_BETWEEN_SIGNS = 10.0
"""A client may give up what is silent; many take any progress as a sign of life."""


class NobodyWaits(Exception):
    """The call has ended before its work; the work ends too, and nobody sees this."""


class Wait:
    """What work may use of the call that it is for. `running` says what goes on without the call, and how to look."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._over = threading.Event()
        self._said: str | None = None
        self.running = "nothing has been started"

    def go_on(self) -> None:
        """Raise NobodyWaits if that is so."""
        if self._over.is_set():
            raise NobodyWaits

    def say(self, sentence: str) -> None:
        """Tell the client how far the work is; what was said last is not said again."""
        self.go_on()
        if sentence != self._said:
            self._said = sentence
            self._tell(sentence)

    def sleep(self, seconds: float) -> None:
        self._over.wait(seconds)
        self.go_on()

    def end(self) -> None:
        self._over.set()


async def carried_out(
    work: Callable[[Wait], T],
    report: Report,
    *,
    seconds: float,
    cancelled: Callable[[str], None] = lambda _: None,
    every: float = SECONDS_BETWEEN_SIGNS,
) -> T:
    """What the work returns or raises. What it says is reported at once, and again `every` so many seconds.

    Raises StillRunning when the time is up; a cancellation tells `cancelled` what runs on.
    """
    said, heard = anyio.create_memory_object_stream[str](math.inf)
    wait = Wait(lambda sentence: anyio.from_thread.run_sync(said.send_nowait, sentence))
    failure: Exception | None = None
    try:
        async with anyio.create_task_group() as reporting, said:
            reporting.start_soon(_pass_on, heard, report, every)
            with anyio.move_on_after(seconds):
                try:
                    return await anyio.to_thread.run_sync(work, wait, abandon_on_cancel=True)
                except Exception as error:  # a task group would wrap it
                    failure = error
    except anyio.get_cancelled_exc_class():
        cancelled(wait.running)
        raise
    finally:
        wait.end()
    if failure is not None:
        raise failure
    raise StillRunning(f"the time limit of {seconds:.0f} s has passed; {wait.running}")


async def _pass_on(heard: MemoryObjectReceiveStream[str], report: Report, every: float) -> None:
    began, last = time.monotonic(), None
    async with heard:
        while True:
            with anyio.move_on_after(every):
                try:
                    last = await heard.receive()
                except anyio.EndOfStream:
                    return
            if last is not None:
                await report(time.monotonic() - began, last)
