"""One process of this machine, by its pid and when it started: a reused pid is never mistaken for it."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path


def started(pid: int) -> str | None:
    """When the process of this pid started, as an opaque mark; None if there is no such process or it has ended."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, ticks_after_boot = fields[0], fields[19]
        return None if state in "ZX" else ticks_after_boot
    shown = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return shown[1].strip() if len(shown) == 2 and not shown[0].startswith("Z") else None


@dataclass(frozen=True)
class Process:
    pid: int
    started: str

    @classmethod
    def current(cls) -> Process:
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Process:
        """Raises ProcessLookupError when the pid has no living process."""
        mark = started(pid)
        if mark is None:
            raise ProcessLookupError(f"no process {pid}")
        return cls(pid, mark)

    @property
    def alive(self) -> bool:
        return started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send the signal, unless the process has ended."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def kill_group(self) -> None:
        """End the process and every process of the group that it leads, unless it has ended already."""
        if self.alive:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
