from __future__ import annotations

import threading
from typing import Any

import pytest

from millrace.local.schedules.clock import Clock
from millrace.local.schedules.delivery import Firing


class Ticking:
    """Schedules and a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.records: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.fired: list[tuple[str, float]] = []
        self.completed: list[str] = []
        self.delivered = threading.Semaphore(0)
        self.clock = Clock(lambda: self.records, self._deliver, self._complete, lambda: self.now)

    def _deliver(self, firing: Firing) -> str:
        self.fired.append((firing.schedule["Name"], firing.due))
        self.delivered.release()
        return "OK"

    def _complete(self, _key: Any, record: Any) -> None:
        self.completed.append(record["Name"])

    def put(self, name: str, expression: str, **more: Any) -> None:
        self.records["1", "r", f"default/{name}"] = {
            "Name": name,
            "GroupName": "default",
            "Arn": f"arn:aws:scheduler:r:1:schedule/default/{name}",
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": "UTC",
            "State": "ENABLED",
            "LastModificationDate": self.now,
            **more,
        }

    def at(self, now: float, *, firings: int = 0) -> float | None:
        """Look at that time, and wait for so many firings."""
        self.now = now
        soonest = self.clock.look()
        for _ in range(firings):
            assert self.delivered.acquire(timeout=5)
        return soonest


def test_a_schedule_is_fired_when_it_is_due_and_the_clock_sleeps_until_then():
    ticking = Ticking()
    ticking.put("s", "rate(1 minute)")
    assert ticking.at(1000) == 1060
    assert ticking.at(1059.9) == 1060
    assert ticking.fired == []
    assert ticking.at(1060.1, firings=1) == 1120
    assert ticking.at(1100) == 1120
    assert ticking.fired == [("s", 1060)]


def test_what_was_missed_is_fired_once():
    ticking = Ticking()
    ticking.put("s", "rate(1 minute)")
    ticking.at(1000)
    assert ticking.at(1000 + 605, firings=1) == 1660
    assert len(ticking.fired) == 1


def test_a_changed_schedule_is_counted_anew_and_a_deleted_one_is_forgotten():
    ticking = Ticking()
    ticking.put("s", "rate(1 minute)")
    ticking.at(1000)
    ticking.now = 1030
    ticking.put("s", "rate(2 minutes)")
    assert ticking.at(1030) == 1150
    ticking.records.clear()
    assert ticking.at(2000) is None
    assert ticking.fired == []


def test_a_disabled_schedule_and_one_past_its_end_are_not_due():
    ticking = Ticking()
    ticking.put("off", "rate(1 minute)", State="DISABLED")
    ticking.put("over", "rate(1 minute)", EndDate=1100)
    assert ticking.at(1000) == 1060
    assert ticking.at(1061, firings=1) is None
    assert ticking.at(5000) is None
    assert ticking.fired == [("over", 1060)]
    assert ticking.completed == ["over"]


def test_any_schedule_can_be_fired_by_hand():
    ticking = Ticking()
    ticking.put("off", "rate(1 day)", State="DISABLED")
    ticking.clock.fire("off", "default")
    assert ticking.delivered.acquire(timeout=5)
    assert ticking.fired == [("off", 1000)]
    with pytest.raises(ValueError, match="there is off"):
        ticking.clock.fire("on", "default")
