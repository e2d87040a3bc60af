"""A state with its Chroma, and the law read a second time from docs/vector_store.md: over sets of changes, without a
merge."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from tests.fakes.chroma import FakeChroma, Row, contents
from tests.fakes.histories import RECORDS, Event
from vector_store import law
from vector_store.changes import Change, Value, VectorRow, canonical, receipt_of
from vector_store.law import NEVER
from vector_store.state import Merged, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEMORY = Path(":memory:")


class Store:
    """A state, in memory if no path is given, and its Chroma."""

    def __init__(self, path: Path = MEMORY) -> None:
        self.state, self.chroma = State.create(path), FakeChroma()

    def take(self, *delta: Event, now: datetime = NOW) -> Merged:
        """Merge a delta, and hold what Chroma has against what the state says of it."""
        merged = self.state.merge(
            [it for it in delta if isinstance(it, Change)],
            [it for it in delta if isinstance(it, VectorRow)],
            now=now,
            take_back=self.chroma.vectors,
        )
        self.chroma.apply(merged.differences)
        assert list(self.state.shown()) == [(name, (it.document, it.metadata)) for name, it in self.chroma.sorted()]
        assert self.state.visible() == len(self.chroma.rows)
        return merged

    def contents(self) -> str:
        return contents(self.state, self.chroma)

    def is_explained_by(self, seen: Iterable[Event]) -> bool:
        expected = FakeChroma(explained(seen))
        return texts(expected) == texts(self.chroma)


def texts(chroma: FakeChroma) -> list[str]:
    """All rows, as texts that tell true from 1."""
    return [f"{name} {canonical([it.document, it.metadata])} {it.vector.hex()}" for name, it in chroma.sorted()]


def explained(events: Iterable[Event]) -> dict[str, Row]:
    """What Chroma shows after this set of events, by the law's sentences and nothing else."""
    changes = [it for it in events if isinstance(it, Change)]
    vectors = [it for it in events if isinstance(it, VectorRow)]
    shown = {}
    for record in RECORDS:
        receipt = receipt_of(record)
        own, receipts = ([it for it in changes if it.owner == owner] for owner in (record, receipt))
        receipt_died = max((it.at for it in receipts if it.died), default=NEVER)
        died = max((it.at for it in own if it.died), default=NEVER)
        died = max(died, receipt_died)
        exists = any(it.born and it.at > died for it in own)
        embedded = [it for it in vectors if it.id == record and it.at > died]
        if exists and embedded:
            fields = last(receipts, receipt_died) | last(own, died)
            last_vector = max(embedded, key=lambda it: (it.at, law.mark_of(it.vector))).vector
            numbers = dict(zip(("line", "word"), map(int, record.split("/")[1:]), strict=False))
            document = str(fields.pop("text", ""))
            shown[record] = Row(document, {**fields, "receipt_id": receipt, **numbers}, last_vector)
    return shown


def last(changes: Iterable[Change], died: str) -> dict[str, Value]:
    """Each field's value of the last change that set it after the death, but nulls."""
    said: dict[str, tuple[str, str, Value]] = {}
    for it in changes:
        for name, value in it.set.items():
            if it.at > died and (name not in said or (it.at, canonical(value)) > said[name][:2]):
                said[name] = it.at, canonical(value), value
    return {name: value for name, (_, _, value) in said.items() if value is not None}
