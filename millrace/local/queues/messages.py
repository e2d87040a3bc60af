"""The messages of one queue: what is delivered next, and until when it stays invisible.

What keeps its order is a lane: a message group of a FIFO queue, and in a standard queue each message for itself. While
messages of a lane are in flight nothing else of it is delivered; several may be delivered together.
"""

from __future__ import annotations

import heapq
import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

Message = dict[str, Any]

HANDLE_PREFIX = "AQEB"
RECORD_BYTES = 1024
"""What a message as it is handed to a function or target holds beside its body and its attributes, at most."""
RECEIVED_TOO_OFTEN = 3
"""Receptions after which a standard queue no longer takes a message for its oldest (SQS developer guide, "Available
CloudWatch metrics")."""


class HandleExpired(Exception):
    """The message has become visible again: somebody else may have it by now."""


class NotInFlight(Exception):
    """Nobody has the message that the handle was given for, or it is deleted."""


@dataclass(frozen=True)
class Counts:
    visible: int
    in_flight: int
    delayed: int


@dataclass
class Taken:
    """`dead` are those that had been received too often: they have left the queue."""

    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)


class _State(Enum):
    DELAYED = auto()
    VISIBLE = auto()
    IN_FLIGHT = auto()
    GONE = auto()


@dataclass(eq=False)
class _Entry:
    number: int
    message: Message
    lane: _Lane
    size: int
    state: _State = _State.DELAYED

    def __lt__(self, other: _Entry) -> bool:
        return self.number < other.number


@dataclass(eq=False)
class _Lane:
    key: Any
    waiting: list[_Entry] = field(default_factory=list)
    in_flight: int = 0
    alive: int = 0

    def first(self) -> _Entry | None:
        """The lane's oldest visible message."""
        while self.waiting and self.waiting[0].state is not _State.VISIBLE:
            heapq.heappop(self.waiting)
        return self.waiting[0] if self.waiting else None


