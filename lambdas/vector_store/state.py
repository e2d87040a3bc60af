"""The merged state of a snapshot: `state.sqlite`, beside Chroma's folder.

It holds what the law knows of every record and receipt, but the vectors of visible records, which Chroma has. A file is
one compaction's own copy: a merge is one transaction, and a process that dies leaves a file that nobody reads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from heapq import merge
from itertools import chain, groupby
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from vector_store import law
from vector_store.changes import Change, VectorRow, canonical, is_record, receipt_of
from vector_store.errors import StateInvalid
from vector_store.law import NEVER, NO_FIELDS, NO_VECTOR, NOTHING, Known, Said, Vector
from vector_store.showing import Difference, Facts, Shown, difference, shown

APPLICATION = 0x4D524C53
"""Tells the file from another program's SQLite ("MRLS")."""

VERSION = 1

FORGET_AFTER = timedelta(days=30)
"""Longer than any message (14 days) or stream record (24 hours) lives."""

CACHE_KIB = 64 * 1024

WHOLE = ""
"""In `dead_since`, the name that stands for the owner's own death."""

OVERTAKEN = "overtaken by what is later"
NOT_BORN = "kept until the record is born"
NOT_THERE = "died, and was not there"

SCHEMA = f"""
CREATE TABLE record (
  id TEXT PRIMARY KEY,
  receipt TEXT AS (substr(id, 1, instr(id, '/') - 1)) VIRTUAL,
  born TEXT NOT NULL,
  died TEXT NOT NULL,
  vector_at TEXT NOT NULL,
  vector_mark BLOB NOT NULL,
  visible INTEGER AS (born <> '' AND vector_at <> '') VIRTUAL,
  fields TEXT NOT NULL,
  vector BLOB
) WITHOUT ROWID;
CREATE TABLE receipt (id TEXT PRIMARY KEY, died TEXT NOT NULL, fields TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE dead_since (
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  at TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE TABLE visible (records INTEGER NOT NULL);
INSERT INTO visible VALUES (0);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""

RECORD = "record.id, born, record.died, vector_at, vector_mark, vector, record.fields"
RECORDS_BY_ID = f"SELECT {RECORD} FROM record WHERE id IN (SELECT value FROM json_each(?))"
RECORDS_BY_RECEIPT = f"""
SELECT {RECORD} FROM json_each(?) AS asked
CROSS JOIN record ON record.id > asked.value || '/' AND record.id < asked.value || '0'
"""
RECEIPTS_BY_ID = "SELECT id, died, fields FROM receipt WHERE id IN (SELECT value FROM json_each(?))"
VISIBLE = f"""
SELECT {RECORD}, coalesce(receipt.died, ''), coalesce(receipt.fields, '{{}}')
FROM record LEFT JOIN receipt ON receipt.id = record.receipt WHERE visible ORDER BY record.id
"""

WRITE_RECORD = """
INSERT OR REPLACE INTO record (id, born, died, vector_at, vector_mark, vector, fields) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
WRITE_RECEIPT = "INSERT OR REPLACE INTO receipt (id, died, fields) VALUES (?, ?, ?)"
WRITE_DEATH = "INSERT OR REPLACE INTO dead_since (owner, name, at, since) VALUES (?, ?, ?, ?)"

TakeBack = Callable[[Sequence[str]], Mapping[str, bytes]]


class Note(NamedTuple):
    """What somebody may want to know of a change or a vector."""

    owner: str
    at: str
    reason: str


class Merged(NamedTuple):
    """What a merge did: how Chroma must change, in the order of ids, and how many of the rows read still count."""

    differences: list[Difference]
    notes: list[Note]
    read: int
    applied: int
    overtaken: int


