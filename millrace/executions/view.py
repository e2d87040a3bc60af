"""What an execution's history says, as a view: each visit to a state, its status, times, errors, iterations.

`view_of` is a pure function of the history's events, as GetExecutionHistory returns them (oldest first). The
console and a page in a browser draw the same view.

An event says only its predecessor, so the reading follows `previousEventId` to know which visit it belongs
to: inside a Map many iterations interleave, and names alone would mix them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Event = Mapping[str, Any]


class Status(StrEnum):
    """A visit's or an execution's. CAUGHT: the state failed, and a Catch took the execution on."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    CAUGHT = "CAUGHT"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"


@dataclass
class MapProgress:
    """A Map's iterations; `total` is known from its start on."""

    total: int
    started: int = 0
    succeeded: int = 0
    failed: int = 0
    aborted: int = 0

    @property
    def running(self) -> int:
        """Started and not ended."""
        return self.started - self.succeeded - self.failed - self.aborted


@dataclass(frozen=True)
class Requests:
    """A job's requests in the queues: how many there are, and of how many the outcome is known."""

    done: int
    expected: int


@dataclass(frozen=True)
class Iteration:
    """Where a nested visit happened: in which Map (or Parallel) visit, and in which of its iterations."""

    visit: int
    index: int | None


@dataclass
class Visit:
    """One passage through a state. `number` is its StateEntered event's id; `retries` counts new attempts.

    `requests` is no part of the history: `counting` adds it where the state waits for queues.
    """

    number: int
    name: str
    kind: str
    entered: datetime
    input: str
    inside: Iteration | None = None
    exited: datetime | None = None
    output: str | None = None
    status: Status = Status.RUNNING
    retries: int = 0
    error: str | None = None
    cause: str | None = None
    map: MapProgress | None = None
    requests: Requests | None = None

    def seconds(self, now: datetime) -> float:
        return ((self.exited or now) - self.entered).total_seconds()


@dataclass(frozen=True)
class Step:
    """A state of the top level with all its visits: a loop's turns are one step."""

    visits: tuple[Visit, ...]

    @property
    def name(self) -> str:
        return self.visits[0].name

    @property
    def kind(self) -> str:
        return self.visits[0].kind

    @property
    def last(self) -> Visit:
        return self.visits[-1]

    @property
    def retries(self) -> int:
        return sum(visit.retries for visit in self.visits)

    def seconds(self, now: datetime) -> float:
        """Time spent in the state, without the time between its turns."""
        return sum(visit.seconds(now) for visit in self.visits)


@dataclass
class RunView:
    status: Status = Status.RUNNING
    started: datetime | None = None
    ended: datetime | None = None
    input: str | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    redrives: int = 0
    visits: list[Visit] = field(default_factory=list)

    def seconds(self, now: datetime) -> float:
        return ((self.ended or now) - self.started).total_seconds() if self.started else 0.0

    def steps(self) -> list[Step]:
        """The top level's states in the order of their first visit."""
        turns: dict[str, list[Visit]] = {}
        for visit in self.visits:
            if visit.inside is None:
                turns.setdefault(visit.name, []).append(visit)
        return [Step(tuple(visits)) for visits in turns.values()]


def view_of(events: Iterable[Event]) -> RunView:
    """Fold a history, or the part of it that there is so far, into its view."""
    reading = _Reading()
    for event in events:
        reading.read(event)
    return reading.view


_ENDINGS = {
    "ExecutionSucceeded": Status.SUCCEEDED,
    "ExecutionFailed": Status.FAILED,
    "ExecutionTimedOut": Status.TIMED_OUT,
    "ExecutionAborted": Status.ABORTED,
}
_CONTAINER_ENDINGS = {
    "MapStateFailed": ("Map", Status.FAILED),
    "MapStateAborted": ("Map", Status.ABORTED),
    "ParallelStateFailed": ("Parallel", Status.FAILED),
    "ParallelStateAborted": ("Parallel", Status.ABORTED),
}
_ATTEMPT_BEGINS = frozenset({"TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled"})
_ITERATION_COUNTER = {
    "MapIterationSucceeded": "succeeded",
    "MapIterationFailed": "failed",
    "MapIterationAborted": "aborted",
}


_UNFINISHED = (Status.FAILED, Status.TIMED_OUT, Status.ABORTED)


@dataclass(frozen=True)
class _Place:
    """Where the reading stands after an event: in an open visit, or between two visits of a container."""

    visit: Visit | None = None
    inside: Iteration | None = None


