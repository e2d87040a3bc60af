"""Knowledge bases, their data sources and ingestion jobs, and the requests already obeyed, in the file that holds the
documents."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from millrace.local.bedrock.scan import Known
from millrace.local.search import store

SCHEMA = """
CREATE TABLE knowledge_bases (
    id TEXT PRIMARY KEY,
    region TEXT NOT NULL,
    created REAL NOT NULL,
    deleted REAL,
    description TEXT NOT NULL
);
CREATE TABLE data_sources (
    id TEXT PRIMARY KEY,
    knowledge_base_id TEXT NOT NULL,
    created REAL NOT NULL,
    deleted REAL,
    description TEXT NOT NULL
);
CREATE INDEX sources ON data_sources (knowledge_base_id);
CREATE TABLE tokens (
    scope TEXT NOT NULL,
    token TEXT NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (scope, token)
) WITHOUT ROWID;
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    region TEXT NOT NULL,
    knowledge_base_id TEXT NOT NULL,
    data_source_id TEXT NOT NULL,
    description TEXT,
    token TEXT,
    started REAL NOT NULL,
    begins REAL NOT NULL,
    due REAL NOT NULL,
    outcome TEXT NOT NULL,
    held INTEGER NOT NULL,
    scanned INTEGER NOT NULL,
    stopping REAL,
    ended REAL,
    statistics TEXT NOT NULL,
    reasons TEXT NOT NULL
);
CREATE INDEX jobs_of_sources ON jobs (data_source_id);
CREATE INDEX running ON jobs (number) WHERE ended IS NULL;
CREATE TABLE coverages (
    job TEXT PRIMARY KEY,
    data_source_id TEXT NOT NULL,
    objects BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE objects (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    etag TEXT NOT NULL,
    metadata_etag TEXT,
    PRIMARY KEY (collection, id)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class KnowledgeBase:
    """`description` holds what CreateKnowledgeBase was given; times are epoch seconds."""

    id: str
    region: str
    created: float
    deleted: float | None
    description: dict[str, Any]

    @property
    def role_arn(self) -> str:
        return self.description["roleArn"]


@dataclass(frozen=True)
class DataSource:
    """`description` holds what CreateDataSource was given."""

    id: str
    knowledge_base_id: str
    created: float
    deleted: float | None
    description: dict[str, Any]

    @property
    def type(self) -> str:
        return self.description["dataSourceConfiguration"]["type"]


@dataclass(frozen=True)
class Job:
    """An ingestion job; times are epoch seconds.

    `outcome` is its status when it ends, which is when it is `due`, is not `held` and has done its work. `begins` is
    when it is IN_PROGRESS, provided that it has `scanned`, and `stopping` when it is STOPPING.
    """

    id: str
    region: str
    knowledge_base_id: str
    data_source_id: str
    description: str | None
    token: str | None
    started: float
    begins: float
    due: float
    outcome: str
    held: bool
    scanned: bool
    stopping: float | None
    ended: float | None
    statistics: dict[str, int]
    reasons: list[str]

    def status(self, now: float) -> str:
        if self.ended is not None:
            return self.outcome
        if self.stopping is not None and now >= self.stopping:
            return "STOPPING"
        return "IN_PROGRESS" if self.scanned and now >= self.begins else "STARTING"

    def updated(self, now: float) -> float:
        """When the job came to the status that it has."""
        status = self.status(now)
        moments = {"STARTING": self.started, "IN_PROGRESS": self.begins, "STOPPING": self.stopping}
        return moments.get(status, self.ended) or self.started


class Covered(NamedTuple):
    """An object that a job's scan saw."""

    key: str
    etag: str
    version_id: str | None


class Store(store.Store):
    """The collections are the data sources, by their ids, and what running jobs have prepared for them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA)

    def put_knowledge_base(self, base: KnowledgeBase) -> None:
        row = (base.id, base.region, base.created, base.deleted, json.dumps(base.description))
        self._rows("INSERT OR REPLACE INTO knowledge_bases VALUES (?, ?, ?, ?, ?)", *row)

    def knowledge_base(self, base_id: str) -> KnowledgeBase | None:
        rows = self._rows("SELECT * FROM knowledge_bases WHERE id = ?", base_id)
        return _knowledge_base(rows[0]) if rows else None

    def knowledge_bases(self) -> list[KnowledgeBase]:
        """All of them, the oldest first."""
        return [_knowledge_base(row) for row in self._rows("SELECT * FROM knowledge_bases ORDER BY created, id")]

    def remove_knowledge_base(self, base_id: str) -> None:
        with self.transaction():
            for source in self.data_sources(base_id):
                self.remove_data_source(source.id)
            self._rows("DELETE FROM knowledge_bases WHERE id = ?", base_id)

    def put_data_source(self, source: DataSource) -> None:
        row = (source.id, source.knowledge_base_id, source.created, source.deleted, json.dumps(source.description))
        self._rows("INSERT OR REPLACE INTO data_sources VALUES (?, ?, ?, ?, ?)", *row)

    def data_source(self, source_id: str) -> DataSource | None:
        rows = self._rows("SELECT * FROM data_sources WHERE id = ?", source_id)
        return _data_source(rows[0]) if rows else None

    def data_sources(self, base_id: str) -> list[DataSource]:
        """Those of the knowledge base, the oldest first."""
        statement = "SELECT * FROM data_sources WHERE knowledge_base_id = ? ORDER BY created, id"
        return [_data_source(row) for row in self._rows(statement, base_id)]

    def remove_data_source(self, source_id: str) -> None:
        with self.transaction():
            self.remove_collection(source_id)
            self._rows("DELETE FROM objects WHERE collection = ?", source_id)
            self._rows("DELETE FROM jobs WHERE data_source_id = ?", source_id)
            self._rows("DELETE FROM coverages WHERE data_source_id = ?", source_id)
            self._rows("DELETE FROM data_sources WHERE id = ?", source_id)

    def answered(self, scope: str, token: str) -> Any:
        """What was answered to the first request with this client token; None if there was none."""
        rows = self._rows("SELECT answer FROM tokens WHERE scope = ? AND token = ?", scope, token)
        return json.loads(rows[0][0]) if rows else None

    def remember(self, scope: str, token: str, answer: Any) -> None:
        self._rows("INSERT INTO tokens VALUES (?, ?, ?)", scope, token, json.dumps(answer))

    def add_job(self, job: Job) -> None:
        self._rows(f"INSERT INTO jobs ({JOB_COLUMNS}) VALUES ({', '.join('?' * len(JOB_FIELDS))})", *_job_row(job))

    def change_job(self, job: Job) -> None:
        """Put the job in place of the one with its id; nothing happens when that one is gone."""
        assignments = ", ".join(f"{name} = ?" for name in JOB_FIELDS)
        self._rows(f"UPDATE jobs SET {assignments} WHERE id = ?", *_job_row(job), job.id)

    def job(self, job_id: str) -> Job | None:
        rows = self._rows(f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = ?", job_id)
        return _job(rows[0]) if rows else None

    def jobs(self, source_id: str) -> list[Job]:
        """Those of the data source, the oldest first."""
        statement = f"SELECT {JOB_COLUMNS} FROM jobs WHERE data_source_id = ? ORDER BY number"
        return [_job(row) for row in self._rows(statement, source_id)]

    def running_jobs(self) -> list[Job]:
        """Those that have not ended, the oldest first."""
        return [_job(row) for row in self._rows(f"SELECT {JOB_COLUMNS} FROM jobs WHERE ended IS NULL ORDER BY number")]

    def keep_coverage(self, job: Job, covered: Sequence[Covered]) -> None:
        packed = zlib.compress(json.dumps(covered).encode(), level=1)
        self._rows("INSERT OR REPLACE INTO coverages VALUES (?, ?, ?)", job.id, job.data_source_id, packed)

    def coverage(self, job_id: str) -> list[Covered]:
        """What the job's scan saw; nothing before it has."""
        rows = self._rows("SELECT objects FROM coverages WHERE job = ?", job_id)
        return [Covered(*one) for one in json.loads(zlib.decompress(rows[0][0]))] if rows else []

    def known_documents(self, source_id: str) -> dict[str, Known]:
        """What is known of the data source's documents, by their ids."""
        known = {
            document_id: Known(False)
            for (document_id,) in self._rows("SELECT id FROM statuses WHERE collection = ?", source_id)
        }
        statement = (
            "SELECT DISTINCT t.id, o.etag, o.metadata_etag FROM texts t "
            "LEFT JOIN objects o ON o.collection = t.collection AND o.id = t.id WHERE t.collection = ?"
        )
        for document_id, etag, metadata_etag in self._rows(statement, source_id):
            known[document_id] = Known(True, etag, metadata_etag)
        return known

    def keep_object(self, source_id: str, document_id: str, etag: str, metadata_etag: str | None) -> None:
        """Remember of which object, and which metadata file beside it, the indexed document was made."""
        self._rows("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", source_id, document_id, etag, metadata_etag)

    def forget_object(self, source_id: str, document_id: str) -> None:
        """The indexed document is no longer the one that a job made."""
        self._rows("DELETE FROM objects WHERE collection = ? AND id = ?", source_id, document_id)

    def remove_documents(self, source_id: str, ids: Sequence[str]) -> None:
        """Forget the documents, and what is known of them."""
        listed = json.dumps(ids)
        among = "collection = ? AND id IN (SELECT value FROM json_each(?))"
        with self.transaction():
            self._remove(among, source_id, listed)
            self._rows(f"DELETE FROM objects WHERE {among}", source_id, listed)
            self._rows(f"DELETE FROM statuses WHERE {among}", source_id, listed)

    def publish(self, prepared: str, source_id: str) -> None:
        """Put the documents of the one collection into the other, in place of those with the same ids."""
        with self.transaction():
            self._remove("collection = ? AND id IN (SELECT id FROM texts WHERE collection = ?)", source_id, prepared)
            self._rows("UPDATE texts SET collection = ? WHERE collection = ?", source_id, prepared)


JOB_FIELDS = tuple(field.name for field in fields(Job))
JOB_COLUMNS = ", ".join(JOB_FIELDS)


def _job_row(job: Job) -> tuple[Any, ...]:
    *plain, statistics, reasons = (getattr(job, name) for name in JOB_FIELDS)
    return (*plain, json.dumps(statistics), json.dumps(reasons))


def _job(row: Any) -> Job:
    *plain, statistics, reasons = row
    job = dict(zip(JOB_FIELDS, [*plain, json.loads(statistics), json.loads(reasons)], strict=True))
    return Job(**{**job, "held": bool(job["held"]), "scanned": bool(job["scanned"])})


def _knowledge_base(row: Any) -> KnowledgeBase:
    base_id, region, created, deleted, description = row
    return KnowledgeBase(base_id, region, created, deleted, json.loads(description))


def _data_source(row: Any) -> DataSource:
    source_id, base_id, created, deleted, description = row
    return DataSource(source_id, base_id, created, deleted, json.loads(description))