class State:
    """An open state. Every method raises StateInvalid where the file is damaged."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    def create(cls, path: Path) -> Self:
        """A state that has seen nothing. Raises StateInvalid where the file is there already."""
        if path.exists():
            raise StateInvalid(f"{path.name} is there already")
        with _translated():
            state = cls(_connected(path))
            state._database.executescript(f"BEGIN;{SCHEMA}COMMIT;")
        return state

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises StateInvalid where the file is missing, no state, or of another version."""
        if not path.exists():
            raise StateInvalid(f"{path.name} is missing")
        with _translated():
            database = _connected(path)
            (application,), (version,) = (
                database.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
            )
        if (application, version) != (APPLICATION, VERSION):
            database.close()
            if application != APPLICATION:
                raise StateInvalid(f"{path.name} is no merged state")
            raise StateInvalid(f"{path.name} has version {version}; this code reads version {VERSION}")
        return cls(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def merge(
        self, changes: Iterable[Change], vectors: Iterable[VectorRow], *, now: datetime, take_back: TakeBack
    ) -> Merged:
        """Merge thousands at once, all or nothing, in memory that grows with their number.

        `take_back` is asked for the bytes of vectors that only Chroma has, of records that are hidden now and whose
        vector may count again. So Chroma must not yet have been told the differences."""
        changes, vectors = list(changes), list(vectors)
        news = law.heard(changes, vectors)
        with self._transaction():
            before = self._affected(news)
            after = law.merge(before, news)
            after |= self._taken_back(before, after, take_back)
            differences = list(_differences(before, after))
            self._write(before, _in_chroma(after))
            self._note_deaths(before, after, news, now)
        notes = list(_notes(changes, vectors, before, after, news))
        overtaken = sum(note.reason is OVERTAKEN for note in notes)
        read = len(changes) + len(vectors)
        return Merged(differences, notes, read, read - overtaken, overtaken)

    def forget(self, now: datetime) -> int:
        """Forget deaths and nulls that were merged 30 days ago or earlier; how many. Nothing visible changes."""
        due = int((now - FORGET_AFTER).timestamp())
        with self._transaction():
            dead = self._database.execute("SELECT owner, name, at FROM dead_since WHERE since <= ?", (due,)).fetchall()
            before = self._known({owner for owner, _, _ in dead})
            after = dict(before)
            for owner, name, at in dead:
                if owner in after:
                    after[owner] = _without(after[owner], name, at)
            self._write(before, {owner: known for owner, known in after.items() if known != NOTHING})
            self._database.execute("DELETE FROM dead_since WHERE since <= ?", (due,))
        return sum(known is not after[owner] for owner, known in before.items())

    def visible(self) -> int:
        """How many records Chroma shows."""
        with _translated():
            return int(self._database.execute("SELECT records FROM visible").fetchone()[0])

    def shown(self) -> Iterator[tuple[str, Shown]]:
        """What Chroma shows, in the order of ids. Not to be read on after a merge."""
        return ((record_id, found) for record_id, found, _ in self.shown_and_marked())

    def shown_and_marked(self) -> Iterator[tuple[str, Shown, bytes]]:
        """The same, with the marks of the vectors."""
        with _translated():
            for *row, died, fields in self._database.execute(VISIBLE):
                record_id, known = _record(row)
                found = shown(record_id, Facts(known, Known(NEVER, died, NO_VECTOR, _fields(fields))))
                assert found is not None
                yield record_id, found, known.vector.mark

    def known(self, owners: Iterable[str]) -> dict[str, Known]:
        """What is known of some records and receipts; who is unknown is left out."""
        with _translated():
            return self._known(set(owners))

    def of_receipts(self, receipts: Iterable[str]) -> dict[str, Known]:
        """What is known of some receipts and of all their records."""
        with _translated():
            return self._affected(dict.fromkeys(receipts, NOTHING))

    def by_receipt(self) -> Iterator[tuple[str, dict[str, Known]]]:
        """What is known of every receipt and its records, in the order of the receipts' ids with a slash behind, as the
        records' ids begin. Not to be read on after a merge."""
        with _translated():
            records = map(_record, self._database.execute(f"SELECT {RECORD} FROM record ORDER BY id"))
            receipts = map(_receipt, self._database.execute("SELECT id, died, fields FROM receipt ORDER BY id || '/'"))
            for receipt, known in groupby(merge(records, receipts, key=_in_order), lambda it: receipt_of(it[0])):
                yield receipt, dict(known)

    def lines(self) -> Iterator[bytes]:
        """Every row that the law explains, as a line of canonical JSON, in the order of ids: equal sets of changes give
        equal lines. When a death was merged is no part of it."""
        with _translated():
            for table, columns in (("receipt", "id, died, fields"), ("record", RECORD)):
                for row in self._database.execute(f"SELECT {columns} FROM {table} ORDER BY id"):
                    told = [part.hex() if isinstance(part, bytes) else part for part in row]
                    yield canonical([table, *told]).encode() + b"\n"

    def verify(self) -> None:
        """Read the whole file. Raises StateInvalid where SQLite finds damage, or a row contradicts the law."""
        with _translated():
            for (finding,) in self._database.execute("PRAGMA quick_check(1)"):
                if finding != "ok":
                    raise StateInvalid(f"the merged state is damaged: {finding}")
            ask = self._database.execute
            visible, misplaced = ask(
                "SELECT count(*) FILTER (WHERE visible), count(*) FILTER (WHERE (vector_at <> '' AND NOT visible) <> "
                "(vector IS NOT NULL)) FROM record"
            ).fetchone()
        if visible != self.visible():
            raise StateInvalid(f"the merged state counts {self.visible()} visible records and has {visible}")
        if misplaced:
            raise StateInvalid(f"the merged state has {misplaced} records whose vector is where it should not be")

    def _affected(self, news: Mapping[str, Known]) -> dict[str, Known]:
        """What the law asks for: whom the news speak of, their receipts, and all records of such a receipt."""
        spoken_of = [owner for owner in news if not is_record(owner)]
        known = self._known({*news, *map(receipt_of, news)})
        return known | dict(map(_record, self._rows(RECORDS_BY_RECEIPT, spoken_of)))

    def _known(self, owners: set[str]) -> dict[str, Known]:
        records = map(_record, self._rows(RECORDS_BY_ID, filter(is_record, owners)))
        receipts = map(_receipt, self._rows(RECEIPTS_BY_ID, (owner for owner in owners if not is_record(owner))))
        return dict(chain(records, receipts))

    def _rows(self, query: str, owners: Iterable[str]) -> Iterator[Sequence[Any]]:
        asked = list(owners)
        return iter(self._database.execute(query, (json.dumps(asked),)) if asked else ())

    def _taken_back(
        self, before: Mapping[str, Known], after: Mapping[str, Known], take_back: TakeBack
    ) -> dict[str, Known]:
        """Those whose vector only Chroma has and who are hidden now, with their vectors."""
        hidden = [
            owner
            for owner, known in after.items()
            if known.vector.at != NEVER and known.vector.data is None and not known.visible
        ]
        vectors = take_back(hidden) if hidden else {}
        for owner in hidden:
            if owner not in vectors:
                raise StateInvalid(f"record {owner} is visible by the merged state, and Chroma does not have it")
            if law.mark_of(vectors[owner]) != after[owner].vector.mark:
                raise StateInvalid(f"record {owner} has another vector in Chroma than the merged state knows of")
        return {
            owner: after[owner]._replace(vector=after[owner].vector._replace(data=vectors[owner])) for owner in hidden
        }

    def _write(self, before: Mapping[str, Known], after: Mapping[str, Known]) -> None:
        written = sorted((owner, known) for owner, known in after.items() if known is not before.get(owner))
        gone = [(owner,) for owner in before if owner not in after]
        write = self._database.executemany
        write(
            WRITE_RECORD,
            (
                (owner, it.born, it.died, it.vector.at, it.vector.mark, it.vector.data, _text(it.fields))
                for owner, it in written
                if is_record(owner)
            ),
        )
        write(
            WRITE_RECEIPT,
            ((owner, it.died, _text(it.fields)) for owner, it in written if not is_record(owner)),
        )
        for table in ("record", "receipt"):
            write(f"DELETE FROM {table} WHERE id = ?", gone)
        more = sum(it.visible for it in after.values()) - sum(it.visible for it in before.values())
        self._database.execute("UPDATE visible SET records = records + ?", (more,))

    def _note_deaths(
        self, before: Mapping[str, Known], after: Mapping[str, Known], news: Mapping[str, Known], now: datetime
    ) -> None:
        since = int(now.timestamp())
        self._database.executemany(
            WRITE_DEATH,
            (
                (owner, name, at, since)
                for owner, said in news.items()
                if owner in after
                for name, at in _deaths(before.get(owner, NOTHING), after[owner], said)
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA journal_mode = MEMORY")
    database.execute("PRAGMA secure_delete = ON")
    return database


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StateInvalid(f"the merged state cannot be read or written: {error}") from error


def _record(row: Sequence[Any]) -> tuple[str, Known]:
    owner, born, died, at, mark, data, fields = row
    return owner, Known(born, died, Vector(at, mark, data) if at else NO_VECTOR, _fields(fields))


def _receipt(row: Sequence[Any]) -> tuple[str, Known]:
    owner, died, fields = row
    return owner, Known(NEVER, died, NO_VECTOR, _fields(fields))


def _in_order(row: tuple[str, Known]) -> str:
    """A record's id, and a receipt's before those of its records."""
    owner, _ = row
    return owner if is_record(owner) else f"{owner}/"


def _fields(text: str) -> Mapping[str, Said]:
    return {name: (at, value) for at, said in json.loads(text).items() for name, value in said.items()}


def _text(fields: Mapping[str, Said]) -> str:
    """`{at: {name: value}}`: what one change has set shares its `at`."""
    said: dict[str, dict[str, Any]] = {}
    for name, (at, value) in fields.items():
        said.setdefault(at, {})[name] = value
    return canonical(said)


def _differences(before: Mapping[str, Known], after: Mapping[str, Known]) -> Iterator[Difference]:
    for owner in sorted(filter(is_record, before.keys() | after.keys())):
        receipt = receipt_of(owner)
        was, becomes = (Facts(known.get(owner, NOTHING), known.get(receipt, NOTHING)) for known in (before, after))
        if found := difference(owner, was, becomes):
            yield found


def _in_chroma(after: Mapping[str, Known]) -> dict[str, Known]:
    """As it is written: without the bytes that Chroma has."""
    return {
        owner: known._replace(vector=known.vector._replace(data=None)) if known.visible and known.vector.data else known
        for owner, known in after.items()
    }


def _deaths(before: Known, after: Known, said: Known) -> Iterator[tuple[str, str]]:
    """The names and times of the deaths and nulls that are news and count."""
    if after.died != before.died and after.died != NEVER:
        yield WHOLE, after.died
    for name, news in said.fields.items():
        if news[1] is None and after.fields.get(name) is news:
            yield name, news[0]


def _without(known: Known, name: str, at: str) -> Known:
    """Without the death or null of this time; itself where something later has taken its place."""
    if name == WHOLE:
        return known._replace(died=NEVER) if known.died == at else known
    if known.fields.get(name) != (at, None):
        return known
    return known._replace(fields={kept: said for kept, said in known.fields.items() if kept != name} or NO_FIELDS)


def _notes(
    changes: Iterable[Change],
    vectors: Iterable[VectorRow],
    before: Mapping[str, Known],
    after: Mapping[str, Known],
    news: Mapping[str, Known],
) -> Iterator[Note]:
    for change in changes:
        known = after.get(change.owner, NOTHING)
        if not law.counts(change, known):
            yield Note(change.owner, change.at, OVERTAKEN)
        elif is_record(change.owner) and not known.exists:
            if not change.died:
                yield Note(change.owner, change.at, NOT_BORN)
            elif not _was_there(before.get(change.owner, NOTHING), news[change.owner]):
                yield Note(change.owner, change.at, NOT_THERE)
    for row in vectors:
        known = after.get(row.id, NOTHING)
        if known.vector.at != row.at:
            yield Note(row.id, row.at, OVERTAKEN)
        elif not known.exists:
            yield Note(row.id, row.at, NOT_BORN)


def _was_there(known: Known, news: Known) -> bool:
    return known.exists or news.born > known.died
