"""Indices, documents and the work still to be done, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    index_id TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    attributes TEXT NOT NULL,
    access TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    UNIQUE (index_id, id)
);
CREATE INDEX sizes ON documents (index_id, bytes);
CREATE VIRTUAL TABLE words USING fts5 (
    title, text, content = 'documents', content_rowid = 'number', tokenize = 'porter unicode61'
);
CREATE TABLE statuses (
    index_id TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    code TEXT,
    reason TEXT,
    waiting INTEGER NOT NULL,
    PRIMARY KEY (index_id, id)
) WITHOUT ROWID;
CREATE TABLE work (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    index_id TEXT NOT NULL,
    id TEXT NOT NULL,
    due REAL NOT NULL,
    document TEXT,
    role_arn TEXT NOT NULL
);
"""
WAITING, NOT_FOUND = "PROCESSING", "NOT_FOUND"


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


@dataclass(frozen=True)
class Work:
    """One accepted put, or a delete if there is no document."""

    number: int
    index_id: str
    id: str
    due: float
    document: dict[str, Any] | None
    role_arn: str


@dataclass(frozen=True)
class Status:
    status: str
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Indexed:
    """What is kept of an indexed document; `access` is its AccessControlList."""

    id: str
    title: str
    text: str
    attributes: list[dict[str, Any]]
    access: list[dict[str, Any]]


class Store:
    """Safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;" + SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it."""
        with self._lock:
            self._database.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

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
            self._rows(
                "INSERT INTO words (words, rowid, title, text) "
                "SELECT 'delete', number, title, text FROM documents WHERE index_id = ?",
                index_id,
            )
            for table in ("documents", "statuses", "work"):
                self._rows(f"DELETE FROM {table} WHERE index_id = ?", index_id)
            self._rows("DELETE FROM indices WHERE id = ?", index_id)

    def size(self, index_id: str) -> tuple[int, int]:
        """How many documents are indexed, and how many bytes of text they have."""
        count, size = self._rows("SELECT count(*), sum(bytes) FROM documents WHERE index_id = ?", index_id)[0]
        return count, size or 0

    def accept(
        self,
        index_id: str,
        ids: Sequence[str],
        documents: Sequence[dict[str, Any] | None],
        role_arn: str,
        due: float,
    ) -> None:
        """Put work in line: a document each to index, or None to delete. They are PROCESSING from now on."""
        with self.transaction():
            self._database.executemany(
                "INSERT INTO statuses VALUES (?, ?, ?, NULL, NULL, 1) ON CONFLICT DO UPDATE SET waiting = waiting + 1",
                [(index_id, document_id, NOT_FOUND) for document_id in ids],
            )
            self._database.executemany(
                "INSERT INTO work (index_id, id, due, document, role_arn) VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        index_id,
                        document_id,
                        due,
                        json.dumps(document) if document is not None else None,
                        role_arn,
                    )
                    for document_id, document in zip(ids, documents, strict=True)
                ],
            )

    def due(self, now: float, limit: int) -> list[Work]:
        """The work whose time has come, in the order in which it was accepted."""
        rows = self._rows("SELECT * FROM work WHERE due <= ? ORDER BY number LIMIT ?", now, limit)
        return [
            Work(
                number,
                index_id,
                document_id,
                moment,
                json.loads(text) if text is not None else None,
                role_arn,
            )
            for number, index_id, document_id, moment, text, role_arn in rows
        ]

    def next_due(self) -> float | None:
        return self._rows("SELECT min(due) FROM work")[0][0]

    def settle(self, work: Work, status: Status) -> None:
        """Take the work out of the line; the document has this status unless more work waits for it."""
        self._rows("DELETE FROM work WHERE number = ?", work.number)
        self._rows(
            "UPDATE statuses SET status = ?, code = ?, reason = ?, waiting = waiting - 1 WHERE index_id = ? AND id = ?",
            status.status,
            status.code,
            status.reason,
            work.index_id,
            work.id,
        )
        self._rows(
            "DELETE FROM statuses WHERE index_id = ? AND id = ? AND waiting = 0 AND status = ?",
            work.index_id,
            work.id,
            NOT_FOUND,
        )

    def status(self, index_id: str, document_id: str) -> Status:
        rows = self._rows(
            "SELECT status, code, reason, waiting FROM statuses WHERE index_id = ? AND id = ?",
            index_id,
            document_id,
        )
        if not rows:
            return Status(NOT_FOUND)
        status, code, reason, waiting = rows[0]
        return Status(WAITING) if waiting else Status(status, code, reason)

    def holds(self, index_id: str, document_id: str) -> bool:
        return bool(self._rows("SELECT 1 FROM documents WHERE index_id = ? AND id = ?", index_id, document_id))

    def put_document(self, index_id: str, document: Indexed) -> None:
        self.remove_document(index_id, document.id)
        self._rows(
            "INSERT INTO documents (index_id, id, title, text, attributes, access, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
            index_id,
            document.id,
            document.title,
            document.text,
            json.dumps(document.attributes),
            json.dumps(document.access),
            len(document.text.encode()),
        )
        self._rows(
            "INSERT INTO words (rowid, title, text) SELECT number, title, text FROM documents "
            "WHERE index_id = ? AND id = ?",
            index_id,
            document.id,
        )

    def remove_document(self, index_id: str, document_id: str) -> None:
        self._rows(
            "INSERT INTO words (words, rowid, title, text) "
            "SELECT 'delete', number, title, text FROM documents WHERE index_id = ? AND id = ?",
            index_id,
            document_id,
        )
        self._rows("DELETE FROM documents WHERE index_id = ? AND id = ?", index_id, document_id)

    def find(self, index_id: str, expression: str | None, page: int) -> Iterator[tuple[Indexed, str, str, float]]:
        """Documents with their title and excerpt, matches marked, and their rank (less is better), best first.

        Marks are the characters \\x01 and \\x02. Without an expression every document is found, in order of id.
        """
        if expression is None:
            statement = (
                "SELECT id, title, text, attributes, access, title, substr(text, 1, 300), 0.0 FROM documents "
                "WHERE index_id = ? ORDER BY id LIMIT ? OFFSET ?"
            )
            values: tuple[Any, ...] = (index_id,)
        else:
            statement = (
                "SELECT d.id, d.title, d.text, d.attributes, d.access, highlight(words, 0, char(1), char(2)), "
                "snippet(words, 1, char(1), char(2), '...', 48), bm25(words, 4.0, 1.0) AS score FROM words "
                "JOIN documents d ON d.number = words.rowid WHERE words MATCH ? AND d.index_id = ? "
                "ORDER BY score, d.id LIMIT ? OFFSET ?"
            )
            values = (expression, index_id)
        offset = 0
        while rows := self._rows(statement, *values, page, offset):
            for document_id, title, text, attributes, access, marked_title, excerpt, rank in rows:
                found = Indexed(document_id, title, text, json.loads(attributes), json.loads(access))
                yield found, marked_title, excerpt, rank
            offset += page
