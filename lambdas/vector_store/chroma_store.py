"""The adapter for Chroma: one collection, in a folder of its own.

What Chroma is asked for was measured on 1.5.9 (docs/decisions/chroma.md): changes in chunks of 5,000, in the order of
ids, metadata by the keys that differ, and a new vector by taking the record out and putting it in again, which is three
times faster than Chroma's own way. Importing Chroma takes 1.4 s, so only who opens a store does."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from shared.batching import cut
from vector_store.changes import FLOAT32_BYTES, Value
from vector_store.errors import SnapshotInvalid
from vector_store.showing import ADD, REMOVE, REPLACE, UPDATE, Difference, Kind, Shown

CHUNK = 5_000
"""Records of one call: larger chunks gain nothing any more, and Chroma takes 5,461 at most."""

SPACE = "l2"
"""Squared distance. It ranks normalized vectors as the cosine does, and unlike `cosine` Chroma stores them unchanged:
the law needs back the very bytes that it has put in."""

DATABASE = "chroma.sqlite3"

WHILE_OPEN, WHEN_CLOSED = "wal", "delete"
"""The journal of Chroma's database: the write-ahead log takes 40% less time, without it the database is one file."""

DESCRIPTORS = Path("/dev/fd")
"""What this process has open, on Linux, in Lambda and on macOS."""

CLOSING_TRIES = 1_000
CLOSING_PAUSE_SECONDS = 0.01


class Hit(NamedTuple):
    """A record that a search found. `distance` is squared, 0 for the same vector; with normalized vectors the cosine is
    1 - distance / 2."""

    id: str
    distance: float
    document: str
    metadata: Mapping[str, Value]


