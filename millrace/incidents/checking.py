"""Whether the two tables and the bucket agree (docs/incident_sync.md, "The operator's side").

They are read once from end to end, and a few bits are kept of each incident, so that a million of them fit into a
laptop's memory. What looks wrong then is looked at again, with consistent reads, because incidents change meanwhile.
What changed within the last seconds may be told all the same: its record is on its way through the stream, and to
repair it does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import Flag, StrEnum, auto
from itertools import chain
from typing import Any

from botocore.exceptions import ClientError

from millrace.deployment import IncidentSync
from millrace.incidents.waiting import ITEM, WaitingTable, WaitsFor, key_of

CLOSED = "CLOSED"  # the status of an incident that belongs into the knowledge base
DOCUMENT = ".json.md"
METADATA = f"{DOCUMENT}.metadata.json"
AN_ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # of which a document can be written
AT_ONCE = 16  # calls, well below the connections of a client


class Fact(Flag):
    """What is known of an incident. SYNCED: its mark says that it was written. WAITING: for a sync or a person, so that
    somebody knows of it. REMOVED: the last pass took its objects away. FOREIGN: it is none, but a key that no incident
    can have."""

    NOTHING = 0
    CLOSED = auto()
    SYNCED = auto()
    REGISTERED = auto()
    WAITING = auto()
    REMOVED = auto()
    DOCUMENT = auto()
    METADATA = auto()
    FOREIGN = auto()


OBJECTS = Fact.DOCUMENT | Fact.METADATA
ENDINGS: Mapping[str, Fact] = {DOCUMENT: Fact.DOCUMENT, METADATA: Fact.METADATA}
"""What the objects' names end in, and which of an incident's two each is."""


class Kind(StrEnum):
    """What can be wrong. All but FOREIGN can be repaired."""

    NOT_REGISTERED = "not-registered"
    NOT_SYNCED = "not-synced"
    NOT_REMOVED = "not-removed"
    OBJECT_MISSING = "object-missing"
    ORPHANED = "orphaned"
    UNPROVEN = "unproven"
    FOREIGN = "foreign"

    @property
    def meaning(self) -> str:
        return {
            Kind.NOT_REGISTERED: "closed, but no change of it ever arrived from the stream",
            Kind.NOT_SYNCED: "closed, but not marked as written, and it waits for nothing",
            Kind.NOT_REMOVED: "reopened or deleted, but still in the knowledge base",
            Kind.OBJECT_MISSING: "marked as written, but its document or metadata is not in the bucket",
            Kind.ORPHANED: "objects of an incident that is not closed, or is not there",
            Kind.UNPROVEN: "closed and written; whether its document is of today's text is not known",
            Kind.FOREIGN: "an object under the prefix that no incident can have; remove or move it by hand",
        }[self]


OF_THE_TABLES = (Kind.NOT_REGISTERED, Kind.NOT_SYNCED)  # whatever the bucket holds


@dataclass(frozen=True)
class Finding:
    """`name` is the incident's id, of a FOREIGN object its key."""

    kind: Kind
    name: str

    @property
    def repairable(self) -> bool:
        return self.kind is not Kind.FOREIGN

    def as_dict(self) -> dict[str, str]:
        return {"kind": str(self.kind), "name": self.name, "meaning": self.kind.meaning}


@dataclass(frozen=True)
class Checked:
    """How many closed incidents, items and documents were compared, and what is wrong, sorted by kind and name."""

    closed: int
    registered: int
    documents: int
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "closed": self.closed,
            "registered": self.registered,
            "documents": self.documents,
            "findings": [finding.as_dict() for finding in self.findings],
        }


def judge(facts: Fact) -> Kind | None:
    """What is wrong with an incident of which this is known; None: nothing, or it waits for somebody to see to it."""
    if Fact.FOREIGN in facts:
        return Kind.FOREIGN
    if Fact.WAITING in facts:
        return None
    if Fact.CLOSED in facts:
        if Fact.REGISTERED not in facts:
            return Kind.NOT_REGISTERED
        if Fact.SYNCED not in facts:
            return Kind.NOT_SYNCED
        return None if OBJECTS in facts else Kind.OBJECT_MISSING
    if Fact.REGISTERED in facts and Fact.REMOVED not in facts:
        return Kind.NOT_REMOVED
    return Kind.ORPHANED if facts & OBJECTS else None


def _is_well(facts: Fact) -> bool:
    """Whether it is closed and written, and waits for nobody."""
    return Fact.CLOSED in facts and Fact.WAITING not in facts and judge(facts) is None


