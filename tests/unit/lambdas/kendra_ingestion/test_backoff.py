from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.backoff import Backoff


@given(st.integers(1, 11), st.floats(0, 119), st.floats(0, 1))
def test_waits_are_full_jitter_under_an_exponential_cap(attempt: int, elapsed: float, random: float) -> None:
    wait = Backoff().wait(attempt, elapsed, lambda: random)
    assert wait is not None
    assert wait == random * min(20.0, 0.1 * 2 ** (attempt - 1))


def test_the_budget_of_attempts_ends() -> None:
    assert Backoff().wait(12, 0, lambda: 0.0) is None


def test_the_budget_of_seconds_ends() -> None:
    assert Backoff().wait(1, 120, lambda: 0.0) is None
