"""Kendra's indices, in the file that holds their documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.local.search import store

SCHEMA = """
CREATE TABLE indices (
    id TEXT PRIMARY KEY,
    region TEXT NOT NULL,
    client_token TEXT,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    deleted REAL,
    description TEXT NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class Index:
    """`description` holds the members of DescribeIndex that stay as they were given; times are epoch seconds."""

    id: str
    region: str
    client_token: str | None
    created: float
    updated: float
    deleted: float | None
    description: dict[str, Any]
    attributes: dict[str, dict[str, Any]]
    tags: dict[str, str]


class Store(store.Store):
    """The collections are the indices, by their ids."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA)

    def put_index(self, index: Index) -> None:
        self._rows(
            "INSERT OR REPLACE INTO indices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            index.id,
            index.region,
            index.client_token,
            index.created,
            index.updated,
            index.deleted,
            json.dumps(index.description),
            json.dumps(index.attributes),
            json.dumps(index.tags),
        )

    def indices(self) -> list[Index]:
        """All indices, the oldest first."""
        return [self._index(row) for row in self._rows("SELECT * FROM indices ORDER BY created, id")]

    def index(self, index_id: str) -> Index | None:
        rows = self._rows("SELECT * FROM indices WHERE id = ?", index_id)
        return self._index(rows[0]) if rows else None

    def _index(self, row: Any) -> Index:
        return Index(*row[:6], *(json.loads(text) for text in row[6:]))

    def remove_index(self, index_id: str) -> None:
        with self.transaction():
            self.remove_collection(index_id)
            self._rows("DELETE FROM indices WHERE id = ?", index_id)
