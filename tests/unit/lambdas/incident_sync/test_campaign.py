"""A run that meets every trouble at each of its calls to AWS, while the application changes incidents and the stream
tells of it late, twice or at once. Later runs do what waits; then the law of docs/incident_sync.md must hold:

1. nothing is marked that was not written, and the incident still says it at that moment;
2. nothing is lost: in the end objects, marks and the knowledge base say what the incidents say;
3. searchable is what a job has read that began after the write;
4. a run counts what it did, and nothing twice.

A copy of the functions that leaves one of its precautions out must be caught by the same campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from functools import partial
from itertools import islice, product
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from incident_sync import batch_sync, confirm
from incident_sync.batch_sync import Pass
from incident_sync.confirm import Confirmation
from incident_sync.documents import document, object_key
from incident_sync.errors import PassBusy
from incident_sync.fields import KEY, STATUS, Fields
from incident_sync.incidents import Item
from incident_sync.items import INGESTION, Entry
from incident_sync.marks import Marks
from incident_sync.memory import Lease, Memory
from incident_sync.outcomes import Outcome
from incident_sync.telemetry import logger
from tests.conftest import Tell
from tests.fakes.crash import Crash
from tests.fakes.incidents import BUCKET, PREFIX, Broken, Workflow, closed, unguarded
from tests.fakes.s3 import client_error
from tests.fakes.silence import silenced

NEW, SECOND, REOPENED, DELETED, INVALID, REFUSED = "INC-NEW", "INC-2", "INC-OPEN", "INC-GONE", "INC-BAD", "INC-FAILS"
NO_FIELDS = Fields((), (), ())
ONE_PAIR_IN, ONE_OF_TWO_IN = 11, 29
"""Of all pairs of an event and a trouble, and of all two troubles, every so many-th; the soak run meets all of them."""

REFUSED_URI = f"s3://{BUCKET}/{PREFIX}{REFUSED}.json.md"


class Trouble(Enum):
    """What happens to one call. Where the invocation dies, the machine calls again."""

    NONE = "none"
    DIES_BEFORE = "dies before it"
    DIES_AFTER = "dies after it"
    THROTTLED = "throttled"
    UNANSWERED = "takes effect, unanswered"
    LATE = "takes effect much later, unanswered"


TROUBLES = tuple(Trouble)[1:]
LATE_SECONDS = 30
"""Longer than the machine waits before it tries again, and shorter than a lease."""


def another_pass(workflow: Workflow) -> None:
    """Another run asks for a pass, once, and does not live to ask for a job."""
    name = f"another-{len(workflow.answers)}"
    workflow.clock.now += 0.01
    try:
        workflow.told(name, "sync", workflow.one_pass(name, 1, workflow.now()))
    except PassBusy:
        return


def told(event: Callable[[Workflow], None]) -> Callable[[Workflow], None]:
    """The event, and the stream tells of it at once."""

    def happen(workflow: Workflow) -> None:
        event(workflow)
        workflow.deliver()

    return happen


def edited(workflow: Workflow) -> None:
    workflow.change(NEW, title={"S": f"Edited after {len(workflow.calls)} calls"})


def edited_and_passed(workflow: Workflow) -> None:
    told(edited)(workflow)
    another_pass(workflow)


def unmarked(workflow: Workflow) -> None:
    """The application writes the whole incident again, without Millrace's mark."""
    workflow.put(closed(NEW, "Written anew"))


EVENTS: dict[str, Callable[[Workflow], None]] = {
    "nothing": lambda _: None,
    "edited": edited,
    "edited and told": told(edited),
    "reopened": lambda workflow: workflow.reopen(NEW),
    "reopened and told": told(lambda workflow: workflow.reopen(NEW)),
    "deleted": lambda workflow: workflow.delete(NEW),
    "deleted and told": told(lambda workflow: workflow.delete(NEW)),
    "written anew": unmarked,
    "closed again and told": told(lambda workflow: workflow.change(REOPENED, status={"S": "CLOSED"})),
    "put again": lambda workflow: workflow.put(closed(DELETED, "Back")),
    "mended and told": told(lambda workflow: workflow.change(INVALID, title={"S": "Mended"})),
    "told twice": lambda workflow: workflow.deliver(again=8),
    "another pass": another_pass,
    "edited, told and passed": edited_and_passed,
}


class Point(NamedTuple):
    """At this call of the run (from 1) this event happens first, and then this trouble."""

    call: int
    trouble: Trouble = Trouble.NONE
    event: str = "nothing"


