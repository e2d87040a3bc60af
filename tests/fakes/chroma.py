"""Chroma as the law needs it: a collection that takes what a merge tells it, and refuses what makes no sense there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter

from vector_store.changes import Value, canonical
from vector_store.showing import ADD, REMOVE, REPLACE, UPDATE, Difference
from vector_store.state import State


@dataclass
class Row:
    document: str
    metadata: dict[str, Value]
    vector: bytes


class FakeChroma:
    """As in Chroma, an update merges metadata, takes a name away with None, and cannot take a document away. Chroma
    ignores an addition of what is there and a change of what is not; here they fail."""

    def __init__(self, rows: dict[str, Row] | None = None) -> None:
        self.rows = rows or {}

    def apply(self, differences: Iterable[Difference]) -> None:
        ids = []
        for it in differences:
            ids.append(it.id)
            before = self.rows.get(it.id)
            assert (it.before is None) == (it.kind == ADD) == (before is None), f"{it.kind} of {it.id}"
            assert (it.vector is None) == (it.kind in (UPDATE, REMOVE)), f"vector with {it.kind} of {it.id}"
            if before:
                assert it.before is not None
                assert (it.before.document, it.before.metadata) == (before.document, before.metadata)
            if it.kind == REMOVE:
                del self.rows[it.id]
                continue
            row = before or Row("", {}, b"")
            told = {**row.metadata, **it.metadata}
            metadata: dict[str, Value] = {name: value for name, value in told.items() if value is not None}
            document = row.document if it.document is None else it.document
            assert it.after is not None
            assert (it.after.document, it.after.metadata) == (document, metadata)
            if it.kind == REPLACE:
                assert it.vector != row.vector, f"replacement of the same vector of {it.id}"
            self.rows[it.id] = Row(document, metadata, row.vector if it.vector is None else it.vector)
        assert ids == sorted(set(ids)), "each record once, in the order of ids"

    def sorted(self) -> list[tuple[str, Row]]:
        return sorted(self.rows.items(), key=itemgetter(0))

    def vectors(self, ids: Sequence[str]) -> dict[str, bytes]:
        return {name: self.rows[name].vector for name in ids}


def contents(state: State, chroma: FakeChroma) -> str:
    """The digest of all that the law explains: every visible record, and every row of the state."""
    digest = sha256()
    for name, row in chroma.sorted():
        digest.update(canonical([name, row.document, row.metadata, row.vector.hex()]).encode() + b"\n")
    for line in state.lines():
        digest.update(line)
    return digest.hexdigest()
