"""What planning has read in a folder, kept for the next time: which id the metadata of which files gives.

Without it a run that finds nothing changed would still read every metadata file, one call a document. It is only a
memory of reading: files with another key, ETag or size are read, and whether a document is unchanged is the ledger's
word alone. Both it and the pairs of a listing come in the order of the metadata files' keys, so they are merged like
two sorted files, and memory stays flat."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kendra_ingestion.pairing import METADATA_SUFFIX, Found


class Remembered(NamedTuple):
    """The id that the metadata of the document at `key` gave while its files had this digest."""

    key: str
    digest: str
    document_id: str


class Catalogue:
    """Looks pairs up, in the order in which a listing settles them."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._rest = _read(lines)
        self._next: Remembered | None = None

    def id_of(self, found: Found) -> str | None:
        """The document's id, if its files are as they were; None where they have to be read."""
        if found.metadata is None:
            return None
        place = found.key + METADATA_SUFFIX
        while self._next is None or self._next.key + METADATA_SUFFIX < place:
            self._next = next(self._rest, None)
            if self._next is None:
                return None
        same = (self._next.key, self._next.digest) == (found.key, found.digest)
        return self._next.document_id if same else None


def line(found: Found, document_id: str) -> bytes:
    """What the catalogue keeps of a pair that was read."""
    remembered = Remembered(found.key, found.digest, document_id)
    return json.dumps(remembered, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def _read(lines: Iterable[bytes]) -> Iterator[Remembered]:
    return (Remembered(*json.loads(text)) for text in lines)