NOWHERE = Point(0)


class Guard:
    """Lets a workflow's calls meet points."""

    def __init__(self, workflow: Workflow, points: Iterable[Point]) -> None:
        self._workflow = workflow
        self._points = {point.call: point for point in points}
        self._late: list[tuple[float, Callable[[], Any]]] = []
        self.calls = 0

    def __call__(self, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        self.land()
        self.calls += 1
        point = self._points.get(self.calls, NOWHERE)
        self._workflow.guard = unguarded
        EVENTS[point.event](self._workflow)
        self._workflow.guard = self
        return self._meet(point.trouble, partial(function, **arguments))

    def _meet(self, trouble: Trouble, call: Callable[[], Any]) -> Any:
        match trouble:
            case Trouble.DIES_BEFORE:
                raise Crash
            case Trouble.THROTTLED:
                raise client_error("AnyOperation", "ThrottlingException", "slow down")
            case Trouble.LATE:
                self._late.append((self._workflow.clock.now + LATE_SECONDS, call))
                raise ReadTimeoutError(endpoint_url="https://localhost")
        reply = call()
        match trouble:
            case Trouble.DIES_AFTER:
                raise Crash
            case Trouble.UNANSWERED:
                raise ReadTimeoutError(endpoint_url="https://localhost")
        return reply

    def land(self) -> None:
        """Let what is late take effect, if it still can."""
        while self._late and self._late[0][0] <= self._workflow.clock.now:
            with suppress(ClientError):
                self._late.pop(0)[1]()


def beginning(kind: type[Workflow] = Workflow) -> Workflow:
    """Four incidents that were brought in, two of which must leave; two new ones, one that cannot be written, and one
    whose document fails in its next job."""
    workflow = kind()
    workflow.dynamodb.hurried = True
    for incident_id in (REOPENED, DELETED, REFUSED):
        workflow.put(closed(incident_id))
    workflow.settle()
    workflow.reopen(REOPENED)
    workflow.delete(DELETED)
    workflow.change(REFUSED, title={"S": "Changed"})
    for incident_id in (NEW, SECOND):
        workflow.put(closed(incident_id))
    workflow.put(closed(INVALID, title=" "))
    workflow.deliver()
    workflow.bedrock.failing[REFUSED_URI] = ("FAILED", "Bedrock's reason")
    workflow.clock.now += 3600
    return workflow


def meet(begun: Workflow, *points: Point, lag: int = 0) -> int:
    """Run from the beginning to quiet, and raise Broken where the law does not hold. Returns the run's calls."""
    workflow = begun.twin()
    workflow.dynamodb.lag = lag
    workflow.guard = guard = Guard(workflow, points)
    try:
        workflow.run("run")
        calls = guard.calls
        workflow.settle()
        guard.land()
        # What another run has worked again cannot be counted any more by the try after a death.
        workflow.check(exactly=not any("pass" in point.event for point in points))
    except Broken as broken:
        raise Broken(f"{points}: {broken}") from broken
    return calls


@pytest.fixture(autouse=True)
def small_and_quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A run has two passes, and several pages to confirm."""
    monkeypatch.setattr(batch_sync, "PASS_MAX", 4)
    monkeypatch.setattr(confirm, "PAGE_MAX", 2)
    with silenced(logger):
        yield


def points(calls: int) -> Iterator[Point]:
    """Each trouble alone and each event alone, at each call."""
    for call in range(1, calls + 1):
        yield from (Point(call, trouble) for trouble in TROUBLES)
        yield from (Point(call, event=event) for event in EVENTS if event != "nothing")


def pairs(calls: int) -> Iterator[Point]:
    """Each trouble with each event, at each call."""
    for call, trouble, event in product(range(1, calls + 1), TROUBLES, EVENTS):
        if event != "nothing":
            yield Point(call, trouble, event)


def test_the_law_holds_whatever_happens_at_any_call(tell: Tell) -> None:
    begun = beginning()
    calls = meet(begun, NOWHERE)
    met = [meet(begun, point) for point in points(calls)]
    met += [meet(begun, point) for point in islice(pairs(calls), 0, None, ONE_PAIR_IN)]
    met += [meet(begun, *two) for two in islice(twice(calls), 0, None, ONE_OF_TWO_IN)]
    tell(f"{len(met)} runs, of {calls} calls where nothing happens")
    assert calls > 30
    assert len(met) > 700


def twice(calls: int) -> Iterator[tuple[Point, Point]]:
    """Each trouble at each call, and each trouble again a few calls later: what is tried again meets it, too."""
    for call, first, second, later in product(range(1, calls + 1), TROUBLES, TROUBLES, range(1, 8)):
        yield Point(call, first), Point(call + later, second)


@pytest.mark.soak
def test_the_law_holds_whatever_happens_together_at_any_call(tell: Tell) -> None:
    begun = beginning()
    calls = meet(begun, NOWHERE)
    met = [meet(begun, point, lag=lag) for lag in (0, 1, 4) for point in pairs(calls)]
    met += [meet(begun, *two) for two in twice(calls)]
    tell(f"{len(met)} runs")


@pytest.mark.parametrize("lag", [1, 4])
def test_the_law_holds_while_the_index_is_behind_its_table(lag: int) -> None:
    begun = beginning()
    for call in range(1, meet(begun, NOWHERE) + 1):
        meet(begun, Point(call, Trouble.DIES_AFTER), lag=lag)
        meet(begun, Point(call, event="edited, told and passed"), lag=lag)


# Wrong copies: each leaves one precaution out.


class MarksFirst(Pass):
    def _write(self, entry: Entry, incident: Item) -> Outcome:
        means = self._means
        key = object_key(PREFIX, entry.incident_id)
        marks = means.marks.written(entry, incident, means.fields, work=self._work, at=self._now(), key=key)
        means.tables.write(marks)
        means.bucket.put(document(incident, means.fields))
        return Outcome.SYNCED


class GivesDoubtfulLeasesBack(Pass):
    def _give_back(self, lease: Lease) -> None:
        self._means.bucket.in_doubt = False
        super()._give_back(lease)


class NoVersion(Marks):
    def _says(self, incident: Item, fields: Fields, mark: Mapping[str, bool | str]) -> dict[str, Any]:
        return super()._says({name: incident[name] for name in (KEY, STATUS)}, NO_FIELDS, mark)


class NoItem(Marks):
    """Writes items whatever they have become."""

    def _item(self, entry: Entry, values: Mapping[str, Any], removed: Iterable[str] = ()) -> dict[str, Any]:
        part = super()._item(entry, values, removed)
        update = part["Update"]
        update["ConditionExpression"] = f"({update['ConditionExpression']}) OR attribute_exists(#id)"
        update["ExpressionAttributeNames"]["#id"] = "id"
        return part


class NoLease(Memory):
    def take(self, lease: Lease, now: float) -> None:
        pass

    def give_back(self, lease: Lease) -> None:
        pass

    def end(self, lease: Lease, name: str, says: Mapping[str, Any], now: float) -> None:
        self.note(name, says, now)


class NoMemory(Memory):
    def recall(self, name: str) -> None:
        pass


class EverythingIsCovered(Confirmation):
    """Trusts that what waits for a job was there when the job began."""

    def _is_covered(self, entry: Entry) -> bool:
        return entry.waits_for == INGESTION


def copy_with(**parts: type) -> type[Workflow]:
    """The workflow with these parts of it."""
    return type("_".join(part.__name__ for part in parts.values()), (Workflow,), parts)


@pytest.mark.parametrize(
    ("wrong", "trouble", "event", "says"),
    [
        (copy_with(pass_of_work=MarksFirst), Trouble.NONE, "nothing", "marked as synced"),
        (copy_with(pass_of_work=GivesDoubtfulLeasesBack), Trouble.LATE, "edited and told", "the bucket does not say"),
        (copy_with(marks=NoVersion), Trouble.NONE, "edited", "marked as synced"),
        (copy_with(marks=NoItem), Trouble.NONE, "mended and told", "INC-BAD is not marked in the end"),
        (copy_with(memory=NoLease), Trouble.NONE, "edited, told and passed", "the job has read something else"),
        (copy_with(memory=NoMemory), Trouble.DIES_AFTER, "nothing", "run run says 2 synced, and did 3"),
        (copy_with(confirmation=EverythingIsCovered), Trouble.NONE, "edited, told and passed", "marked as searchable"),
    ],
    ids=lambda given: given.__name__ if isinstance(given, type) else None,
)
def test_a_copy_without_a_precaution_is_caught(wrong: type[Workflow], trouble: Trouble, event: str, says: str) -> None:
    with pytest.raises(Broken, match=says):
        meet_at_each_call(wrong, trouble, event)


def meet_at_each_call(kind: type[Workflow], trouble: Trouble, event: str) -> None:
    begun = beginning(kind)
    for call in range(1, meet(begun, NOWHERE) + 1):
        meet(begun, Point(call, trouble, event))
