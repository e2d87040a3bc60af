"""The figures that the README quotes. Each module measures one of them and has `run() -> list[Figure]`;
`python -m benchmarks` prints all, `python -m benchmarks packing` one."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

sys.path.insert(0, str(ROOT / "lambdas"))
"""Where the functions' packages are, as their own layout on Lambda has them at the top."""
