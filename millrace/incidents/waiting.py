"""The table that says what waits (docs/incident_sync.md, "Table `<name_prefix>-incident-sync`"), read by its sparse
index, and the two changes that a person may make to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from millrace.backlog import Backlog, timestamp
from millrace.errors import NotFound, NotSetAside

INDEX = "waits-for-index"
ITEM = "incident/"
NEVER_CHANGED = "0" * 40
"""The change of an incident that the stream has not told of: any that it tells of is later."""


class WaitsFor(StrEnum):
    """What an incident waits for: to be written or removed, to be covered by a job, or to be mended."""

    SYNC = "sync"
    INGESTION = "ingestion"
    PERSON = "person"


@dataclass(frozen=True)
class Waiting:
    """An incident that waits. `since` is ISO 8601; `attempts` counts those that failed since its last change, `reason`
    says why the last of them did."""

    incident_id: str
    waits_for: WaitsFor
    since: str
    attempts: int
    reason: str | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "incident": self.incident_id,
            "waitsFor": str(self.waits_for),
            "since": self.since,
            "attempts": self.attempts,
            "reason": self.reason,
        }


class WaitingTable:
    """What it reads comes from the index, which follows the table within a moment."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def waiting(self, *kinds: WaitsFor) -> Iterator[Waiting]:
        """The incidents that wait for one of these, of each the longest waiting first. Read page by page, so that the
        first few cost no more than they are."""
        for kind in kinds:
            for page in self._pages(kind):
                yield from map(_waiting, page["Items"])

    def backlog(self, kind: WaitsFor) -> Backlog:
        """Counted by the index, which reads all that waits for it: a few pages for thousands."""
        number = sum(page["Count"] for page in self._pages(kind, Select="COUNT"))
        oldest = next(self.waiting(kind), None)
        return Backlog(number, oldest.since if oldest else None)

    def retry(self, incident_id: str, now: datetime) -> None:
        """Let an incident that waits for a person wait for a sync again, as if it had never been tried.

        Raises NotFound where no such incident was ever closed, NotSetAside where it does not wait for a person.
        """
        if not self._wait_for_sync(incident_id, now, "#waits_for = :person", {":person": WaitsFor.PERSON}):
            raise self._not_set_aside(incident_id)

    def ask(self, incident_id: str, now: datetime) -> bool:
        """Let an incident wait for a sync, whether or not the stream ever told of it; False where it does already, or
        where it waits for a person."""
        condition = "attribute_not_exists(#waits_for) OR #waits_for = :ingestion"
        return self._wait_for_sync(incident_id, now, condition, {":ingestion": WaitsFor.INGESTION})

    def _wait_for_sync(self, incident_id: str, now: datetime, condition: str, values: Mapping[str, str]) -> bool:
        """`change` stays: what the stream tells later is later, and a pass marks what it read."""
        names = ("incident_id", "waits_for", "since", "attempts", "change", "reason", "expiresAt")
        texts = {":id": incident_id, ":sync": WaitsFor.SYNC, ":now": timestamp(now), ":never": NEVER_CHANGED, **values}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=key_of(incident_id),
                UpdateExpression="SET #incident_id = :id, #waits_for = :sync, #since = :now, #attempts = :none, "
                "#change = if_not_exists(#change, :never) REMOVE #reason, #expiresAt",
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in names},
                ExpressionAttributeValues={
                    ":none": {"N": "0"},
                    **{name: {"S": str(text)} for name, text in texts.items()},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _not_set_aside(self, incident_id: str) -> NotFound | NotSetAside:
        said = self._client.get_item(TableName=self._table, Key=key_of(incident_id), ConsistentRead=True).get("Item")
        if said is None:
            return NotFound(
                f"no incident {incident_id} was ever closed, or it has left the knowledge base long ago; "
                "if it is closed now: millrace incidents check"
            )
        waits_for = said.get("waits_for", {}).get("S", "nothing")
        return NotSetAside(f"incident {incident_id} waits for {waits_for}, not for a person; there is nothing to retry")

    def _pages(self, kind: WaitsFor, **more: Any) -> Iterator[Mapping[str, Any]]:
        arguments: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "#waits_for = :kind",
            "ExpressionAttributeNames": {"#waits_for": "waits_for"},
            "ExpressionAttributeValues": {":kind": {"S": str(kind)}},
            **more,
        }
        return self._client.get_paginator("query").paginate(**arguments)


def key_of(incident_id: str) -> dict[str, Any]:
    """Of an incident's item."""
    return {"id": {"S": f"{ITEM}{incident_id}"}}


def _waiting(said: Mapping[str, Any]) -> Waiting:
    return Waiting(
        incident_id=said["incident_id"]["S"],
        waits_for=WaitsFor(said["waits_for"]["S"]),
        since=said["since"]["S"],
        attempts=int(said.get("attempts", {"N": "0"})["N"]),
        reason=said.get("reason", {}).get("S"),
    )
