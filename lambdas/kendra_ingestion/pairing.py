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
from typing import NamedTuple

from kendra_ingestion.failures import FailureCode

METADATA_SUFFIX = ".metadata.json"


class Found(NamedTuple):
    """One planned document of the folder. `problem` is None for a pair; sizes are in bytes."""

    key: str
    size: int
    metadata_size: int
    problem: FailureCode | None


class Pairing:
    """Feed it a listing page by page, then finish it. `waiting` is all that a later run of it needs."""

    def __init__(self, waiting: Iterable[tuple[str, int]] = ()) -> None:
        self.waiting: list[tuple[str, int]] = [(key, size) for key, size in waiting]

    def feed(self, page: Iterable[tuple[str, int]]) -> Iterator[Found]:
        """Pair the page's (key, size) entries with what waits, and yield what is settled, in the listing's
        order.

        Directory markers (keys that end in `/`) are no documents. A metadata file whose document is missing
        may itself be a document with metadata (`a.metadata.json` and `a.metadata.json.metadata.json`), so it
        waits too."""
        waiting = self.waiting
        for key, size in page:
            while waiting and waiting[-1][0] + METADATA_SUFFIX < key:
                yield _unpaired(*waiting.pop())
            if key.endswith(METADATA_SUFFIX):
                document = key[: -len(METADATA_SUFFIX)]
                if waiting and waiting[-1][0] == document:
                    yield Found(document, waiting.pop()[1], size, None)
                    continue
                # `x` and `x.metadata` both wait at `x.metadata.json`, which belongs to the older of the two.
                older = next((place for place, (name, _) in enumerate(waiting) if name == document), None)
                if older is not None:
                    yield Found(document, waiting.pop(older)[1], size, None)
                    continue
            elif key.endswith("/"):
                continue
            waiting.append((key, size))

    def finish(self) -> Iterator[Found]:
        """Yield what still waits when the listing has ended: none of it will be paired any more."""
        while self.waiting:
            yield _unpaired(*self.waiting.pop())


def pair(listing: Iterable[tuple[str, int]]) -> Iterator[Found]:
    """Pair a whole listing."""
    pairing = Pairing()
    yield from pairing.feed(listing)
    yield from pairing.finish()


def _unpaired(key: str, size: int) -> Found:
    if key.endswith(METADATA_SUFFIX):
        return Found(key, size, 0, FailureCode.METADATA_WITHOUT_DOCUMENT)
    return Found(key, size, 0, FailureCode.MISSING_METADATA)
