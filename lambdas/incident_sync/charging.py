"""Charging an incident with a failure: the same for a pass and for a confirmation."""

from __future__ import annotations

from collections.abc import Sequence

from incident_sync.errors import StoreUnavailable
from incident_sync.items import Entry
from incident_sync.marks import Part, is_set_aside
from incident_sync.outcomes import Outcome
from incident_sync.tables import Tables
from shared.store_errors import Overtaken, Refused


def charge(tables: Tables, entry: Entry, mark: Sequence[Part], *, for_good: bool = False) -> Outcome:
    """Write the mark of a failure, and say what becomes of the incident.

    Raises StoreUnavailable, also where the mark is refused: that is no incident's fault."""
    try:
        tables.write(mark)
    except Overtaken:
        return Outcome.OVERTAKEN
    except Refused as error:
        raise StoreUnavailable(f"the failure of incident {entry.incident_id} cannot be noted: {error}") from error
    return Outcome.SET_ASIDE if is_set_aside(entry, for_good=for_good) else Outcome.FAILED
