"""How far an execution has come, so that a redrive continues where it failed.

A `Place` is where one program stands: the execution itself, a branch of a Parallel state or an iteration of a
Map state. While a Parallel or Map state runs, its `parts` say which branches or iterations are done, and
where the others stand.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """A branch or iteration that succeeded."""

    output: Any


class Place:
    """Where a program stands: at which state, with which input and variables, and whether it has entered that state."""

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self.state: str | None = None
        self.input: Any = None
        self.variables: dict[str, Any] = {}
        self.entered = False
        self.parts: dict[int, Place | Done] = {}
        self._lock = lock or threading.RLock()

    @property
    def begun(self) -> bool:
        return self.state is not None

    def at(self, state: str, given: Any, variables: dict[str, Any], *, entered: bool) -> None:
        with self._lock:
            self.state, self.input, self.variables, self.entered = state, given, dict(variables), entered
            self.parts = {}

    def forget_parts(self) -> None:
        """The state starts over: nothing of its branches or iterations is kept."""
        with self._lock:
            self.parts = {}

    def part(self, number: int) -> Place | Done:
        """A branch or iteration; a new one stands nowhere yet."""
        with self._lock:
            return self.parts.setdefault(number, Place(self._lock))

    def finish_part(self, number: int, output: Any) -> None:
        with self._lock:
            self.parts[number] = Done(output)

    def copy(self) -> Place:
        """The same place for another attempt: what threads of the former one still do does not reach it."""
        with self._lock:
            return self._copy(threading.RLock())

    def _copy(self, lock: threading.RLock) -> Place:
        place = Place(lock)
        place.state, place.entered = self.state, self.entered
        place.input, place.variables = copy.deepcopy(self.input), copy.deepcopy(self.variables)
        place.parts = {
            number: part if isinstance(part, Done) else part._copy(lock) for number, part in self.parts.items()
        }
        return place
