from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from incident_sync.crew import THREADS, work_each
from incident_sync.errors import StoreUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.pool import InlinePool

FOR_EVER = float("inf")


def test_results_have_the_order_of_the_things() -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        things = list(range(40))
        results = work_each(things, lambda thing: thing * 2, pool=pool, clock=FakeClock(), stop_at=FOR_EVER)
    assert results == [thing * 2 for thing in things]


def test_a_few_are_worked_at_once() -> None:
    together = threading.Barrier(THREADS, timeout=10)
    with ThreadPoolExecutor(THREADS) as pool:
        work_each(range(THREADS), lambda _: together.wait(), pool=pool, clock=FakeClock(), stop_at=FOR_EVER)


def test_nothing_new_is_begun_when_the_time_is_over() -> None:
    clock = FakeClock()

    def work(thing: int) -> int:
        clock.sleep(10)
        return thing

    assert work_each([1, 2, 3, 4], work, pool=InlinePool(), clock=clock, stop_at=15) == [1, 2, None, None]


def test_the_first_is_begun_whatever_the_time() -> None:
    assert work_each([1, 2], lambda thing: thing, pool=InlinePool(), clock=FakeClock(9), stop_at=5) == [1, None]


def test_nothing_new_is_begun_once_a_store_fails_and_all_that_was_begun_ends_first() -> None:
    begun: list[int] = []
    ended: list[int] = []
    failed = threading.Event()

    def work(thing: int) -> None:
        begun.append(thing)
        if thing == 0:
            failed.set()
            raise StoreUnavailable("no")
        failed.wait(10)
        ended.append(thing)

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(StoreUnavailable):
            work_each(range(50), work, pool=pool, clock=FakeClock(), stop_at=FOR_EVER)
        assert len(begun) < 10
        assert set(begun) == {0, *ended}
