"""Knowledge bases, their data sources and the requests already obeyed, in the file that holds the documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


class Store(store.Store):
    """The collections are the data sources, by their ids."""

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
            self._rows("DELETE FROM data_sources WHERE id = ?", source_id)

    def answered(self, scope: str, token: str) -> Any:
        """What was answered to the first request with this client token; None if there was none."""
        rows = self._rows("SELECT answer FROM tokens WHERE scope = ? AND token = ?", scope, token)
        return json.loads(rows[0][0]) if rows else None

    def remember(self, scope: str, token: str, answer: Any) -> None:
        self._rows("INSERT INTO tokens VALUES (?, ?, ?)", scope, token, json.dumps(answer))


def _knowledge_base(row: Any) -> KnowledgeBase:
    base_id, region, created, deleted, description = row
    return KnowledgeBase(base_id, region, created, deleted, json.loads(description))


def _data_source(row: Any) -> DataSource:
    source_id, base_id, created, deleted, description = row
    return DataSource(source_id, base_id, created, deleted, json.loads(description))
