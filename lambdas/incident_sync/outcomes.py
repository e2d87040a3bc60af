"""What becomes of an incident in a pass or in its confirmation, and how it is counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum

from incident_sync.items import FAILED, PERSON, REMOVED, WRITTEN, Entry


class Outcome(Enum):
    """By the names of the answers. What was set aside has failed as well, and is counted there too."""

    SYNCED = "synced"
    SEARCHABLE = "searchable"
    REMOVED = "removed"
    FAILED = "failed"
    SET_ASIDE = "setAside"
    OVERTAKEN = "overtaken"
    """Somebody was faster. It waits on."""
    WAITING = "waiting"
    """Nothing can be said yet. It waits on."""


OF_PASS = (Outcome.SYNCED, Outcome.REMOVED, Outcome.FAILED, Outcome.SET_ASIDE, Outcome.OVERTAKEN)
OF_CONFIRMATION = (Outcome.SEARCHABLE, Outcome.REMOVED, Outcome.FAILED, Outcome.SET_ASIDE)


def by_its_item(entry: Entry, *, written: Outcome) -> Outcome:
    """What became of an incident by what its item says was made of it; `written` is what writing it counts as."""
    if entry.made == FAILED:
        return Outcome.SET_ASIDE if entry.waits_for == PERSON else Outcome.FAILED
    return {WRITTEN: written, REMOVED: Outcome.REMOVED}[entry.made or ""]


def counted(outcomes: Iterable[Outcome | None], kinds: Iterable[Outcome]) -> dict[str, int]:
    """How many there are of each of these kinds, by the answers' names."""
    numbers = Counter(outcomes)
    numbers[Outcome.FAILED] += numbers[Outcome.SET_ASIDE]
    return {kind.value: numbers[kind] for kind in kinds}
