"""The command line as a person's shell runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from millrace.cli import app

REPOSITORY = Path(__file__).parents[2]
SECONDS = 180


def millrace(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command with that embedded AWS, and with credentials of a person that must not be used."""
    return subprocess.run(
        [sys.executable, "-m", "millrace", "--dir", str(folder), *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "AWS_PROFILE": "of-a-person", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def at_once(folder: Path, *arguments: object) -> Result:
    """Run the command in this process, where nothing asks for one of its own: it begins a second sooner."""
    return CliRunner().invoke(app, ["--dir", str(folder), *map(str, arguments)], env={"COLUMNS": "200"})


def lines(done: Result | subprocess.CompletedProcess[str]) -> Sequence[dict[str, Any]]:
    """What it printed with --json."""
    return [json.loads(line) for line in done.stdout.splitlines()]
