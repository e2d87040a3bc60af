from __future__ import annotations

import pytest

from benchmarks.figure import Figure, show


def test_a_value_on_the_bar_holds() -> None:
    assert Figure("x", 2, "", 2, "at least").holds
    assert Figure("x", 2, "", 2, "at most").holds


def test_a_value_on_the_wrong_side_of_the_bar_does_not_hold() -> None:
    assert not Figure("x", 1.99, "", 2, "at least").holds
    assert not Figure("x", 2.01, "", 2, "at most").holds


def test_a_figure_without_a_bar_holds_whatever_it_is() -> None:
    assert Figure("x", float("inf"), "s").holds


def test_a_figure_stands_on_one_line_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a figure whose name says in full what was measured, where, and of how many documents"
    show([Figure(name, 1_234.5, "documents/s", 1_000, "at least"), Figure("to compare", 0.25, "s")])
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if name in line)
    assert "1,234 documents/s" in line
    assert "at least 1,000" in line
    assert "holds" in line
    assert not any("holds" in line for line in lines if "to compare" in line)
