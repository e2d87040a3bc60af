"""Pairing a sorted listing: the document `K` belongs to the metadata file `K.metadata.json`.

Keys arrive in S3's order (UTF-8 bytes, which is Python's order of strings), so a document comes before its
metadata, but other keys can sort between the two: `x.json`, `x.json-a`, `x.json-a.metadata.json`,
`x.json.metadata.json`. A document therefore waits until the listing has passed the place where its metadata
would stand.

Whatever waits at one moment forms a chain in which each key is a prefix of the next: for K1 < K2 <
K1.metadata.json, K2 begins with K1. A key has at most 1,024 bytes (S3), so no more than 1,024 keys ever wait,
and memory stays flat. The chain also makes the newest waiting key nearly always the right one, which is what
makes this fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from kendra_ingestion.failures import FailureCode

METADATA_SUFFIX = ".metadata.json"

DIGEST_BYTES = 16
"""Two different states of a document share such a digest with a probability of 10^-38."""


class Listed(NamedTuple):
    """One object, as a listing shows it: `size` in bytes, the ETag without its quotes, `modified` in seconds since
    1970 (S3 counts whole ones)."""

    key: str
    size: int
    etag: str
    modified: float


class Found(NamedTuple):
    """One planned document of the folder: a pair, or half of one, which stands in `document` whichever half it is."""

    document: Listed
    metadata: Listed | None

    @property
    def key(self) -> str:
        """The document's key; that of the metadata file where it stands alone."""
        return self.document.key

    @property
    def problem(self) -> FailureCode | None:
        """Which half is missing; None for a pair."""
        if self.metadata is not None:
            return None
        orphan = self.key.endswith(METADATA_SUFFIX)
        return FailureCode.METADATA_WITHOUT_DOCUMENT if orphan else FailureCode.MISSING_METADATA

    @property
    def modified(self) -> float:
        """When the younger of the files was written, in seconds since 1970."""
        return max(self.document.modified, self.metadata.modified if self.metadata else 0)

    @property
    def digest(self) -> str:
        """Tells one state of the files from another: 32 hexadecimal digits of their ETags and sizes.

        Neither keys nor times are in it: the same bytes uploaded again are the same state.
        """
        files = (self.document, self.metadata) if self.metadata else (self.document,)
        state = "".join(f"{file.etag} {file.size}\n" for file in files)
        return blake2b(state.encode("utf-8"), digest_size=DIGEST_BYTES).hexdigest()


class Pairing:
    """Feed it a listing page by page, then finish it. `waiting` is all that a later run of it needs."""

    def __init__(self, waiting: Iterable[Iterable[Any]] = ()) -> None:
        self.waiting = [Listed._make(entry) for entry in waiting]

    def feed(self, page: Iterable[Listed]) -> Iterator[Found]:
        """Pair the page's entries with what waits, and yield what is settled, in the listing's order.

        Directory markers (keys that end in `/`) are no documents. A metadata file whose document is missing
        may itself be a document with metadata (`a.metadata.json` and `a.metadata.json.metadata.json`), so it
        waits too."""
        waiting = self.waiting
        expected = waiting[-1].key + METADATA_SUFFIX if waiting else ""
        for entry in page:
            key = entry.key
            if key == expected:
                yield Found(waiting.pop(), entry)
                expected = waiting[-1].key + METADATA_SUFFIX if waiting else ""
                continue
            while waiting and expected < key:
                yield Found(waiting.pop(), None)
                expected = waiting[-1].key + METADATA_SUFFIX if waiting else ""
            if key.endswith(METADATA_SUFFIX):
                # `x` and `x.metadata` both wait at `x.metadata.json`, which belongs to the older of the two.
                document = key.removesuffix(METADATA_SUFFIX)
                older = next((place for place, listed in enumerate(waiting) if listed.key == document), None)
                if older is not None:
                    yield Found(waiting.pop(older), entry)
                    continue
            elif key.endswith("/"):
                continue
            waiting.append(entry)
            expected = key + METADATA_SUFFIX

    def finish(self) -> Iterator[Found]:
        """Yield what still waits when the listing has ended: none of it will be paired any more."""
        while self.waiting:
            yield Found(self.waiting.pop(), None)


def pair(listing: Iterable[Listed]) -> Iterator[Found]:
    """Pair a whole listing."""
    pairing = Pairing()
    yield from pairing.feed(listing)
    yield from pairing.finish()
