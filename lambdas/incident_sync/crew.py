"""A few threads that work one thing each, until all are done, or time or a store fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, wait
from threading import Event
from typing import TypeVar

from incident_sync.errors import StoreUnavailable
from shared.clock import Clock

Thing = TypeVar("Thing")
Result = TypeVar("Result")

THREADS = 8
"""An incident takes three calls of some 20 ms, nearly all of it waiting: fifty are done within a second."""


def work_each(
    things: Sequence[Thing], work: Callable[[Thing], Result], *, pool: Executor, clock: Clock, stop_at: float
) -> list[Result | None]:
    """Work all things and return the results in their order, None for those that were not begun.

    From `stop_at` on nothing is begun but the first, so that however often this is called there is an end. Once work
    raises StoreUnavailable nothing more is begun; when all that was begun has ended, it is raised."""
    failed = Event()

    def begin(number: int) -> Result | None:
        if failed.is_set() or (number > 0 and clock.monotonic() >= stop_at):
            return None
        try:
            return work(things[number])
        except StoreUnavailable:
            failed.set()
            raise

    under_way = [pool.submit(begin, number) for number in range(len(things))]
    wait(under_way)
    return [future.result() for future in under_way]
