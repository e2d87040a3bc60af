from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import Backoff, Patience
from tests.fakes.clock import FakeClock


@given(st.integers(1, 11), st.floats(0, 119), st.floats(0, 1))
def test_waits_are_full_jitter_under_an_exponential_cap(attempt: int, elapsed: float, random: float) -> None:
    wait = Backoff().wait(attempt, elapsed, lambda: random)
    assert wait is not None
    assert wait == random * min(20.0, 0.1 * 2 ** (attempt - 1))


def test_the_budget_of_attempts_ends() -> None:
    assert Backoff().wait(12, 0, lambda: 0.0) is None


def test_the_budget_of_seconds_ends() -> None:
    assert Backoff().wait(1, 120, lambda: 0.0) is None


def test_an_effort_sleeps_between_its_failures_and_ends_with_the_attempts() -> None:
    clock = FakeClock(100.0)
    patience = Patience(Backoff(first_seconds=1, most_seconds=3, attempts=4), clock, lambda: 1.0)
    assert [patience.wait() for _ in range(4)] == [True, True, True, False]
    assert clock.now == 100 + 1 + 2 + 3
    assert patience.attempts == 4


def test_an_efforts_budget_of_seconds_begins_with_the_effort() -> None:
    clock = FakeClock(100.0)
    patience = Patience(Backoff(budget_seconds=5), clock, lambda: 0.0)
    clock.now += 4
    assert patience.wait()
    clock.now += 1
    assert not patience.wait()
