"""What the state machine asks of the functions. docs/incident_sync.md has the shapes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from incident_sync.coverage import Job, job_of
from incident_sync.errors import EventInvalid
from incident_sync.items import Work
from incident_sync.queue import Place


class Asked(NamedTuple):
    """A page to confirm: `job` has covered what `run` asked for at `requested_at`; None is the first page."""

    run: str
    requested_at: datetime
    job: Job
    cursor: Place | None


def pass_of(event: Mapping[str, Any]) -> tuple[Work, datetime]:
    """The pass that is asked for, and when its run began. Raises EventInvalid."""
    number = event.get("pass")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise EventInvalid("pass is no number from 1 on")
    return Work(_text(event, "run"), number), moment(event, "startedAt")


def page_of(event: Mapping[str, Any]) -> Asked:
    """The page that is asked for. Raises EventInvalid."""
    return Asked(_text(event, "run"), moment(event, "requestedAt"), job_of(event.get("job")), _cursor(event))


def moment(event: Mapping[str, Any], name: str) -> datetime:
    """A moment, as Step Functions writes it. Raises EventInvalid."""
    try:
        found = datetime.fromisoformat(_text(event, name))
    except ValueError as error:
        raise EventInvalid(f"{name} is no ISO 8601 date with a time") from error
    if found.tzinfo is None:
        raise EventInvalid(f"{name} has no time zone; end it with Z")
    return found


def cursor_of(place: Place | None) -> dict[str, str] | None:
    """What the next page is asked for with; None at the end."""
    return None if place is None else {"since": place.since, "id": place.incident_id}


def _cursor(event: Mapping[str, Any]) -> Place | None:
    match event.get("cursor"):
        case None:
            return None
        case {"since": str(since), "id": str(incident_id)}:
            return Place(since, incident_id)
    raise EventInvalid("cursor is neither null nor one that an earlier answer gave")


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise EventInvalid(f"{name} is no text, or empty")
    return value
