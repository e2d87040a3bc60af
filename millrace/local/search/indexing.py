"""Doing the accepted work when its time has come."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from millrace.local.search.store import Status, Store, Work

AT_ONCE = 100
IDLE_SECONDS = 60.0
log = logging.getLogger(__name__)


class Workload(Protocol):
    """Times are epoch seconds."""

    def run_due(self, now: float) -> int:
        """Do some of the work that is due; how much was done."""

    def next_due(self) -> float | None:
        """When the next piece is due; None if there is none."""


class Worker(ABC):
    """Takes due work from a store's line. A service says how it prepares a document and what becomes of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run_due(self, now: float) -> int:
        """Do at most AT_ONCE pieces of work that are due, in order; how many were done."""
        due = self._store.due(now, AT_ONCE)
        prepared = self._prepared(due)
        with self._store.transaction():
            for work, outcome in zip(due, prepared, strict=True):
                self._store.settle(work, self._applied(work, outcome, now))
        return len(due)

    def next_due(self) -> float | None:
        return self._store.next_due()

    @abstractmethod
    def _prepared(self, due: Sequence[Work]) -> list[Any]:
        """What is to be applied for each: read and extracted outside of any transaction."""

    @abstractmethod
    def _applied(self, work: Work, prepared: Any, now: float) -> Status | None:
        """Index or remove the document; what is known of it afterwards."""


class Background:
    """Does a workload in a thread of its own, awake when something is due."""

    def __init__(self, workload: Workload, clock: Callable[[], float], name: str) -> None:
        self._workload = workload
        self._clock = clock
        self._accepted = threading.Event()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def wake(self) -> None:
        self._accepted.set()

    def _run(self) -> None:
        while True:
            try:
                self._accepted.clear()
                if self._workload.run_due(self._clock()):
                    continue
                due = self._workload.next_due()
                self._accepted.wait(IDLE_SECONDS if due is None else max(0.0, due - self._clock()))
            except Exception:
                log.exception("%s failed; it goes on in a second", threading.current_thread().name)
                self._accepted.wait(1)