class Messages:
    """Stands where MiniStack keeps a list, to which its other services append. Safe to use from any thread.

    A message is MiniStack's dictionary; of it `visible_at`, `receive_count`, `first_receive_at` and `receipt_handle`
    are written here. Times are seconds since the epoch. `changed` is called whenever a message may be deliverable
    earlier than was known; `complete` fills in what a message lacks that another service has appended.
    """

    def __init__(
        self,
        lock: AbstractContextManager[Any],
        *,
        fifo: bool,
        complete: Callable[[Message], None],
        changed: Callable[[], None],
    ) -> None:
        self._lock = lock
        self._fifo = fifo
        self._complete = complete
        self._changed = changed
        self._numbers = itertools.count()
        self._entries: dict[int, _Entry] = {}
        self._lanes: dict[Any, _Lane] = {}
        self._free: list[_Entry] = []
        self._hidden: list[tuple[float, _Entry]] = []
        self._handed_out: dict[str, _Entry] = {}
        self._visible = 0
        self._visible_bytes = 0
        self._in_flight = 0

    def append(self, message: Message) -> None:
        self._complete(message)
        size = size_of(message)
        with self._lock:
            number = next(self._numbers)
            key = message["group_id"] if self._fifo else number
            lane = self._lanes.setdefault(key, _Lane(key))
            lane.alive += 1
            entry = self._entries[number] = _Entry(number, message, lane, size)
            heapq.heappush(self._hidden, (message["visible_at"], entry))
        self._changed()

    def take(
        self,
        most: int,
        now: float,
        visibility: float,
        *,
        most_received: int | None = None,
        most_bytes: int | None = None,
    ) -> Taken:
        """The next messages, now in flight for so many seconds; the first one is taken whatever its size."""
        taken = Taken()
        size = 0
        with self._lock:
            self._settle(now)
            for entry in self._deliverable():
                size += entry.size
                too_large = most_bytes is not None and size > most_bytes and taken.messages
                if len(taken.messages) == most or too_large:
                    self._offer(entry.lane)
                    break
                if most_received is not None and entry.message["receive_count"] >= most_received:
                    self._forget(entry)
                    taken.dead.append(entry.message)
                else:
                    self._hand_out(entry, now, visibility)
                    taken.messages.append(entry.message)
        return taken

    def delete(self, handle: str, now: float) -> bool:
        """Whether a message was deleted: not if it is gone or was handed out again. Raises HandleExpired (FIFO)."""
        with self._lock:
            self._settle(now)
            entry = self._handed_out.get(handle)
            if entry is None:
                return False
            if self._fifo and entry.state is not _State.IN_FLIGHT:
                raise HandleExpired
            self._forget(entry)
        self._changed()
        return True

    def change_visibility(self, handle: str, now: float, seconds: float) -> None:
        """The message becomes visible so many seconds from now. Raises NotInFlight."""
        with self._lock:
            self._settle(now)
            entry = self._handed_out.get(handle)
            if entry is None or entry.state is not _State.IN_FLIGHT:
                raise NotInFlight
            self._hide(entry, now + seconds)
        self._changed()

    def forget_older(self, moment: float) -> None:
        """Drop what came into the queue at that moment or before."""
        with self._lock:
            for entry in list(self._entries.values()):
                came = float(entry.message.get("enqueued_at") or entry.message["sent_at"])
                if came <= moment:
                    self._forget(entry)

    def ready(self, now: float) -> bool:
        """Whether `take` would find a message."""
        with self._lock:
            self._settle(now)
            entry = next(self._deliverable(), None)
            if entry is not None:
                self._offer(entry.lane)
            return entry is not None

    def fills(self, most: int, most_bytes: int, now: float) -> bool:
        """Whether the visible messages fill a batch of that many messages or bytes."""
        with self._lock:
            self._settle(now)
            return self._visible >= most or self._visible_bytes >= most_bytes

    def next_change(self, now: float) -> float | None:
        """When the next message becomes visible that is not so now, if nothing happens before."""
        with self._lock:
            self._settle(now)
            while self._hidden and not self._is_due(*self._hidden[0]):
                heapq.heappop(self._hidden)
            return self._hidden[0][0] if self._hidden else None

    def counts(self, now: float) -> Counts:
        with self._lock:
            self._settle(now)
            return Counts(self._visible, self._in_flight, len(self._entries) - self._visible - self._in_flight)

    def oldest(self) -> float | None:
        """When the oldest message came into this queue; a dead letter has come when it was moved."""
        with self._lock:
            messages = [entry.message for entry in self._entries.values()]
        counted = [message for message in messages if self._fifo or _received_here(message) < RECEIVED_TOO_OFTEN]
        return min((float(message.get("moved_at") or message["sent_at"]) for message in counted), default=None)

    def clear(self) -> None:
        with self._lock:
            for entry in list(self._entries.values()):
                self._forget(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Message]:
        with self._lock:
            return iter([entry.message for entry in self._entries.values()])

    def __getitem__(self, position: int) -> Message:
        return list(self)[position]

    def _settle(self, now: float) -> None:
        """Make visible what has become so by now."""
        while self._hidden and self._hidden[0][0] <= now:
            moment, entry = heapq.heappop(self._hidden)
            if not self._is_due(moment, entry):
                continue
            if entry.state is _State.IN_FLIGHT:
                entry.lane.in_flight -= 1
                self._in_flight -= 1
            entry.state = _State.VISIBLE
            self._visible += 1
            self._visible_bytes += entry.size
            heapq.heappush(entry.lane.waiting, entry)
            self._offer(entry.lane)

    @staticmethod
    def _is_due(moment: float, entry: _Entry) -> bool:
        """Whether that is still the moment at which the message becomes visible."""
        return entry.state in (_State.DELAYED, _State.IN_FLIGHT) and entry.message["visible_at"] == moment

    def _deliverable(self) -> Iterator[_Entry]:
        """What may be delivered, oldest lane first. Who leaves an entry where it is offers its lane again."""
        while self._free:
            first = heapq.heappop(self._free)
            if first.lane.in_flight or first.lane.first() is not first:
                continue
            while (entry := first.lane.first()) is not None:
                yield entry

    def _offer(self, lane: _Lane) -> None:
        first = lane.first()
        if first is not None and not lane.in_flight:
            heapq.heappush(self._free, first)

    def _hand_out(self, entry: _Entry, now: float, visibility: float) -> None:
        message = entry.message
        self._handed_out.pop(message["receipt_handle"], None)
        message["receipt_handle"] = HANDLE_PREFIX + secrets.token_urlsafe(48)
        message["receive_count"] += 1
        message["first_receive_at"] = message["first_receive_at"] or now
        self._handed_out[message["receipt_handle"]] = entry
        entry.state = _State.IN_FLIGHT
        entry.lane.in_flight += 1
        self._visible -= 1
        self._visible_bytes -= entry.size
        self._in_flight += 1
        self._hide(entry, now + visibility)

    def _hide(self, entry: _Entry, until: float) -> None:
        entry.message["visible_at"] = until
        heapq.heappush(self._hidden, (until, entry))

    def _forget(self, entry: _Entry) -> None:
        if entry.state is _State.IN_FLIGHT:
            entry.lane.in_flight -= 1
            self._in_flight -= 1
        elif entry.state is _State.VISIBLE:
            self._visible -= 1
            self._visible_bytes -= entry.size
        entry.state = _State.GONE
        del self._entries[entry.number]
        self._handed_out.pop(entry.message["receipt_handle"], None)
        entry.lane.alive -= 1
        if entry.lane.alive:
            self._offer(entry.lane)
        else:
            del self._lanes[entry.lane.key]


def _received_here(message: Message) -> int:
    return int(message["receive_count"]) - int(message.get("received_elsewhere", 0))


def size_of(message: Message) -> int:
    """Bytes of a message in the JSON of a batch, at most."""
    return len(json.dumps([message["body"], message.get("message_attributes")])) + RECORD_BYTES
