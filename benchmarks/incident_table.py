"""Made-up incidents, and the application's table of them as it may be when Millrace comes: thousands that were closed,
and synced long ago, before a few are closed now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from benchmarks import tables
from incident_sync.documents import document, metadata_key, object_key
from incident_sync.fields import Fields
from shared.clock import stamp
from shared.stream_records import SEQUENCE_DIGITS

TEXTS = ("title", "description", "impact", "root_cause", "resolution", "lessons_learned")
ATTRIBUTES = ("priority", "service", "category", "tags")
DATES = ("created_at", "updated_at", "closed_at")
FIELDS = Fields(TEXTS, ATTRIBUTES, DATES)
"""The defaults of `terraform/`."""
INDEX = "status-priority-index"
SERVICES = ("payments", "search", "checkout", "login")
PRIORITIES = ("P1", "P2", "P3")
NO_CHANGE = "0" * SEQUENCE_DIGITS
"""Older than any change that a stream tells of."""
WRITTEN_AT_ONCE = 25
"""BatchWriteItem's limit."""
READ_AT_ONCE = 100
"""BatchGetItem's limit."""
THREADS = 16

Incident = dict[str, Any]
"""Plain values by attribute."""
T = TypeVar("T")

_serialize, _deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize


def closed(number: int | str, **more: Any) -> Incident:
    """A closed incident of that number or id, whose `word` is in its text and in no other's."""
    incident_id = number if isinstance(number, str) else f"INC-{number:05}"
    turn = number if isinstance(number, int) else sum(number.encode())
    begun = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=turn)
    return {
        "incident_id": incident_id,
        "status": "CLOSED",
        "title": f"Sluice {word(incident_id)} stuck",
        "description": f"The gate {word(incident_id)} of the mill race did not open after the storm.",
        "resolution": "The gear was greased and the gate opened by hand.",
        "priority": PRIORITIES[turn % len(PRIORITIES)],
        "service": SERVICES[turn % len(SERVICES)],
        "tags": ["gate", "storm"],
        "created_at": stamp(begun),
        "closed_at": stamp(begun + timedelta(hours=2)),
        "assignee": f"nobody reads this of {incident_id}",
        **more,
    }


def word(incident_id: str) -> str:
    """One word of letters and digits for each incident."""
    return "lantern" + "".join(each for each in incident_id.lower() if each.isalnum())


def create_table(dynamodb: Any, table: str, incidents: Iterable[Incident]) -> None:
    """The application's own table, whose stream begins after these incidents."""
    tables.create_table(dynamodb, table, "incident_id", {INDEX: ("status", "priority")})
    write_items(dynamodb, table, incidents)
    dynamodb.update_table(
        TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )


def upload(s3: Any, bucket: str, prefix: str, incidents: Iterable[Incident]) -> None:
    """Write what the incidents become, many at once."""

    def put(incident: Incident) -> None:
        made = document(typed(incident), FIELDS)
        key = object_key(prefix, made.incident_id)
        s3.put_object(Bucket=bucket, Key=metadata_key(key), Body=made.metadata)
        s3.put_object(Bucket=bucket, Key=key, Body=made.body)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, incidents))


def mark_synced(
    dynamodb: Any, table: str, sync_table: str, prefix: str, incidents: Sequence[Incident], job: str, at: datetime
) -> None:
    """Mark incidents as a run that is long over has left them: written then, and covered by that job."""
    ids = [each["incident_id"] for each in incidents]
    known = {"change": NO_CHANGE, "run": "before", "pass": 1, "made": "written", "job": job}
    write_items(dynamodb, sync_table, [{"id": f"incident/{name}", "incident_id": name, **known} for name in ids])
    done = {"synced": True, "searchable": True, "synced_at": stamp(at), "searchable_at": stamp(at), "job_id": job}
    marks = [{**done, "object": object_key(prefix, name)} for name in ids]
    marked = ({**each, "kb_sync_status": mark} for each, mark in zip(incidents, marks, strict=True))
    write_items(dynamodb, table, marked)


def write_items(dynamodb: Any, table: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Put items of plain values into a table, many at once."""
    requests = [{"PutRequest": {"Item": typed(each)}} for each in items]

    def put(part: Sequence[Any]) -> None:
        while part:
            part = dynamodb.batch_write_item(RequestItems={table: part})["UnprocessedItems"].get(table, [])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, _parts(requests, WRITTEN_AT_ONCE)))


def read_items(dynamodb: Any, table: str, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The items of those keys that are there, all as plain values."""
    found: list[dict[str, Any]] = []
    for part in _parts([typed(key) for key in keys], READ_AT_ONCE):
        asked: Any = {table: {"Keys": part, "ConsistentRead": True}}
        while asked:
            said = dynamodb.batch_get_item(RequestItems=asked)
            found += map(plain, said["Responses"].get(table, []))
            asked = said["UnprocessedKeys"]
    return found


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB takes it."""
    return {name: _serialize(value) for name, value in item.items()}


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB gives it, without the types."""
    return {name: _deserialize(value) for name, value in item.items()}


def _parts(whole: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (whole[first : first + size] for first in range(0, len(whole), size))
