"""The two designs of note 001, as far as Chroma and its snapshot have a part in them.

An invocation fetches the published snapshot, opens Chroma, updates the records of its batch one after the other, each
by the metadata that its message has, and publishes the folder as the next snapshot. Its Chroma is this machine's and
its bucket is the one that ours has, so what both do costs both the same; it neither merges, nor checks, nor packs.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vector_store.changes import Change

BUCKET = "note-001"
FIFO_BATCH = 10
"""Messages of an invocation: SQS's limit for a FIFO queue, and so the note's."""
STANDARD_BATCH = 500
"""Messages of an invocation that the note means to reach with a standard queue."""


class NoteStore:
    """A published snapshot that is updated as the note does it. `s3` copies whole files."""

    def __init__(self, s3: Any, collection: str, work: Path) -> None:
        self._s3 = s3
        self._collection = collection
        self._work = work
        self._version = 0
        self._files: list[Path] = []

    def publish(self, folder: Path) -> None:
        """Publish a Chroma folder as the next snapshot."""
        self._version += 1
        self._files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
        for file in self._files:
            self._s3.upload_file(Filename=str(folder / file), Bucket=BUCKET, Key=self._key(file))

    def fetch(self) -> Path:
        """Take the published snapshot into a folder of its own."""
        folder = self._work / f"{self._version}"
        for file in self._files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(Bucket=BUCKET, Key=self._key(file), Filename=str(folder / file))
        return folder

    def invoke(self, batch: Sequence[Change]) -> float:
        """One invocation; its seconds."""
        began = time.perf_counter()
        folder = self.fetch()
        update_one_by_one(folder, self._collection, batch)
        self.publish(folder)
        seconds = time.perf_counter() - began
        shutil.rmtree(folder)
        return seconds

    def _key(self, file: Path) -> str:
        return f"{self._collection}/snapshot/{self._version}/{file}"


def update_one_by_one(folder: Path, collection: str, batch: Sequence[Change]) -> None:
    """Update the records in Chroma's folder, each by a call of its own."""
    with_collection(
        folder,
        collection,
        lambda chroma: [chroma.update(ids=[change.owner], metadatas=[dict(change.set)]) for change in batch],
    )


def with_collection(folder: Path, collection: str, act: Callable[[Any], object]) -> None:
    """Open Chroma in a folder that this process has not had open before, act, and close it."""
    import chromadb
    from chromadb.config import Settings

    client: Any = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    try:
        act(client.get_collection(collection, embedding_function=None))
    finally:
        client.close()
