"""The law of the store: what is known of a record or a receipt, merged part by part. Pure.

A store is a function of the set of changes that it has seen. Each part of what is known is the maximum of what was said
of it, and what a death ends is dropped at once, because no later change can make it count again. So `merge` is
commutative, associative and idempotent, and equal sets of changes give equal stores.

* A later `at` wins. At the same `at`, the greater canonical JSON of a field, and the greater digest of a vector.
* What was said of a record at its death or before does not count, nor what was said at its receipt's death or before.
  The receipt's own fields end with it too.
* A record exists if it was born later than that. It is visible if it exists and has a vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from vector_store.changes import Change, Value, VectorRow, canonical, is_record, receipt_of

NEVER = ""
"""Earlier than every `at`."""

MARK_BYTES = 16
"""Of a vector's SHA-256: enough that two vectors of one record never share them."""


Said = tuple[str, Value]
"""The last that was said of a field: when, and the value. A plain tuple, because a merge makes a hundred thousand."""


class Vector(NamedTuple):
    """The last vector of a record, told from others by its mark. Of a visible record Chroma has the bytes, so they are
    None here."""

    at: str
    mark: bytes
    data: bytes | None


class Known(NamedTuple):
    """What is known of a record or a receipt; a receipt is never born and has no vector."""

    born: str
    died: str
    vector: Vector
    fields: Mapping[str, Said]

    @property
    def exists(self) -> bool:
        """What its death has ended is no more in it, so any birth is a later one."""
        return self.born != NEVER

    @property
    def visible(self) -> bool:
        return self.exists and self.vector.at != NEVER


NO_FIELDS: Mapping[str, Said] = MappingProxyType({})
NO_VECTOR = Vector(NEVER, b"", None)
NOTHING = Known(NEVER, NEVER, NO_VECTOR, NO_FIELDS)


def mark_of(data: bytes) -> bytes:
    return sha256(data).digest()[:MARK_BYTES]


def heard(changes: Iterable[Change], vectors: Iterable[VectorRow]) -> dict[str, Known]:
    """What changes and vectors say together, by owner."""
    known: dict[str, Known] = {}
    for change in changes:
        _hear(known, change.owner, _of_change(change))
    for row in vectors:
        _hear(known, row.id, Known(NEVER, NEVER, Vector(row.at, mark_of(row.vector), row.vector), NO_FIELDS))
    return known


def merge(store: Mapping[str, Known], news: Mapping[str, Known]) -> dict[str, Known]:
    """The store with the news, by owner; an owner of whom nothing is known is left out.

    `store` may be a part of the whole: every owner of the news, the receipts of these, and all records of a receipt
    that the news speak of. What stays as it was is the same object."""
    merged: dict[str, Known] = {}
    for owner in {**store, **news}:
        known, said = store.get(owner, NOTHING), news.get(owner, NOTHING)
        receipt_died = _died(store, news, receipt_of(owner)) if is_record(owner) else NEVER
        died = max(known.died, said.died)
        left = join(outlived(known, died, receipt_died), outlived(said, died, receipt_died))
        if left != NOTHING:
            merged[owner] = left
    return merged


def join(one: Known, other: Known) -> Known:
    """The later of each part; `one` itself where the other says nothing later."""
    vector = other.vector if other.vector[:2] > one.vector[:2] else one.vector
    joined = Known(max(one.born, other.born), max(one.died, other.died), vector, _later(one.fields, other.fields))
    return one if _same(joined, one) else joined


def outlived(known: Known, died: str, receipt_died: str) -> Known:
    """What is left of it after its own last death and its receipt's; itself where all is. Of the two, only the later is
    worth keeping."""
    death = max(died, receipt_died)
    if death == NEVER:
        return known
    ended = any(at <= death for at, _ in known.fields.values())
    left = Known(
        known.born if known.born > death else NEVER,
        known.died if known.died > receipt_died else NEVER,
        known.vector if known.vector.at > death else NO_VECTOR,
        {name: said for name, said in known.fields.items() if said[0] > death} if ended else known.fields,
    )
    return known if _same(left, known) else left


def counts(change: Change, known: Known) -> bool:
    """Whether something that the change says is the last that is known."""
    return (
        (change.born and known.born == change.at)
        or (change.died and known.died == change.at)
        or any(name in known.fields and known.fields[name][0] == change.at for name in change.set)
    )


def _died(store: Mapping[str, Known], news: Mapping[str, Known], owner: str) -> str:
    return max(store.get(owner, NOTHING).died, news.get(owner, NOTHING).died)


def _hear(known: dict[str, Known], owner: str, said: Known) -> None:
    known[owner] = join(known[owner], said) if owner in known else said


def _of_change(change: Change) -> Known:
    at = change.at
    return Known(
        at if change.born else NEVER,
        at if change.died else NEVER,
        NO_VECTOR,
        {name: (at, value) for name, value in change.set.items()} if change.set else NO_FIELDS,
    )


def _later(one: Mapping[str, Said], other: Mapping[str, Said]) -> Mapping[str, Said]:
    later = {name: said for name, said in other.items() if name not in one or _is_later(said, one[name])}
    return {**one, **later} if later else one


def _is_later(said: Said, known: Said) -> bool:
    (at, value), (known_at, known_value) = said, known
    return at > known_at if at != known_at else canonical(value) > canonical(known_value)


def _same(one: Known, other: Known) -> bool:
    """Whether all parts are the same objects: by value, true and 1 would be equal, and their JSON is not."""
    return (
        one.born is other.born and one.died is other.died and one.vector is other.vector and one.fields is other.fields
    )
