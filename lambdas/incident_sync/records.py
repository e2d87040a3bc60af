"""What a record of the incidents' stream means for the knowledge base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from incident_sync.errors import ConfigurationInvalid, EventInvalid
from incident_sync.fields import Fields
from incident_sync.incidents import Item, is_closed, is_synced, says_the_same
from incident_sync.items import INCIDENT
from shared.stream_records import RecordInvalid, ViewInvalid, read_record

ID_MAX_BYTES = 2048 - len(INCIDENT)
"""So that the id has room in the other table's key (DynamoDB developer guide, "Constraints": partition key length)."""


class Change(NamedTuple):
    """Something about an incident that its objects do not say yet. `sequence` is padded."""

    incident_id: str
    sequence: str
    closed: bool
    """Otherwise it is open again or gone: it must leave, if it was ever there."""


def of_record(record: Mapping[str, Any], fields: Fields) -> Change | None:
    """The change that a record asks to be carried out, None where it asks nothing.

    A closed incident asks to be written where `status` or a field is not what it was, or where it has lost the mark
    that it is written. One that was closed, and is not any more, asks to be removed. Millrace's own marks ask nothing,
    nor does an incident that is open before and after.

    Raises EventInvalid, and ConfigurationInvalid where the stream does not carry what the decision needs."""
    try:
        keys, sequence, before, now = read_record(record)
    except RecordInvalid as error:
        raise EventInvalid(str(error)) from error
    except ViewInvalid as error:
        raise ConfigurationInvalid(str(error)) from error
    if not _asks(before, now, fields):
        return None
    return Change(_incident_id(keys), sequence, is_closed(now))


def _asks(before: Item, now: Item, fields: Fields) -> bool:
    if not is_closed(now):
        return is_closed(before)
    return not says_the_same(before, now, fields) or (is_synced(before) and not is_synced(now))


def _incident_id(keys: Item) -> str:
    match keys:
        case {"incident_id": {"S": str(incident_id)}}:
            if len(incident_id.encode("utf-8")) > ID_MAX_BYTES:
                raise EventInvalid(f"the incident's id has more than {ID_MAX_BYTES:,} bytes")
            return incident_id
    raise EventInvalid("the record's key is no text `incident_id`")
