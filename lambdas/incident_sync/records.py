"""What a record of the incidents' stream means for the knowledge base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from incident_sync.errors import ConfigurationInvalid, EventInvalid
from incident_sync.fields import Fields
from incident_sync.incidents import Item, is_closed, is_synced, says_the_same
from incident_sync.items import INCIDENT

SEQUENCE_DIGITS = 40
"""The most that a sequence number has (DynamoDB Streams API reference, StreamRecord). Padded, texts compare as the
numbers do."""

ID_MAX_BYTES = 2048 - len(INCIDENT)
"""So that the id has room in the other table's key (DynamoDB developer guide, "Constraints": partition key length)."""

IMAGES = "NEW_AND_OLD_IMAGES"


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
    told = record.get("dynamodb")
    if not isinstance(told, Mapping):
        raise EventInvalid("the record has no part `dynamodb`")
    if told.get("StreamViewType", IMAGES) != IMAGES:
        raise ConfigurationInvalid(f"the stream's view is {told['StreamViewType']}; give the table one with {IMAGES}")
    before, now = _images(record, told)
    if not _asks(before, now, fields):
        return None
    return Change(_incident_id(told), padded(told.get("SequenceNumber")), is_closed(now))


def padded(sequence: object) -> str:
    """A sequence number, padded. Raises EventInvalid."""
    if isinstance(sequence, str) and sequence.isascii() and sequence.isdigit() and len(sequence) <= SEQUENCE_DIGITS:
        return sequence.zfill(SEQUENCE_DIGITS)
    raise EventInvalid("the record's SequenceNumber is no number of up to 40 digits")


def _asks(before: Item, now: Item, fields: Fields) -> bool:
    if not is_closed(now):
        return is_closed(before)
    return not says_the_same(before, now, fields) or (is_synced(before) and not is_synced(now))


def _images(record: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[Item, Item]:
    """The incident before and after; empty where it was not there."""
    match record.get("eventName"), told.get("OldImage"), told.get("NewImage"):
        case ("INSERT", None, Mapping() as now):
            return {}, now
        case ("MODIFY", Mapping() as before, Mapping() as now):
            return before, now
        case ("REMOVE", Mapping() as before, None):
            return before, {}
    raise EventInvalid("the record's eventName and images do not fit each other")


def _incident_id(told: Mapping[str, Any]) -> str:
    match told.get("Keys"):
        case {"incident_id": {"S": str(incident_id)}}:
            if len(incident_id.encode("utf-8")) > ID_MAX_BYTES:
                raise EventInvalid(f"the incident's id has more than {ID_MAX_BYTES:,} bytes")
            return incident_id
    raise EventInvalid("the record's key is no text `incident_id`")
