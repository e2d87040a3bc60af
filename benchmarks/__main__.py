"""Run the benchmarks that are named, or all of them. Exits with 1 when a bar is missed, 2 for an unknown name."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks
from benchmarks.figure import show

HELPERS = {
    "__main__",
    "figure",
    "folder_s3",
    "generated",
    "incident_table",
    "note_designs",
    "pipeline",
    "process",
    "receipt_words",
    "tables",
    "usage",
    "word_store",
}


def names() -> list[str]:
    """Every module of the package that measures something."""
    return sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in HELPERS)


def main(wanted: list[str]) -> int:
    if unknown := set(wanted) - set(names()):
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    figures = []
    for name in wanted or names():
        figures += importlib.import_module(f"benchmarks.{name}").run()
    show(figures)
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
