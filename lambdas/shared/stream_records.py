"""Records of a DynamoDB stream, as Lambda delivers them and is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

SEQUENCE_DIGITS = 40
"""The most that a sequence number has (DynamoDB Streams API reference, StreamRecord). Padded, texts compare as the
numbers do."""

IMAGES = "NEW_AND_OLD_IMAGES"

Item = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB has it."""


class RecordInvalid(Exception):
    """A record has no shape that a stream gives. Delivered again, it would make no more sense."""


class ViewInvalid(Exception):
    """The stream does not carry both images: the deployment's fault, not the record's."""


class StreamRecord(NamedTuple):
    """One change of one item. `sequence` is padded; an image is empty where the item was not there."""

    keys: Item
    sequence: str
    before: Item
    now: Item


def read_record(record: Mapping[str, Any]) -> StreamRecord:
    """Read a record of a stream of both images. Raises RecordInvalid and ViewInvalid."""
    told = record.get("dynamodb")
    if not isinstance(told, Mapping):
        raise RecordInvalid("the record has no part `dynamodb`")
    if told.get("StreamViewType", IMAGES) != IMAGES:
        raise ViewInvalid(f"the stream's view is {told['StreamViewType']}; give the table one with {IMAGES}")
    before, now = _images(record, told)
    keys = told.get("Keys")
    if not isinstance(keys, Mapping):
        raise RecordInvalid("the record has no part `Keys`")
    return StreamRecord(keys, padded(told.get("SequenceNumber")), before, now)


def padded(sequence: object) -> str:
    """A sequence number, padded. Raises RecordInvalid."""
    if isinstance(sequence, str) and sequence.isascii() and sequence.isdigit() and len(sequence) <= SEQUENCE_DIGITS:
        return sequence.zfill(SEQUENCE_DIGITS)
    raise RecordInvalid("the record's SequenceNumber is no number of up to 40 digits")


def ids(record: Mapping[str, Any]) -> dict[str, Any]:
    """What tells a record from others in a log, and nothing of the item's text."""
    match record.get("dynamodb"):
        case {"Keys": keys, "SequenceNumber": sequence}:
            return {"event_id": record.get("eventID"), "keys": keys, "sequence": sequence}
    return {"event_id": record.get("eventID")}


def answer(failed: Mapping[str, Any] | None) -> dict[str, Any]:
    """What an event source mapping with ReportBatchItemFailures is told: from this record on, deliver again; None says
    that all are done with."""
    if failed is None:
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": failed["dynamodb"]["SequenceNumber"]}]}


def _images(record: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[Item, Item]:
    match record.get("eventName"), told.get("OldImage"), told.get("NewImage"):
        case ("INSERT", None, Mapping() as now):
            return {}, now
        case ("MODIFY", Mapping() as before, Mapping() as now):
            return before, now
        case ("REMOVE", Mapping() as before, None):
            return before, {}
    raise RecordInvalid("the record's eventName and images do not fit each other")
