"""What an item of the table incident-sync says of an incident: what it waits for, and who worked it last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from incident_sync.values import AttributeValue

SYNC, INGESTION, PERSON = "sync", "ingestion", "person"
"""What an incident can wait for."""

WRITTEN, REMOVED, FAILED = "written", "removed", "failed"
"""What a pass made of it; a document that failed in a job has failed, too."""

INCIDENT = "incident/"
"""What an item's id begins with where the item is an incident's."""


class Work(NamedTuple):
    """One pass of one run. Tried again, it is the same work."""

    run: str
    number: int


class Entry(NamedTuple):
    """One incident's item. What is None is not there."""

    incident_id: str
    waits_for: str | None = None
    since: str | None = None
    change: str | None = None
    attempts: int = 0
    work: Work | None = None
    made: str | None = None
    job: str | None = None
    confirmed: str | None = None
    """The run whose confirmation settled it."""

    def is_waiting(self, waits_for: str, before: str) -> bool:
        """Whether it waits for this, and has since before then."""
        return self.waits_for == waits_for and self.since is not None and self.since < before


def item_id(incident_id: str) -> str:
    """The key of an incident's item."""
    return INCIDENT + incident_id


def entry_of(item: Mapping[str, AttributeValue]) -> Entry:
    """Read an incident's item, as DynamoDB gives it."""
    run, number = _text(item, "run"), item.get("pass")
    return Entry(
        item["id"]["S"].removeprefix(INCIDENT),
        _text(item, "waits_for"),
        _text(item, "since"),
        _text(item, "change"),
        int(item["attempts"]["N"]) if "attempts" in item else 0,
        Work(run, int(number["N"])) if run is not None and number is not None else None,
        _text(item, "made"),
        _text(item, "job"),
        _text(item, "confirmed"),
    )


def _text(item: Mapping[str, AttributeValue], name: str) -> str | None:
    value = item.get(name)
    return None if value is None else value["S"]
