"""Documents in collections, what is known of each, and the work still to be done, in one SQLite file."""

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
CREATE TABLE texts (
    number INTEGER PRIMARY KEY,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    attributes TEXT NOT NULL,
    access TEXT NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE INDEX documents ON texts (collection, id);
CREATE INDEX sizes ON texts (collection, bytes);
CREATE VIRTUAL TABLE words USING fts5 (
    title, text, content = 'texts', content_rowid = 'number', tokenize = 'porter unicode61'
);
CREATE TABLE statuses (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    code TEXT,
    reason TEXT,
    settled REAL NOT NULL,
    PRIMARY KEY (collection, id)
) WITHOUT ROWID;
CREATE TABLE work (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    accepted REAL NOT NULL,
    due REAL NOT NULL,
    document TEXT,
    role_arn TEXT NOT NULL
);
CREATE INDEX waiting ON work (collection, id);
"""


@dataclass(frozen=True)
class Work:
    """One accepted put, or a delete if there is no document; times are epoch seconds."""

    number: int
    collection: str
    id: str
    accepted: float
    due: float
    document: dict[str, Any] | None
    role_arn: str


@dataclass(frozen=True)
class Waiting:
    """The last work that waits for a document."""

    deletes: bool
    accepted: float
    due: float


@dataclass(frozen=True)
class Status:
    """What became of a document, in its service's words."""

    status: str
    code: str | None = None
    reason: str | None = None
    settled: float = 0.0


@dataclass(frozen=True)
class Indexed:
    """What is kept of an indexed document; `access` is its access control list."""

    id: str
    title: str
    text: str
    attributes: Any
    access: list[dict[str, Any]]


@dataclass(frozen=True)
class Found:
    """A document, or the part of one whose text matches; `rank` is less for a better match, 0.0 without words.

    In `title` and `excerpt` the matches stand between the characters of `words.BEGIN` and `words.END`.
    """

    collection: str
    document: Indexed
    title: str
    excerpt: str
    rank: float


class Store:
    """Safe to use from any thread. What a service keeps besides documents is in `schema`, its own tables."""

    def __init__(self, path: Path, schema: str = "") -> None:
        path.unlink(missing_ok=True)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;" + SCHEMA + schema)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it; one inside another is part of it."""
        with self._lock:
            if self._database.in_transaction:
                yield
                return
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

    def size(self, collection: str) -> tuple[int, int]:
        """How many texts are indexed, and how many bytes they have."""
        count, size = self._rows("SELECT count(*), sum(bytes) FROM texts WHERE collection = ?", collection)[0]
        return count, size or 0

    def accept(
        self,
        collection: str,
        ids: Sequence[str],
        documents: Sequence[dict[str, Any] | None],
        role_arn: str,
        *,
        now: float,
        due: float,
    ) -> None:
        """Put work in line: a document each to index, or None to delete. From now on it waits for them."""
        with self.transaction():
            self._database.executemany(
                "INSERT INTO work (collection, id, accepted, due, document, role_arn) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        collection,
                        document_id,
                        now,
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
        return [_work(*row) for row in rows]

    def next_due(self) -> float | None:
        return self._rows("SELECT min(due) FROM work")[0][0]

    def settle(self, work: Work, status: Status | None) -> None:
        """Take the work out of the line; nothing is known of the document from now on if there is no status."""
        self._rows("DELETE FROM work WHERE number = ?", work.number)
        if status is None:
            self._rows("DELETE FROM statuses WHERE collection = ? AND id = ?", work.collection, work.id)
            return
        self.put_status(work.collection, work.id, status)

    def put_status(self, collection: str, document_id: str, status: Status) -> None:
        self._rows(
            "INSERT OR REPLACE INTO statuses VALUES (?, ?, ?, ?, ?, ?)",
            collection,
            document_id,
            status.status,
            status.code,
            status.reason,
            status.settled,
        )

    def waiting(self, collection: str, document_id: str) -> Waiting | None:
        rows = self._rows(
            "SELECT document IS NULL, accepted, due FROM work WHERE collection = ? AND id = ? "
            "ORDER BY number DESC LIMIT 1",
            collection,
            document_id,
        )
        return Waiting(bool(rows[0][0]), *rows[0][1:]) if rows else None

    def status(self, collection: str, document_id: str) -> Status | None:
        """What became of the document when it was last worked on; None if nothing is known of it."""
        rows = self._rows(
            "SELECT status, code, reason, settled FROM statuses WHERE collection = ? AND id = ?",
            collection,
            document_id,
        )
        return Status(*rows[0]) if rows else None

    def ids(self, collection: str, after: str, limit: int) -> list[str]:
        """The documents of which something is known or for which work waits, in order, behind the given id."""
        rows = self._rows(
            "SELECT id FROM statuses WHERE collection = ? AND id > ? UNION "
            "SELECT id FROM work WHERE collection = ? AND id > ? ORDER BY id LIMIT ?",
            collection,
            after,
            collection,
            after,
            limit,
        )
        return [document_id for (document_id,) in rows]

    def holds(self, collection: str, document_id: str) -> bool:
        return bool(self._rows("SELECT 1 FROM texts WHERE collection = ? AND id = ? LIMIT 1", collection, document_id))

    def put_document(self, collection: str, document: Indexed, parts: Sequence[str] | None = None) -> None:
        """Index the document in place of what there was of it: its text, or each of the parts as a text of its own."""
        with self.transaction():
            self.remove_document(collection, document.id)
            attributes, access = json.dumps(document.attributes), json.dumps(document.access)
            for text in [document.text] if parts is None else parts:
                size = len(text.encode())
                row = (collection, document.id, document.title, text, attributes, access, size)
                number = self._database.execute(
                    "INSERT INTO texts (collection, id, title, text, attributes, access, bytes) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                ).lastrowid
                self._rows("INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", number, document.title, text)

    def remove_document(self, collection: str, document_id: str) -> None:
        self._remove("collection = ? AND id = ?", collection, document_id)

    def remove_collection(self, collection: str) -> None:
        """Forget the documents, what is known of them, and the work that waits for them."""
        with self.transaction():
            self._remove("collection = ?", collection)
            self._rows("DELETE FROM statuses WHERE collection = ?", collection)
            self._rows("DELETE FROM work WHERE collection = ?", collection)

    def _remove(self, which: str, *values: str) -> None:
        with self.transaction():
            self._rows(
                "INSERT INTO words (words, rowid, title, text) "
                f"SELECT 'delete', number, title, text FROM texts WHERE {which}",
                *values,
            )
            self._rows(f"DELETE FROM texts WHERE {which}", *values)

    def find(self, collections: Sequence[str], expression: str | None, page: int) -> Iterator[Found]:
        """The texts that match the FTS5 expression, best first; without one every text, in order of id.

        They are read a `page` at a time, so that a caller who stops early has not read them all.
        """
        among = f"collection IN ({', '.join('?' * len(collections))})"
        columns = "t.collection, t.id, t.title, t.text, t.attributes, t.access"
        if expression is None:
            statement = (
                f"SELECT {columns}, t.title, substr(t.text, 1, 300), 0.0 FROM texts t "
                f"WHERE t.{among} ORDER BY t.id, t.number LIMIT ? OFFSET ?"
            )
            values: tuple[Any, ...] = tuple(collections)
        else:
            statement = (
                f"SELECT {columns}, highlight(words, 0, char(1), char(2)), "
                "snippet(words, 1, char(1), char(2), '...', 48), bm25(words, 4.0, 1.0) AS score FROM words "
                f"JOIN texts t ON t.number = words.rowid WHERE words MATCH ? AND t.{among} "
                "ORDER BY score, t.id, t.number LIMIT ? OFFSET ?"
            )
            values = (expression, *collections)
        offset = 0
        while rows := self._rows(statement, *values, page, offset):
            for collection, document_id, title, text, attributes, access, marked_title, excerpt, rank in rows:
                document = Indexed(document_id, title, text, json.loads(attributes), json.loads(access))
                yield Found(collection, document, marked_title, excerpt, rank)
            offset += page


def _work(
    number: int, collection: str, document_id: str, accepted: float, due: float, document: str | None, role_arn: str
) -> Work:
    content = None if document is None else json.loads(document)
    return Work(number, collection, document_id, accepted, due, content, role_arn)
