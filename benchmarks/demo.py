"""How long `millrace local demo` takes in a new folder, from a finished set-up, and once more while all of it is up.

The medians of three, each from the command's start to its end, so Python's own start counts. `make demo` is this
command after the set-up.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import ROOT
from benchmarks.figure import Figure

RUNS = 3
MOST_SECONDS = 30.0
MOST_SECONDS_WHILE_UP = 15.0


def run() -> list[Figure]:
    """The first run in each of three new folders, and the second one beside it. Ends what it started."""
    first, second = zip(*(_told_twice() for _ in range(RUNS)), strict=True)
    return [
        Figure("demo, in a new folder", median(first), "s", MOST_SECONDS, "at most"),
        Figure("demo, while it is up", median(second), "s", MOST_SECONDS_WHILE_UP, "at most"),
    ]


def _told_twice() -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="millrace-demo-") as place:
        folder = Path(place) / "aws"
        try:
            return _seconds(folder, "demo"), _seconds(folder, "demo")
        finally:
            _seconds(folder, "down")


def _seconds(folder: Path, command: str) -> float:
    """How long `millrace local COMMAND` took. Raises CalledProcessError when it did not end well."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "millrace", "--dir", str(folder), "local", command],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - began
