"""What a benchmark gives back, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """One measured number beside its bar: it must be at least, or at most, that."""

    name: str
    value: float
    unit: str
    bar: float
    must_be: Literal["at least", "at most"]

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.value >= self.bar if self.must_be == "at least" else self.value <= self.bar


def show(figures: Iterable[Figure]) -> None:
    """Print a table."""
    table = Table("figure", "measured", "bar", "")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}".rstrip(),
            f"{figure.must_be} {_number(figure.bar)}",
            "holds" if figure.holds else "[bold red]missed[/]",
        )
    Console().print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.3f}".rstrip("0").rstrip(".")
