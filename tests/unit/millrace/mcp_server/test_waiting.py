from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from millrace.errors import MillraceError, StillRunning
from millrace.mcp_server.waiting import NobodyWaits, Wait, carried_out

SOON = 5.0


class Reports:
    """What was reported, in order; `late` delays each report."""

    def __init__(self, late: float = 0.0) -> None:
        self.told: list[tuple[float, str]] = []
        self._late = late

    async def __call__(self, seconds: float, sentence: str) -> None:
        await anyio.sleep(self._late)
        self.told.append((seconds, sentence))

    @property
    def sentences(self) -> list[str]:
        return [sentence for _, sentence in self.told]


def carry(work: Callable[[Wait], Any], reports: Reports | None = None, **settings: Any) -> Any:
    async def main() -> Any:
        return await carried_out(work, reports or Reports(), **{"seconds": SOON, **settings})

    return anyio.run(main)


def test_what_the_work_returns_comes_back_after_everything_that_it_said() -> None:
    def work(wait: Wait) -> str:
        for sentence in ("one", "two", "two", "three"):
            wait.say(sentence)
        return "done"

    reports = Reports(late=0.02)
    assert carry(work, reports) == "done"
    assert reports.sentences == ["one", "two", "three"]


def test_progress_always_grows() -> None:
    def work(wait: Wait) -> None:
        for number in range(20):
            wait.say(str(number))

    reports = Reports()
    carry(work, reports)
    seconds = [gone for gone, _ in reports.told]
    assert all(later > earlier for earlier, later in itertools.pairwise(seconds))


def test_what_was_said_last_is_repeated_as_a_sign_of_life() -> None:
    def work(wait: Wait) -> None:
        wait.say("a long pass")
        time.sleep(0.3)

    reports = Reports()
    carry(work, reports, every=0.05)
    assert len(reports.told) >= 3
    assert set(reports.sentences) == {"a long pass"}


def test_an_error_of_the_work_comes_as_it_is() -> None:
    def work(wait: Wait) -> None:
        wait.say("about to fail")
        raise MillraceError("because")

    with pytest.raises(MillraceError, match="because"):
        carry(work)


def test_the_time_limit_ends_even_a_call_that_blocks_and_says_what_runs_on() -> None:
    leave = threading.Event()

    def work(wait: Wait) -> None:
        wait.running = "execution one runs on"
        leave.wait(SOON)

    began = time.monotonic()

    async def main() -> None:
        try:
            await carried_out(work, Reports(), seconds=0.05)
        finally:
            leave.set()

    with pytest.raises(StillRunning, match=r"time limit of 0 s|execution one runs on"):
        anyio.run(main)
    assert time.monotonic() - began < SOON


def test_work_that_nobody_waits_for_ends_at_its_next_step() -> None:
    ended = threading.Event()

    def work(wait: Wait) -> None:
        try:
            while True:
                wait.sleep(0.01)
        except NobodyWaits:
            ended.set()
            raise

    with pytest.raises(StillRunning):
        carry(work, seconds=0.05)
    assert ended.wait(SOON)


def test_a_cancellation_tells_what_runs_on_and_ends_the_work() -> None:
    told: list[str] = []
    begun, ended = threading.Event(), threading.Event()

    def work(wait: Wait) -> None:
        wait.running = "execution one runs on"
        begun.set()
        try:
            wait.sleep(SOON)
        except NobodyWaits:
            ended.set()
            raise

    async def main() -> None:
        async with anyio.create_task_group() as calls:
            calls.start_soon(lambda: carried_out(work, Reports(), seconds=SOON, cancelled=told.append))
            await anyio.to_thread.run_sync(begun.wait, SOON)
            calls.cancel_scope.cancel()

    anyio.run(main)
    assert told == ["execution one runs on"]
    assert ended.wait(SOON)


def test_the_event_loop_goes_on_while_the_work_blocks() -> None:
    async def main() -> None:
        release = threading.Event()
        async with anyio.create_task_group() as calls:
            calls.start_soon(lambda: carried_out(lambda _: release.wait(SOON), Reports(), seconds=SOON))
            await anyio.sleep(0.05)
            release.set()

    began = time.monotonic()
    anyio.run(main)
    assert time.monotonic() - began < SOON / 2
