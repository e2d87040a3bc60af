"""The snapshots that a collection's bucket still keeps, and going back to one of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from millrace.backlog import timestamp
from millrace.errors import NotFound
from millrace.store.table import Collection, Pointer, StoreTable

ARCHIVE, MANIFEST = "store.tar", "manifest.json"
RACE = timedelta(hours=1)
"""Longer than two compactions race for one version: Lambda ends each within 15 minutes. The snapshot of the one that
lost is as whole as the other's, and lacks what that one has merged."""


@dataclass(frozen=True)
class Kept:
    """A snapshot that is whole; `made` is when its manifest was written, `bytes` the size of its archive."""

    version: int
    snapshot: str
    records: int
    sha256: str
    bytes: int
    made: datetime

    def as_dict(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "snapshot": self.snapshot,
            "records": self.records,
            "bytes": self.bytes,
            "made": timestamp(self.made),
        }


class Snapshots:
    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def kept(self, collection: Collection) -> list[Kept]:
        """Those that are whole, newest version first, of one version the newest. What a manifest does not belong to, or
        whose archive has another size, is left out."""
        found = [
            kept
            for folder, objects in self._folders(f"{collection}/snapshot/").items()
            if (kept := self._read(folder, objects)) is not None
        ]
        return sorted(found, key=lambda kept: (kept.version, kept.made), reverse=True)

    def _folders(self, prefix: str) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """The objects of each folder, by their names."""
        folders: dict[str, dict[str, Mapping[str, Any]]] = {}
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for listed in page.get("Contents", []):
                folder, slash, name = listed["Key"].rpartition("/")
                folders.setdefault(folder + slash, {})[name] = listed
        return folders

    def _read(self, folder: str, objects: Mapping[str, Mapping[str, Any]]) -> Kept | None:
        if not {ARCHIVE, MANIFEST} <= objects.keys():
            return None
        body = self._s3.get_object(Bucket=self._bucket, Key=folder + MANIFEST)["Body"].read()
        try:
            said = json.loads(body)
            kept = Kept(
                version=int(said["version"]),
                snapshot=folder,
                records=int(said["records"]),
                sha256=str(said["sha256"]),
                bytes=int(said["bytes"]),
                made=objects[MANIFEST]["LastModified"],
            )
        except (ValueError, TypeError, KeyError):
            return None
        return kept if objects[ARCHIVE]["Size"] == kept.bytes else None


def find(kept: Iterable[Kept], collection: Collection, version: int) -> Kept:
    """The newest snapshot of a version. Raises NotFound, which names the versions that are kept."""
    known = list(kept)
    for each in known:
        if each.version == version:
            return each
    names = ", ".join(str(number) for number in sorted({each.version for each in known})) or "none"
    raise NotFound(f"{collection} keeps no whole snapshot of version {version}; those that are kept: {names}")


def go_back(table: StoreTable, collection: Collection, to: Kept, now: datetime) -> int:
    """Publish a kept snapshot again, and let every delta that was merged since it was made wait once more; how many.

    The pointer moves first, so that no compaction merges them into what is left behind. Done again, it goes on where it
    ended before. Raises NotFound where nothing was ever published, and PointerMoved."""
    seen = table.pointer(collection)
    if seen is None:
        raise NotFound(f"nothing of {collection} was ever published, so there is nothing to go back from")
    if seen.snapshot != to.snapshot:
        new = Pointer(to.version, to.snapshot, to.records, to.sha256, timestamp(now))
        table.publish(collection, new, over=seen)
    merged = list(table.merged_since(collection, to.made - RACE))
    return sum(table.merge_again(item, collection, now) for item in merged)