class _Reading:
    def __init__(self) -> None:
        self.view = RunView()
        self._visits: dict[int, Visit] = {}
        self._places: dict[int, _Place] = {}
        self._scheduled: set[int] = set()
        self._last_in: dict[Iteration, Visit] = {}
        self._beginning = _Place()

    def read(self, event: Event) -> None:
        place = self._places.get(event.get("previousEventId", 0), self._beginning)
        self._places[event["id"]] = self._next_place(event, place)

    def _next_place(self, event: Event, place: _Place) -> _Place:
        kind: str = event["type"]
        if kind.startswith("Execution"):
            return self._execution(event, place)
        if kind.endswith("StateEntered"):
            return self._enter(event, place)
        if kind.endswith("StateExited"):
            return self._leave(event, place)
        if kind.startswith("MapIteration"):
            return self._iteration(event, place)
        if kind in _CONTAINER_ENDINGS:
            return self._container_ended(event, place)
        if place.visit is not None:
            self._inside_a_visit(event, place.visit)
        return place

    def _execution(self, event: Event, place: _Place) -> _Place:
        view, kind = self.view, event["type"]
        details = _details(event)
        if kind == "ExecutionStarted":
            view.started, view.input = event["timestamp"], details.get("input")
        elif kind == "ExecutionRedriven":
            view.status, view.ended, view.error, view.cause = Status.RUNNING, None, None, None
            view.redrives += 1
            self._beginning = self._reopen_what_stopped()
            return self._beginning
        elif kind in _ENDINGS:
            view.status, view.ended = _ENDINGS[kind], event["timestamp"]
            view.output = details.get("output")
            view.error, view.cause = details.get("error"), details.get("cause")
            self._close_what_is_open(event, place.visit)
        return place

    def _reopen_what_stopped(self) -> _Place:
        """A redrive goes on with the visit that ended the execution; its state is not entered again."""
        for visit in reversed(self.view.visits):
            if visit.inside is None and visit.status in _UNFINISHED:
                return self._reopened(visit)
        return _Place()

    def _reopened(self, visit: Visit) -> _Place:
        """Its next attempt is the redrive's, and no retry."""
        self._scheduled.discard(visit.number)
        visit.status, visit.exited, visit.error, visit.cause = Status.RUNNING, None, None, None
        return _Place(visit, visit.inside)

    def _close_what_is_open(self, event: Event, culprit: Visit | None) -> None:
        for visit in self.view.visits:
            if visit.status is not Status.RUNNING:
                continue
            ended_it = visit is culprit and self.view.status is not Status.SUCCEEDED
            visit.status = self.view.status if ended_it or visit.kind == "Succeed" else Status.ABORTED
            visit.exited = event["timestamp"]
            if visit.map:
                visit.map.aborted += visit.map.running
            if ended_it:
                visit.error, visit.cause = visit.error or self.view.error, visit.cause or self.view.cause

    def _enter(self, event: Event, place: _Place) -> _Place:
        details = _details(event)
        inside = place.inside
        if place.visit is not None and place.visit.kind == "Parallel":
            inside = Iteration(place.visit.number, None)
        visit = Visit(
            number=event["id"],
            name=details["name"],
            kind=event["type"].removesuffix("StateEntered"),
            entered=event["timestamp"],
            input=details.get("input", ""),
            inside=inside,
        )
        self._visits[visit.number] = visit
        self.view.visits.append(visit)
        if visit.inside is not None:
            self._last_in[visit.inside] = visit
        return _Place(visit, visit.inside)

    def _leave(self, event: Event, place: _Place) -> _Place:
        visit = self._around(place, name=_details(event)["name"])
        if visit is None:
            return place
        visit.status = Status.CAUGHT if visit.error else Status.SUCCEEDED
        visit.exited, visit.output = event["timestamp"], _details(event).get("output")
        return _Place(None, visit.inside)

    def _iteration(self, event: Event, place: _Place) -> _Place:
        details = _details(event)
        container = self._around(place, name=details["name"], kind="Map")
        if container is None or container.map is None:
            return place
        if event["type"] == "MapIterationStarted":
            container.map.started += 1
            iteration = Iteration(container.number, details["index"])
            last = self._last_in.get(iteration)
            return self._reopened(last) if last and last.status in _UNFINISHED else _Place(None, iteration)
        if place.visit is not None and place.visit is not container and place.visit.status is Status.RUNNING:
            place.visit.exited = event["timestamp"]
            place.visit.status = Status.FAILED if event["type"] == "MapIterationFailed" else Status.ABORTED
        counter = _ITERATION_COUNTER[event["type"]]
        setattr(container.map, counter, getattr(container.map, counter) + 1)
        return _Place(container, container.inside)

    def _container_ended(self, event: Event, place: _Place) -> _Place:
        kind, status = _CONTAINER_ENDINGS[event["type"]]
        container = self._around(place, kind=kind)
        if container is None:
            return place
        container.status, container.exited = status, event["timestamp"]
        container.error, container.cause = _failure(event)
        return _Place(container, container.inside)

    def _around(self, place: _Place, *, name: str | None = None, kind: str | None = None) -> Visit | None:
        """The innermost visit around a place that has this name and this kind, its own visit included."""
        visit, inside = place.visit, place.inside
        while visit is None or name not in (None, visit.name) or kind not in (None, visit.kind):
            if inside is None:
                return None
            visit = self._visits[inside.visit]
            inside = visit.inside
        return visit

    def _inside_a_visit(self, event: Event, visit: Visit) -> None:
        kind, details = event["type"], _details(event)
        if kind == "MapStateStarted":
            done = visit.map.succeeded if visit.map else 0  # a redrive starts the others again
            visit.map = MapProgress(total=details.get("length", 0), started=done, succeeded=done)
        elif kind in _ATTEMPT_BEGINS:
            visit.retries += visit.number in self._scheduled
            self._scheduled.add(visit.number)
            visit.error, visit.cause = None, None
        elif kind.endswith("StateAborted"):
            visit.status, visit.exited = Status.ABORTED, event["timestamp"]
        elif kind.endswith(("Failed", "FailedToSchedule", "TimedOut")):
            visit.error, visit.cause = _failure(event)


def _failure(event: Event) -> tuple[str, str | None]:
    """The error's name and cause; an event that names no error is named by its type."""
    details = _details(event)
    unnamed = "States.Timeout" if event["type"].endswith("TimedOut") else event["type"]
    return details.get("error") or unnamed, details.get("cause")


def _details(event: Event) -> Mapping[str, Any]:
    """The one `...EventDetails` member that an event may carry."""
    return next((value for key, value in event.items() if key.endswith("EventDetails")), {})
