"""The sync table (docs/kb_sync.md, "The item"): how far the requests of each data source are covered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FailedJob:
    """`at` is ISO 8601; `result` is the job as Bedrock described it, as JSON, or why it could not."""

    job_id: str
    at: str
    result: str


@dataclass(frozen=True)
class SyncItem:
    """The requests of one data source, counted. `owner` may act now (None: nobody); `job` runs now and will cover the
    tickets up to `covers`; `last_job` is the last that was complete, `last_failure` the last that was not;
    `pending_since` is ISO 8601."""

    key: str
    requested: int = 0
    completed: int = 0
    owner: str | None = None
    job: str | None = None
    covers: int | None = None
    pending_since: str | None = None
    last_job: str | None = None
    last_failure: FailedJob | None = None

    @property
    def pending(self) -> int:
        """Requests that no job has covered yet."""
        return self.requested - self.completed

    def as_dict(self) -> dict[str, Any]:
        return {
            "requested": self.requested,
            "completed": self.completed,
            "pending": self.pending,
            "pendingSince": self.pending_since,
            "owner": self.owner,
            "job": self.job,
            "covers": self.covers,
            "lastJob": self.last_job,
        }


class Syncs:
    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, key: str) -> SyncItem:
        """The item as it is now; one that counts nothing where nothing was ever asked for."""
        said = self._client.get_item(TableName=self._table, Key={"key": {"S": key}}, ConsistentRead=True)
        return _item(key, said.get("Item", {}))


def _item(key: str, said: Mapping[str, Any]) -> SyncItem:
    numbers = {name: int(value["N"]) for name, value in said.items() if "N" in value}
    texts = {name: value["S"] for name, value in said.items() if "S" in value}
    maps = {name: value["M"] for name, value in said.items() if "M" in value}
    return SyncItem(
        key=key,
        requested=numbers.get("requested", 0),
        completed=numbers.get("completed", 0),
        owner=texts.get("owner"),
        job=texts.get("job"),
        covers=numbers.get("covers"),
        pending_since=texts.get("pendingSince"),
        last_job=maps["last"]["job"]["S"] if "last" in maps else None,
        last_failure=_failure(maps["lastFailure"]) if "lastFailure" in maps else None,
    )


def _failure(said: Mapping[str, Any]) -> FailedJob:
    return FailedJob(said["job"]["S"], said["at"]["S"], said["result"]["S"])
