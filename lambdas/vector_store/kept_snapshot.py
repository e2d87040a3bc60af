"""A published snapshot that stays open from one question to the next, while it is the published one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from vector_store.errors import SnapshotInvalid
from vector_store.pointer import Pointer, Pointers
from vector_store.snapshots import Snapshots
from vector_store.store import Store, open_snapshot


class Published(NamedTuple):
    """An open snapshot."""

    pointer: Pointer
    store: Store


class KeptSnapshot:
    """One collection's. Not for several threads: a Lambda environment works one event at a time."""

    def __init__(self, collection: str, snapshots: Snapshots, pointers: Pointers, *, dimension: int) -> None:
        self._collection = collection
        self._snapshots = snapshots
        self._pointers = pointers
        self._dimension = dimension
        self._opened = ExitStack()
        self._published: Published | None = None

    @contextmanager
    def published(self) -> Iterator[Published | None]:
        """What is published now, None where nothing is. The one before is closed and its files removed first, so that
        the disk holds one. What turns out to be damaged is not kept.

        Raises StoreUnavailable, SnapshotInvalid, and ConfigurationInvalid where its vectors have another dimension."""
        pointer = self._pointers.read(self._collection)
        if self._published is not None and self._published.pointer != pointer:
            self.close()
        if self._published is None and pointer is not None:
            self._published = self._open(pointer)
        try:
            yield self._published
        except SnapshotInvalid:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the files."""
        self._published = None
        self._opened.close()

    def _open(self, pointer: Pointer) -> Published:
        self._snapshots.manifest(pointer).check_dimension(self._collection, self._dimension)
        return Published(pointer, self._opened.enter_context(open_snapshot(self._snapshots, pointer, self._collection)))
