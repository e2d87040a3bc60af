"""A store: Chroma's folder and the merged state beside it, which change together.

The folder is one process's own copy. What a merge leaves half done is never read: the copy is thrown away, and the
snapshot that it came from is still there."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from shared.batching import cut
from vector_store.changes import Change, Value, VectorRow, canonical
from vector_store.chroma_store import CHUNK, ChromaStore, Hit
from vector_store.errors import SnapshotInvalid
from vector_store.law import mark_of
from vector_store.pointer import Pointer
from vector_store.scratch import scratch_folder
from vector_store.showing import Difference, Shown
from vector_store.snapshots import Snapshots
from vector_store.state import Merged, State

CHROMA, NEW_CHROMA, STATE = "chroma", "chroma-new", "state.sqlite"

SAMPLE = 20
"""Changed records that are looked up before a store is published."""

LOST_BY_CHANCE = 2
"""How many of a sample may fail to find themselves: an index of this kind is approximate, and of 70,000 vectors that
have nothing in common one in forty is not found by itself, new as the index may be (docs/decisions/chroma.md)."""

AROUND = 10
"""How many neighbours a lookup asks for. Equal texts have equal vectors, so the record need not be the first."""

ROUNDED = 1e-15
"""How much of itself a number loses on its way into Chroma's metadata, at most: a few times the last bit of a float."""

SAME_PLACE = 1e-6
"""Squared distance that only the rounding of float32 makes."""


class Lookups(NamedTuple):
    """How many records were looked up by their own vectors, and which of them were not found."""

    number: int
    astray: tuple[str, ...]

    @property
    def is_doubtful(self) -> bool:
        """Whether more are lost than chance loses: a new index may find them."""
        return len(self.astray) > max(LOST_BY_CHANCE, self.number // 5)

    @property
    def is_broken(self) -> bool:
        """Whether so many are lost that nobody should search here."""
        return len(self.astray) > max(LOST_BY_CHANCE, self.number // 2)


class Store:
    """An open store. Every method raises SnapshotInvalid where its files are damaged or at odds with each other."""

    def __init__(self, folder: Path, collection: str, *, create: bool = False) -> None:
        self._folder = folder
        self._collection = collection
        with ExitStack() as opened:
            open_state = State.create if create else State.open
            self.state = opened.enter_context(open_state(folder / STATE))
            self.chroma = ChromaStore(folder / CHROMA, collection, create=create)
            opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files, which are whole then."""
        try:
            self.chroma.close()
        finally:
            self.state.close()

    def merge(self, changes: Iterable[Change], vectors: Iterable[VectorRow], now: datetime) -> Merged:
        """Merge some 10,000 changes and vectors into the state, and show in Chroma what differs."""
        merged = self.state.merge(changes, vectors, now=now, take_back=self.chroma.vectors)
        self.chroma.apply(merged.differences)
        return merged

    def check(self, changed: Sequence[Difference]) -> Lookups:
        """Hold Chroma against the state: their counts, and of a sample of what was changed last everything that Chroma
        has. Returns who of the sample is found by its own vector.

        Raises SnapshotInvalid where the two are at odds."""
        self._check_counts()
        expected = {it.id: it.after for it in _sample(changed)}
        vectors: dict[str, bytes] = {}
        for name, shown, vector in self.chroma.read(expected):
            if not _is_shown(shown, expected[name]):
                raise self._shown_wrongly(name)
            vectors[name] = vector
        if astray := [name for name, shown in expected.items() if (name in vectors) != (shown is not None)]:
            raise SnapshotInvalid(f"Chroma's {self._collection} and the state disagree on record {astray[0]}")
        hits = self.chroma.search_each(list(vectors.values()), limit=AROUND) if vectors else []
        lost = tuple(name for name, near in zip(vectors, hits, strict=True) if not _is_found(name, near))
        return Lookups(len(vectors), lost)

    def check_all(self, beat: Callable[[], None]) -> None:
        """Hold everything that Chroma has against the state: ids, documents, metadata and vectors. `beat` is called
        before every chunk; what it raises ends the work.

        Raises SnapshotInvalid where the two are at odds."""
        self._check_counts()
        for part in cut(self.state.shown_and_marked(), CHUNK):
            beat()
            found = {name: (shown, vector) for name, shown, vector in self.chroma.read(name for name, _, _ in part)}
            for name, expected, mark in part:
                if name not in found:
                    raise SnapshotInvalid(f"Chroma's {self._collection} does not have record {name}, which is visible")
                shown, vector = found[name]
                if not _is_shown(shown, expected) or mark_of(vector) != mark:
                    raise self._shown_wrongly(name)

    def rebuild(self) -> None:
        """Make Chroma's folder new, without the places that dead records keep in its index."""
        new = self._folder / NEW_CHROMA
        with ChromaStore(new, self._collection, create=True) as fresh:
            for part in cut(self.state.shown(), CHUNK):
                vectors = self.chroma.vectors(name for name, _ in part)
                fresh.add([(name, shown, vectors[name]) for name, shown in part])
        self.chroma.close()
        shutil.rmtree(self._folder / CHROMA)
        new.rename(self._folder / CHROMA)
        self.chroma = ChromaStore(self._folder / CHROMA, self._collection)

    def _check_counts(self) -> None:
        """As many as one, and each of the other's there: then no other is there either."""
        self.state.verify()
        found, visible = self.chroma.count(), self.state.visible()
        if found != visible:
            raise SnapshotInvalid(f"Chroma's {self._collection} has {found} records, the merged state {visible}")

    def _shown_wrongly(self, record_id: str) -> SnapshotInvalid:
        return SnapshotInvalid(f"Chroma's {self._collection} does not show record {record_id} as the state knows it")

    def search(self, vector: bytes, *, limit: int = 10, where: Mapping[str, Any] | None = None) -> list[Hit]:
        """The records nearest to a vector; see ChromaStore."""
        return self.chroma.search(vector, limit=limit, where=where)


def contents(store: Store) -> str:
    """The digest of all that a store says: every record that Chroma has, with its document, metadata and vector, in the
    order of ids, and every row of the state. Equal sets of changes make equal contents."""
    digest = sha256()
    for name, shown, vector in store.chroma.read(store.chroma.ids()):
        digest.update(canonical([name, shown.document, shown.metadata, vector.hex()]).encode() + b"\n")
    for line in store.state.lines():
        digest.update(line)
    return digest.hexdigest()


@contextmanager
def open_snapshot(snapshots: Snapshots, pointer: Pointer, collection: str) -> Iterator[Store]:
    """A published snapshot, in a folder that goes with the block. Raises SnapshotInvalid and StoreUnavailable."""
    with scratch_folder() as folder:
        snapshots.download(pointer, folder)
        with Store(folder, collection) as store:
            yield store


def _sample(changed: Sequence[Difference]) -> list[Difference]:
    step = max(1, len(changed) // SAMPLE)
    return list(changed[::step][:SAMPLE])


def _is_shown(found: Shown, expected: Shown | None) -> bool:
    """Whether Chroma shows this. Its log takes a number through JSON, which costs some the last bit."""
    if expected is None or found.document != expected.document or found.metadata.keys() != expected.metadata.keys():
        return False
    return all(_is_same(found.metadata[name], value) for name, value in expected.metadata.items())


def _is_same(found: Value, expected: Value) -> bool:
    if type(found) is not type(expected):
        return False
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=ROUNDED)
    return found == expected


def _is_found(name: str, near: Sequence[Hit]) -> bool:
    return any(hit.id == name for hit in near) or bool(near and near[0].distance <= SAME_PLACE)
