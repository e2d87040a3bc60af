"""The process of one container, which ends with the embedded AWS however that ends."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HOLDER = Path(__file__).with_name("holder.py")
READ_BYTES = 65_536
log = logging.getLogger(__name__)


class Process:
    """`pid` is the program's. `written` is given what it writes, as it comes; `ended` its exit code, once, after all of
    that. Both are called in a thread of the process's own. The exit code of one that a signal ended is 128 and the
    signal's number.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        written: Callable[[bytes], None],
        ended: Callable[[int], None],
    ) -> None:
        self._written = written
        self._ended = ended
        mine, its = os.pipe()
        with os.fdopen(mine, encoding="ascii") as told:
            try:
                self._holder = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(HOLDER), str(its), *command],
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=[its],
                    start_new_session=True,
                )
            finally:
                os.close(its)
            self.pid = int(told.read() or 0)
        self._thread = threading.Thread(target=self._follow, name=f"container-{self.pid}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the program to end."""
        self._order(b"stop\n")

    def kill(self) -> None:
        """End the program, and what it started, at once."""
        self._order(b"kill\n")

    def join(self, seconds: float) -> bool:
        """Has it ended, with all that it started, after so many seconds?"""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _order(self, order: bytes) -> None:
        assert self._holder.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._holder.stdin.write(order)
            self._holder.stdin.flush()

    def _follow(self) -> None:
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        with self._holder.stdout as output:
            while piece := os.read(output.fileno(), READ_BYTES):
                self._pass_on(piece)
        code = self._holder.wait()
        with contextlib.suppress(BrokenPipeError):
            self._holder.stdin.close()
        self._ended(code)

    def _pass_on(self, piece: bytes) -> None:
        """Trouble with the log must not hold the program up: it would wait for somebody to read what it writes."""
        try:
            self._written(piece)
        except Exception:
            log.exception("%d bytes of what process %d wrote are lost", len(piece), self.pid)
