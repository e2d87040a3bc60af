"""What waits, and what a person may change of it, against a table that really evaluates conditions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from millrace.backlog import Backlog, timestamp
from millrace.errors import NotFound, NotSetAside
from millrace.incidents.waiting import NEVER_CHANGED, Waiting, WaitsFor
from tests.fakes.operator.incidents import BEFORE, CHANGE, IncidentStores

NOW = datetime(2025, 10, 5, 12, tzinfo=UTC)


def test_what_waits_is_listed_by_what_it_waits_for_and_the_oldest_first(there: IncidentStores) -> None:
    there.item("INC-3", "sync", since="2025-10-05T11:00:03.000Z")
    there.item("INC-1", "sync", since="2025-10-05T11:00:01.000Z", attempts=2, reason="impact is too long")
    there.item("INC-2", "person", since="2025-10-05T11:00:02.000Z")
    there.item("INC-4")
    found = list(there.waiting.waiting(WaitsFor.PERSON, WaitsFor.SYNC))
    assert [each.incident_id for each in found] == ["INC-2", "INC-1", "INC-3"]
    assert found[1] == Waiting("INC-1", WaitsFor.SYNC, "2025-10-05T11:00:01.000Z", 2, "impact is too long")
    assert (found[2].attempts, found[2].reason) == (0, None)


def test_a_backlog_counts_and_knows_since_when(there: IncidentStores) -> None:
    assert there.waiting.backlog(WaitsFor.SYNC) == Backlog(0, None)
    there.item("INC-1", "sync", since="2025-10-05T11:00:01.000Z")
    there.item("INC-2", "sync")
    there.item("INC-3", "ingestion")
    assert there.waiting.backlog(WaitsFor.SYNC) == Backlog(2, BEFORE)


def test_what_waits_for_a_person_is_tried_again_as_if_it_had_never_been(there: IncidentStores) -> None:
    there.item("INC-1", "person", attempts=5, reason="five times", run="a", made="failed")
    there.waiting.retry("INC-1", NOW)
    assert there.item_of("INC-1") == {
        "id": "incident/INC-1",
        "incident_id": "INC-1",
        "waits_for": "sync",
        "since": "2025-10-05T12:00:00.000Z",
        "attempts": "0",
        "change": CHANGE,
        "run": "a",
        "made": "failed",
    }


@pytest.mark.parametrize("waits_for", ["sync", "ingestion", None])
def test_only_what_waits_for_a_person_can_be_retried(there: IncidentStores, waits_for: str | None) -> None:
    there.item("INC-1", waits_for)
    before = there.item_of("INC-1")
    with pytest.raises(NotSetAside, match=f"waits for {waits_for or 'nothing'}, not for a person"):
        there.waiting.retry("INC-1", NOW)
    assert there.item_of("INC-1") == before


def test_an_incident_that_nobody_knows_cannot_be_retried_and_leaves_no_item(there: IncidentStores) -> None:
    with pytest.raises(NotFound, match="millrace incidents check"):
        there.waiting.retry("INC-1", NOW)
    assert there.item_of("INC-1") == {}


def test_what_the_stream_never_told_of_can_be_asked_for_and_any_later_change_wins(there: IncidentStores) -> None:
    assert there.waiting.ask("INC-1", NOW)
    item = there.item_of("INC-1")
    assert (item["incident_id"], item["waits_for"], item["change"]) == ("INC-1", "sync", NEVER_CHANGED)
    assert item["change"] < CHANGE


def test_what_was_about_to_expire_stays_when_it_is_asked_for(there: IncidentStores) -> None:
    there.item("INC-1", made="removed", expiresAt=1_760_000_000)
    assert there.waiting.ask("INC-1", NOW)
    item = there.item_of("INC-1")
    assert "expiresAt" not in item
    assert item["change"] == CHANGE, "what the stream told is not forgotten"


def test_what_is_covered_too_early_can_be_asked_for(there: IncidentStores) -> None:
    there.item("INC-1", "ingestion")
    assert there.waiting.ask("INC-1", NOW)
    assert there.item_of("INC-1")["waits_for"] == "sync"


@pytest.mark.parametrize("waits_for", ["sync", "person"])
def test_what_waits_already_keeps_its_turn_and_its_reason(there: IncidentStores, waits_for: str) -> None:
    there.item("INC-1", waits_for, attempts=3, reason="why")
    before = there.item_of("INC-1")
    assert not there.waiting.ask("INC-1", NOW)
    assert there.item_of("INC-1") == before


def test_times_are_written_as_the_functions_write_them() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=2))) + timedelta(microseconds=7_900)
    assert timestamp(elsewhere) == "2025-10-05T12:00:00.007Z"
