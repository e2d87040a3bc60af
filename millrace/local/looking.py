"""Something that sleeps until it is told of a change, or until what it found at its last look is due."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable


class Looking(ABC):
    """Looks in a thread of its own."""

    def __init__(self, name: str, clock: Callable[[], float] = time.time) -> None:
        self._name = name
        self._clock = clock
        self._woken = threading.Event()

    @abstractmethod
    def look(self) -> float | None:
        """Do what is to be done now; when to look again if nothing happens before."""

    def start(self) -> None:
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def wake(self) -> None:
        """Something has changed: look again."""
        self._woken.set()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            soonest = self.look()
            self._woken.wait(None if soonest is None else max(0.0, soonest - self._clock()))