class Stores:
    """The two tables and the bucket, as facts of incidents."""

    def __init__(self, dynamodb: Any, s3: Any, deployed: IncidentSync) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._deployed = deployed

    def incidents(self) -> Iterator[tuple[str, Fact]]:
        """Of each incident of the application's table."""
        for item in self._scan(self._deployed.incidents_table, "incident_id", "status", "kb_sync_status"):
            yield item["incident_id"]["S"], _of_incident(item)

    def items(self) -> Iterator[tuple[str, Fact]]:
        """Of each incident that was ever closed and is remembered."""
        for item in self._scan(self._deployed.incident_sync_table, "id", "waits_for", "made"):
            if item["id"]["S"].startswith(ITEM):
                yield item["id"]["S"].removeprefix(ITEM), _of_item(item)

    def objects(self) -> Iterator[tuple[str, Fact]]:
        """Of each object under the prefix; one that is FOREIGN by its key."""
        prefix = self._deployed.incident_prefix
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._deployed.bucket, Prefix=prefix):
            for listed in page.get("Contents", []):
                if listed["Key"] != prefix:  # the folder itself, as consoles make it
                    yield _of_object(prefix, listed["Key"])

    def look_again(self, incident_id: str) -> Fact:
        """All that is known of one incident, by consistent reads."""
        incident = self._get(self._deployed.incidents_table, {"incident_id": {"S": incident_id}})
        item = self._get(self._deployed.incident_sync_table, key_of(incident_id))
        facts = _of_incident(incident) | _of_item(item)
        return facts if judge(facts) in OF_THE_TABLES else facts | self._objects_of(incident_id)

    def _objects_of(self, incident_id: str) -> Fact:
        facts = Fact.NOTHING
        for ending, fact in ENDINGS.items():
            try:
                key = f"{self._deployed.incident_prefix}{incident_id}{ending}"
                self._s3.head_object(Bucket=self._deployed.bucket, Key=key)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                    raise
                continue
            facts |= fact
        return facts

    def _scan(self, table: str, *attributes: str) -> Iterator[Mapping[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=table,
            ProjectionExpression=", ".join(f"#{name}" for name in attributes),
            ExpressionAttributeNames={f"#{name}": name for name in attributes},
        )
        for page in pages:
            yield from page["Items"]

    def _get(self, table: str, key: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})


def check(stores: Stores, *, rewrite: bool = False) -> Checked:
    """Compare the tables and the bucket. It reads all of both tables and lists all of the prefix.

    What documents say is not compared; to `rewrite` calls those UNPROVEN that are as they should be otherwise."""
    known: dict[str, Fact] = {}
    for name, fact in chain(stores.incidents(), stores.items(), stores.objects()):
        if fact:
            known[name] = known.get(name, Fact.NOTHING) | fact
    foreign = [name for name, facts in known.items() if Fact.FOREIGN in facts]
    suspects = [name for name, facts in known.items() if judge(facts) and Fact.FOREIGN not in facts]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        kinds = zip(suspects, pool.map(lambda name: judge(stores.look_again(name)), suspects), strict=True)
        wrong = [Finding(kind, name) for name, kind in kinds if kind]
    wrong += [Finding(Kind.FOREIGN, key) for key in foreign]
    if rewrite:
        wrong += [Finding(Kind.UNPROVEN, name) for name, facts in known.items() if _is_well(facts)]
    return Checked(
        closed=sum(Fact.CLOSED in facts for facts in known.values()),
        registered=sum(Fact.REGISTERED in facts for facts in known.values()),
        documents=sum(Fact.DOCUMENT in facts for facts in known.values()),
        findings=tuple(sorted(wrong, key=lambda finding: (finding.kind, finding.name))),
    )


def repair(findings: Iterable[Finding], table: WaitingTable, now: datetime) -> list[Finding]:
    """Let the incidents wait for a sync, which writes or removes what they need; those that are left, because no sync
    can repair them."""
    findings = list(findings)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = pool.map(lambda each: table.ask(each.name, now), (each for each in findings if each.repairable))
        for _ in asked:
            pass  # one that has begun to wait meanwhile is as well off
    return [finding for finding in findings if not finding.repairable]


def _of_incident(item: Mapping[str, Any]) -> Fact:
    facts = Fact.CLOSED if item.get("status") == {"S": CLOSED} else Fact.NOTHING
    marked = item.get("kb_sync_status", {}).get("M", {}).get("synced") == {"BOOL": True}
    return facts | Fact.SYNCED if marked else facts


def _of_item(item: Mapping[str, Any]) -> Fact:
    if not item:
        return Fact.NOTHING
    facts = Fact.REGISTERED
    if item.get("waits_for") in ({"S": WaitsFor.SYNC}, {"S": WaitsFor.PERSON}):
        facts |= Fact.WAITING
    if item.get("made") == {"S": "removed"}:
        facts |= Fact.REMOVED
    return facts


def _of_object(prefix: str, key: str) -> tuple[str, Fact]:
    name = key.removeprefix(prefix)
    for ending, fact in ENDINGS.items():
        if name.endswith(ending) and AN_ID.fullmatch(name.removesuffix(ending)):
            return name.removesuffix(ending), fact
    return key, Fact.FOREIGN