class ChromaStore:
    """An open store. Closing it makes its folder's files whole; nothing of it stays open in the process.

    Every method raises SnapshotInvalid where Chroma cannot read or write its files, and ValueError where it refuses an
    argument, such as a vector of another dimension."""

    _client: Any

    def __init__(self, folder: Path, collection: str, *, create: bool = False) -> None:
        """Open the store that is in this folder, or with `create` make one, in a folder that is empty or missing.

        The folder must be at a path that no other store of this process has had while it was open: Chroma keeps what is
        open by its path."""
        if create == (folder / DATABASE).exists():
            raise SnapshotInvalid(f"{folder.name}: {DATABASE} is {'there already' if create else 'missing'}")
        import chromadb
        from chromadb.config import Settings

        self._folder = folder
        with _translated(collection):
            folder.mkdir(parents=True, exist_ok=True)
            _set_journal(folder, WHILE_OPEN)
            self._client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        try:
            with _translated(collection):
                self._collection: Any = self._opened(collection, create)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files. They are whole when this returns: nobody writes to them any more."""
        with _translated(self._collection.name):
            try:
                # Chroma answers when its index has caught up with its log.
                self._collection.count()
            finally:
                self._client.close()
            self._become_one_file()

    def count(self) -> int:
        """How many records there are."""
        with _translated(self._collection.name):
            return int(self._collection.count())

    def apply(self, differences: Iterable[Difference]) -> None:
        """Make what Chroma shows what it should show. The differences of one merge, each record once."""
        by_kind: dict[Kind, list[Difference]] = {kind: [] for kind in (ADD, UPDATE, REPLACE, REMOVE)}
        for difference in differences:
            by_kind[difference.kind].append(difference)
        with _translated(self._collection.name):
            for part in cut(by_kind[REMOVE] + by_kind[REPLACE], CHUNK):
                self._collection.delete(ids=[it.id for it in part])
            for part in cut(by_kind[UPDATE], CHUNK):
                self._update(part)
            for part in cut(by_kind[ADD] + by_kind[REPLACE], CHUNK):
                self.add([(it.id, *_whole(it)) for it in part])

    def add(self, records: Sequence[tuple[str, Shown, bytes]]) -> None:
        """Put in records that are not there, at most a chunk of them."""
        with _translated(self._collection.name):
            self._collection.add(
                ids=[name for name, _, _ in records],
                embeddings=_array([vector for _, _, vector in records]),
                documents=[shown.document for _, shown, _ in records],
                metadatas=[dict(shown.metadata) for _, shown, _ in records],
            )

    def vectors(self, ids: Iterable[str]) -> dict[str, bytes]:
        """The vectors of these records as they were put in, float32, little-endian; who is not there is left out."""
        import numpy as np

        found: dict[str, bytes] = {}
        with _translated(self._collection.name):
            for part in cut(ids, CHUNK):
                reply = self._collection.get(ids=part, include=["embeddings"])
                vectors = np.asarray(reply["embeddings"], dtype="<f4")
                found |= zip(reply["ids"], (vector.tobytes() for vector in vectors), strict=True)
        return found

    def read(self, ids: Iterable[str]) -> Iterator[tuple[str, Shown, bytes]]:
        """All that Chroma has of these records, in the order that is asked for; who is not there is left out."""
        with _translated(self._collection.name):
            for part in cut(ids, CHUNK):
                vectors = self.vectors(part)
                reply = self._collection.get(ids=part, include=["documents", "metadatas"])
                shown = {
                    name: Shown(document, metadata)
                    for name, document, metadata in zip(
                        reply["ids"], reply["documents"], reply["metadatas"], strict=True
                    )
                }
                for name in part:
                    if name in vectors:
                        yield name, shown[name], vectors[name]

    def ids(self) -> list[str]:
        """The ids of all records, sorted."""
        with _translated(self._collection.name):
            return sorted(self._collection.get(include=[])["ids"])

    def search(self, vector: bytes, *, limit: int = 10, where: Mapping[str, Any] | None = None) -> list[Hit]:
        """The records nearest to a vector (float32, little-endian), nearest first; `where` is Chroma's filter of
        metadata, as in `{"label:TOTAL": "VALID"}`."""
        return self.search_each([vector], limit=limit, where=where)[0]

    def search_each(
        self, vectors: Sequence[bytes], *, limit: int, where: Mapping[str, Any] | None = None
    ) -> list[list[Hit]]:
        """The same for each of several vectors."""
        with _translated(self._collection.name):
            reply = self._collection.query(
                query_embeddings=_array(vectors),
                n_results=limit,
                where=where,
                include=["documents", "metadatas", "distances"],
            )
        columns = (reply[name] for name in ("ids", "distances", "documents", "metadatas"))
        return [[Hit(*row) for row in zip(*lists, strict=True)] for lists in zip(*columns, strict=True)]

    def _become_one_file(self) -> None:
        """Chroma's connections end a moment after it is closed. Until then nobody else may open the database: Chroma
        has an SQLite of its own, and of two in one process neither sees the other's locks."""
        for _ in range(CLOSING_TRIES):
            if not _is_open(self._folder):
                _set_journal(self._folder, WHEN_CLOSED)
                return
            time.sleep(CLOSING_PAUSE_SECONDS)
        raise SnapshotInvalid(f"Chroma keeps files of {self._folder.name} open after it was closed")

    def _opened(self, collection: str, create: bool) -> Any:
        if not create:
            return self._client.get_collection(collection, embedding_function=None)
        configuration: Any = {"hnsw": {"space": SPACE}}
        return self._client.create_collection(collection, configuration=configuration, embedding_function=None)

    def _update(self, differences: Sequence[Difference]) -> None:
        """The collection's own `update` asks for an embedding wherever a document changes, and to give one, even the
        same, costs 5 ms; the call that it makes does not."""
        self._collection._client._update(
            collection_id=self._collection.id,
            ids=[it.id for it in differences],
            metadatas=[dict(it.metadata) or None for it in differences],
            documents=[it.document for it in differences],
            tenant=self._collection.tenant,
            database=self._collection.database,
        )


def _whole(difference: Difference) -> tuple[Shown, bytes]:
    after = difference.after
    if after is None or difference.vector is None:
        raise ValueError(f"record {difference.id} is to be put into Chroma, but is not visible or has no vector")
    return after, difference.vector


def _array(vectors: Sequence[bytes]) -> Any:
    import numpy as np

    return np.frombuffer(b"".join(vectors), dtype="<f4").reshape(-1, len(vectors[0]) // FLOAT32_BYTES)


def _is_open(folder: Path) -> bool:
    """Whether this process has a file under a folder open."""
    opened = {(it.st_dev, it.st_ino) for it in _descriptors()}
    return any((it.st_dev, it.st_ino) in opened for it in _files(folder))


def _files(folder: Path) -> Iterator[os.stat_result]:
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            yield path.stat()


def _descriptors() -> Iterator[os.stat_result]:
    for name in [it.name for it in DESCRIPTORS.iterdir()]:
        with suppress(OSError):
            yield os.fstat(int(name))


def _set_journal(folder: Path, mode: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}")


@contextmanager
def _translated(collection: str) -> Iterator[None]:
    from chromadb.errors import ChromaError, InvalidArgumentError

    try:
        yield
    except InvalidArgumentError as error:
        raise ValueError(f"Chroma's collection {collection}: {error}") from error
    except (ChromaError, sqlite3.DatabaseError) as error:
        raise SnapshotInvalid(f"Chroma's collection {collection} cannot be read or written: {error}") from error
