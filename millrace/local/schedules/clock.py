"""Which schedule is due when, and the thread that fires them in time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from millrace.local.looking import Looking
from millrace.local.schedules.delivery import Firing
from millrace.local.schedules.expressions import At, parsed

CALLS_AT_ONCE = 64
log = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""Account, region, and `group/name`."""
Schedule = Mapping[str, Any]
"""MiniStack's record; a change replaces it by another one."""


@dataclass
class Due:
    """What is known of one schedule; a schedule that is changed has a new record."""

    record: Schedule
    next_at: float | None
    fired: int = 0
    outcome: str = ""


def next_of(record: Schedule, moment: float) -> float | None:
    """The first moment after this one at which the schedule is due; None when there is none, or it is switched off."""
    if record["State"] != "ENABLED":
        return None
    expression = parsed(record["ScheduleExpression"], record["ScheduleExpressionTimezone"])
    made, start, end = record["LastModificationDate"], record.get("StartDate"), record.get("EndDate")
    found = expression.after(moment, made=made, start=start)
    over = found is not None and end is not None and found > end and not isinstance(expression, At)
    return None if over else found


class Clock(Looking):
    """Fires the schedules that `schedules` gives, by key, each time that one is due.

    `completed` is told of one that will never be due again.
    """

    def __init__(
        self,
        schedules: Callable[[], Mapping[Key, Schedule]],
        deliver: Callable[[Firing], str],
        completed: Callable[[Key, Schedule], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("schedules", clock)
        self._schedules = schedules
        self._deliver = deliver
        self._completed = completed
        self._lock = threading.Lock()
        self._due: dict[Key, Due] = {}
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="schedule")

    def all(self) -> list[dict[str, Any]]:
        """`[{"name", "group", "nextAt", "fired", "outcome"}]`; `outcome` is OK or what went wrong the last time."""
        self.look()
        with self._lock:
            return [
                {
                    "name": due.record["Name"],
                    "group": due.record["GroupName"],
                    "nextAt": due.next_at,
                    "fired": due.fired,
                    "outcome": due.outcome,
                }
                for due in self._due.values()
            ]

    def fire(self, name: str, group: str) -> None:
        """Fire a schedule now, whether it is due, and enabled, or not. Raises ValueError where there is none."""
        self.look()
        with self._lock:
            found = [
                due for due in self._due.values() if (due.record["Name"], due.record["GroupName"]) == (name, group)
            ]
            if not found:
                names = ", ".join(sorted(due.record["Name"] for due in self._due.values())) or "none"
                raise ValueError(f"there is no schedule {name} in the group {group}; there is {names}")
            for due in found:
                self._submit(due, self._clock())

    def look(self) -> float | None:
        """Fire what is due; the moment at which the next one will be."""
        now, present = self._clock(), dict(self._schedules())
        with self._lock:
            for gone in self._due.keys() - present.keys():
                del self._due[gone]
            for key, record in present.items():
                due = self._due.get(key)
                if due is None:
                    due = self._due[key] = Due(record, next_of(record, now))
                elif due.record is not record:
                    due.record, due.next_at = record, next_of(record, now)
                if due.next_at is not None and due.next_at <= now:
                    self._submit(due, due.next_at)
                    due.next_at = next_of(record, now)
                    if due.next_at is None:
                        self._completed(key, record)
            return min((due.next_at for due in self._due.values() if due.next_at is not None), default=None)

    def _submit(self, due: Due, moment: float) -> None:
        due.fired += 1
        firing = Firing.of(due.record, moment)

        def deliver() -> None:
            try:
                due.outcome = self._deliver(firing)
            except Exception as error:
                log.exception("schedule %s was not fired", due.record["Name"])
                due.outcome = f"PROBLEM: {error!r}"

        self._threads.submit(deliver)
