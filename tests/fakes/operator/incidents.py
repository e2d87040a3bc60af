"""The two tables and the bucket of incident_sync, as services that really evaluate conditions, with a few words to fill
them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from moto import mock_aws

from benchmarks.tables import create_table
from millrace.incidents.checking import DOCUMENT, METADATA, Stores
from millrace.incidents.waiting import INDEX, WaitingTable
from tests.fakes.operator.aws import INCIDENTS, SOURCE, FakeAws

BEFORE = "2025-10-05T11:00:00.000Z"
CHANGE = "7".zfill(40)
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


@dataclass(frozen=True)
class IncidentStores:
    """What a deployment of incident_sync keeps."""

    dynamodb: Any
    s3: Any

    @property
    def waiting(self) -> WaitingTable:
        return WaitingTable(self.dynamodb, INCIDENTS["incident_sync_table"])

    @property
    def stores(self) -> Stores:
        return Stores(self.dynamodb, self.s3, FakeAws(outputs=INCIDENTS).deployment.incidents)

    def incident(self, incident_id: str, status: str = "CLOSED", *, synced: bool | None = None) -> None:
        """An incident of the application's; marked, unless `synced` is None."""
        mark = {} if synced is None else {"kb_sync_status": {"M": {"synced": {"BOOL": synced}}}}
        item = {"incident_id": {"S": incident_id}, "status": {"S": status}, "title": {"S": "never read"}, **mark}
        self.dynamodb.put_item(TableName=INCIDENTS["incidents_table"], Item=item)

    def item(self, incident_id: str, waits_for: str | None = None, *, since: str = BEFORE, **more: str | int) -> None:
        """Its item of the other table."""
        attributes = {"incident_id": incident_id, "change": CHANGE, **more}
        if waits_for:
            attributes |= {"waits_for": waits_for, "since": since}
        item = {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in attributes.items()}
        key = {"id": {"S": f"incident/{incident_id}"}}
        self.dynamodb.put_item(TableName=INCIDENTS["incident_sync_table"], Item={**key, **item})

    def objects(self, incident_id: str, *endings: str) -> None:
        """Its objects; both, if none is named."""
        for ending in endings or (DOCUMENT, METADATA):
            self.put(f"{incident_id}{ending}")

    def put(self, name: str) -> None:
        """An object below the prefix."""
        self.s3.put_object(Bucket=SOURCE["bucket"], Key=f"{INCIDENTS['incident_prefix']}{name}", Body=b"{}")

    def written(self, incident_id: str, waits_for: str | None = None) -> None:
        """A closed incident with all that belongs to it."""
        self.incident(incident_id, synced=True)
        self.item(incident_id, waits_for, made="written")
        self.objects(incident_id)

    def item_of(self, incident_id: str) -> dict[str, Any]:
        """What the table says of it, without types."""
        key = {"id": {"S": f"incident/{incident_id}"}}
        found = self.dynamodb.get_item(TableName=INCIDENTS["incident_sync_table"], Key=key).get("Item", {})
        return {name: next(iter(value.values())) for name, value in found.items()}


@contextmanager
def incident_stores() -> Iterator[IncidentStores]:
    """Empty ones."""
    with mock_aws():
        dynamodb, s3 = _client("dynamodb"), _client("s3")
        s3.create_bucket(Bucket=SOURCE["bucket"])
        create_table(dynamodb, INCIDENTS["incidents_table"], "incident_id")
        create_table(dynamodb, INCIDENTS["incident_sync_table"], "id", {INDEX: ("waits_for", "since")})
        yield IncidentStores(dynamodb, s3)


@cache
def _client(service: str) -> Any:
    """Made once: making one takes longer than most tests."""
    return boto3.client(service, **KEYS)
