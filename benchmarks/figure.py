"""What a benchmark gives back, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from rich.console import Console
from rich.table import Table

PAGE_COLUMNS = 160
"""How wide a table may be where no terminal says how wide it is: a file takes lines of any length."""


class BenchmarkFailed(RuntimeError):
    """The run that was to be measured did not come out well, so its times mean nothing."""


class Figure(NamedTuple):
    """One measured number beside its bar: it must be at least, or at most, that. One without a bar is for comparing."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    must_be: Literal["at least", "at most"] = "at most"

    @property
    def holds(self) -> bool:
        """Whether the bar is met, if there is one."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.must_be == "at least" else self.value <= self.bar


def show(figures: Iterable[Figure]) -> None:
    """Print a table."""
    table = Table("figure", "measured", "bar", "")
    for figure in figures:
        measured = f"{_number(figure.value)} {figure.unit}".rstrip()
        if figure.bar is None:
            table.add_row(figure.name, measured)
        else:
            verdict = "holds" if figure.holds else "[bold red]missed[/]"
            table.add_row(figure.name, measured, f"{figure.must_be} {_number(figure.bar)}", verdict)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PAGE_COLUMNS)
    console.print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.3f}".rstrip("0").rstrip(".")
