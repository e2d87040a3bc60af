from __future__ import annotations

from benchmarks.figure import Figure


def test_a_value_on_the_bar_holds() -> None:
    assert Figure("x", 2, "", 2, "at least").holds
    assert Figure("x", 2, "", 2, "at most").holds


def test_a_value_on_the_wrong_side_of_the_bar_does_not_hold() -> None:
    assert not Figure("x", 1.99, "", 2, "at least").holds
    assert not Figure("x", 2.01, "", 2, "at most").holds
