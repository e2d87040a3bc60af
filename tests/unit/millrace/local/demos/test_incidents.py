"""How the story of incident_sync is followed and judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from incident_sync import documents
from incident_sync.errors import IncidentInvalid
from incident_sync.fields import Fields
from millrace.errors import StillRunning
from millrace.executions.watching import Pace
from millrace.incidents.checking import CLOSED
from millrace.local.demos import incidents
from millrace.local.demos.incidents import Answered, Question, Story, await_waiting, flaws, questions, sample
from tests.fakes.operator.incidents import IncidentStores, incident_stores

FIELDS = Fields(
    ("title", "description", "impact", "root_cause", "resolution", "lessons_learned"),
    ("priority", "service", "category", "tags"),
    ("created_at", "updated_at", "closed_at"),
)
MARK = {"synced": True, "searchable": True, "job_id": "J1"}
QUESTION = Question("Why?", {"service": "intake"}, "INC-1", "beavers")
ANSWERED = Answered(QUESTION, ["INC-1", "INC-2"], "because of beavers")
STORY = Story(
    marks={"INC-1": MARK, "INC-2": MARK, incidents.FAULTY: {}},
    set_aside={incidents.FAULTY: "closed_at is no date"},
    answers=[ANSWERED],
    still_found=[],
)


def test_the_story_as_it_is_meant_has_no_flaw() -> None:
    assert flaws(STORY) == []


@pytest.mark.parametrize(
    ("departure", "said"),
    [
        ({"marks": {"INC-1": MARK, "INC-2": {"synced": True, "searchable": False}}}, "INC-2 is not searchable"),
        (
            {"marks": {"INC-1": MARK, "INC-2": {**MARK, "job_id": "J2"}}},
            "2 jobs covered what one run wrote, where one is enough",
        ),
        (
            {"marks": {"INC-1": MARK, incidents.FAULTY: {"synced": True}}},
            f"{incidents.FAULTY} was written, with a date that nobody can read",
        ),
        ({"set_aside": {}}, f"{incidents.FAULTY} does not wait for a person because of closed_at"),
        (
            {"set_aside": {**STORY.set_aside, "INC-2": "the bucket is gone"}},
            "INC-2 waits for a person: the bucket is gone",
        ),
        (
            {"answers": [replace(ANSWERED, incidents=["INC-2"])]},
            "Why? (only service intake) was answered by INC-2, not by INC-1",
        ),
        ({"answers": [replace(ANSWERED, incidents=[])]}, "Why? (only service intake) was answered by nothing"),
        ({"answers": [replace(ANSWERED, said="because")]}, "INC-1 does not say beavers"),
        ({"still_found": ["INC-1"]}, "INC-1 is still found"),
    ],
)
def test_each_departure_from_the_story_is_named(departure: dict[str, Any], said: str) -> None:
    (found,) = flaws(replace(STORY, **departure))
    assert found.startswith(said)


def typed(incident: Any) -> dict[str, Any]:
    return {name: incidents.TypeSerializer().serialize(value) for name, value in incident.items()}


def test_of_the_sample_only_the_faulty_one_cannot_become_a_document() -> None:
    closed = [incident for incident in sample() if incident["status"] == CLOSED]
    assert (len(sample()), len(closed)) == (12, 9)
    for incident in closed:
        if incident["incident_id"] == incidents.FAULTY:
            with pytest.raises(IncidentInvalid, match=incidents.BECAUSE_OF):
                documents.document(typed(incident), FIELDS)
        else:
            assert documents.document(typed(incident), FIELDS).body


def test_a_decimal_of_the_sample_reaches_its_document_as_it_is() -> None:
    (mill_lane,) = [incident for incident in sample() if incident["title"] == "Burst main in Mill Lane"]
    assert mill_lane["impact"]["hours_without_water"] == Decimal("2.75")
    assert b"2.75" in documents.document(typed(mill_lane), FIELDS).body


def test_each_question_is_about_a_closed_incident_that_has_the_metadata_and_the_words() -> None:
    by_id = {incident["incident_id"]: incident for incident in sample()}
    for question in questions():
        incident = by_id[question.answer]
        assert incident["status"] == CLOSED
        assert {name: incident[name] for name in question.where} == question.where
        assert question.says.encode() in documents.document(typed(incident), FIELDS).body


def test_what_is_reopened_and_deleted_was_searchable_before() -> None:
    closed = {incident["incident_id"] for incident in sample() if incident["status"] == CLOSED}
    assert {incidents.REOPENED, incidents.DELETED} <= closed - {incidents.FAULTY}


@pytest.fixture
def there() -> Iterator[IncidentStores]:
    with incident_stores() as stores:
        yield stores


def looks(*between: Any) -> Pace:
    """A pace that does one of these between each two looks, and then no more."""
    to_do, now = list(between), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if to_do:
            to_do.pop(0)()

    return Pace(1, 5, clock=lambda: now[0], sleep=sleep)


def test_an_incident_has_arrived_once_it_was_seen_waiting_even_if_a_run_takes_it_meanwhile(
    there: IncidentStores,
) -> None:
    there.item("INC-1", "sync")
    there.item("INC-2", "person")
    pace = looks(lambda: there.item("INC-1", "ingestion"), lambda: there.item("INC-3", "sync"))
    assert await_waiting(there.waiting, {"INC-1", "INC-2", "INC-3"}, pace) == {"INC-1", "INC-2", "INC-3"}


def test_a_stream_that_tells_of_nothing_ends_the_story_and_names_what_is_missing(there: IncidentStores) -> None:
    there.item("INC-1", "sync")
    with pytest.raises(StillRunning, match="after 5 s the stream has not told of INC-2, INC-3"):
        await_waiting(there.waiting, {"INC-1", "INC-2", "INC-3"}, looks())
