"""An execution's history, and the pens that write it.

Each attempt of an execution (the first one, and one more for each redrive) writes with a pen of its own. Once
the execution has ended, its pen writes no more: what a task does afterwards is not part of the history.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from typing import Any

from millrace.local.states.interpreter import EventHistoryContext

EVENT_LIMIT = 25_000
"""Events that one standard execution may have (Step Functions quotas)."""

Event = dict[str, Any]


class Trail(EventHistoryContext):
    """The line of events that one frame continues. An abandoned frame's events are dropped."""

    def __init__(self, previous_event_id: int = 0) -> None:
        super().__init__(previous_event_id)
        self.abandoned = False


class History:
    """All events of an execution, oldest first; `timestamp` is a datetime in UTC."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event_type: str, previous: int, details: Mapping[str, Any] | None = None) -> int:
        """Add an event and return its id, which counts from 1."""
        with self._lock:
            number = len(self._events) + 1
            self._events.append(
                {
                    "timestamp": dt.datetime.now(dt.UTC),
                    "type": event_type,
                    "id": number,
                    "previousEventId": previous,
                    **_without_nulls(details or {}),
                }
            )
            return number

    def part(self, start: int, count: int, *, newest_first: bool = False, until: int | None = None) -> list[Event]:
        """`count` events from position `start` on, of the first `until` events, in the order that was asked for."""
        until = len(self._events) if until is None else until
        if newest_first:
            return self._events[max(0, until - start - count) : max(0, until - start)][::-1]
        return self._events[start : min(start + count, until)]


def _without_nulls(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in part.items() if value is not None} if isinstance(part, dict) else part
        for name, part in details.items()
        if part is not None
    }


class Pen:
    """Writes one attempt's events. Stands where the interpreter expects its event manager.

    `on_full` is called instead of writing the event for which only the last place is left. `on_event` hears the type of
    each event that was written, but not of the attempt's first and last one.
    """

    def __init__(self, history: History, on_full: Callable[[], None]) -> None:
        self.on_event: Callable[[str], None] = lambda _: None
        self._history = history
        self._on_full = on_full
        self._lock = threading.Lock()
        self._closed = False

    def add_event(
        self,
        context: Trail,
        event_type: str,
        event_details: Mapping[str, Any] | None = None,
        timestamp: dt.datetime | None = None,
        update_source_event_id: bool = True,
    ) -> int:
        """The interpreter's way to record an event. Returns the event's id, or the last one when nothing is written."""
        with self._lock:
            if self._closed or context.abandoned:
                return context.last_published_event_id
            full = len(self._history) >= EVENT_LIMIT - 1
            kind: str = getattr(event_type, "value", event_type)
            if not full:
                number = self._history.append(kind, context.source_event_id, event_details)
        if full:
            self._on_full()
            return context.last_published_event_id
        context.last_published_event_id = number
        if update_source_event_id:
            context.source_event_id = number
        self.on_event(kind)
        return number

    def close(self, event_type: str, previous: int, details: Mapping[str, Any] | None = None) -> None:
        """Write the attempt's last event, and none after it."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._history.append(event_type, previous, details)
