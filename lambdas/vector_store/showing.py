"""What Chroma shows of a record, and what it must be told after a merge. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from vector_store.changes import TEXT, Value
from vector_store.law import Known, Said

Kind = Literal["add", "update", "replace", "remove"]
ADD: Kind = "add"
UPDATE: Kind = "update"
REPLACE: Kind = "replace"
REMOVE: Kind = "remove"

NOTHING_TOLD: Mapping[str, Value] = {}


class Shown(NamedTuple):
    """A visible record's document and metadata. Without a text the document is empty: Chroma cannot take one back."""

    document: str
    metadata: Mapping[str, Value]


class Facts(NamedTuple):
    """What is known of a record and of its receipt."""

    record: Known
    receipt: Known


class Difference(NamedTuple):
    """What Chroma must be told of one record."""

    id: str
    kind: Kind
    document: str | None
    """None where Chroma has it."""
    metadata: Mapping[str, Value]
    """Of an addition all of it; else what differs, with None for what ends."""
    vector: bytes | None
    """Of an addition and a replacement."""
    was: Facts
    becomes: Facts

    @property
    def before(self) -> Shown | None:
        return shown(self.id, self.was)

    @property
    def after(self) -> Shown | None:
        return shown(self.id, self.becomes)


def shown(record_id: str, facts: Facts) -> Shown | None:
    """What Chroma shows: the record's fields and its receipt's that are not null, and what its id says. None if the
    record is not visible."""
    if not facts.record.visible:
        return None
    metadata: dict[str, Value] = {}
    for fields in (facts.receipt.fields, facts.record.fields):
        for name, (_, value) in fields.items():
            if value is not None:
                metadata[name] = value
    document = str(metadata.pop(TEXT, ""))
    receipt_id, *numbers = record_id.split("/")
    metadata["receipt_id"] = receipt_id
    metadata.update(zip(("line", "word"), map(int, numbers), strict=False))
    return Shown(document, metadata)


def difference(record_id: str, was: Facts, becomes: Facts) -> Difference | None:
    """What Chroma must be told of a record; None if nothing."""
    if not becomes.record.visible:
        return Difference(record_id, REMOVE, None, NOTHING_TOLD, None, was, becomes) if was.record.visible else None
    if not was.record.visible:
        after = shown(record_id, becomes)
        assert after is not None
        return Difference(record_id, ADD, *after, becomes.record.vector.data, was, becomes)
    told = {
        name: value for name in _spoken_of(was, becomes) if _differs(_value(was, name), value := _value(becomes, name))
    }
    document = str(told.pop(TEXT) or "") if TEXT in told else None
    if was.record.vector.mark != becomes.record.vector.mark:
        return Difference(record_id, REPLACE, document, told, becomes.record.vector.data, was, becomes)
    if told or document is not None:
        return Difference(record_id, UPDATE, document, told, None, was, becomes)
    return None


def _spoken_of(was: Facts, becomes: Facts) -> Iterator[str]:
    """The names of fields that were set or ended. What nothing was said of is the same object."""
    for old, new in zip(was, becomes, strict=True):
        if old.fields is not new.fields:
            yield from (name for name, said in new.fields.items() if old.fields.get(name) is not said)
            yield from (name for name in old.fields if name not in new.fields)


def _value(facts: Facts, name: str) -> Value:
    """A field's value as Chroma shows it: of a name that both have, the record's."""
    own = _said(facts.record.fields.get(name))
    return _said(facts.receipt.fields.get(name)) if own is None else own


def _said(said: Said | None) -> Value:
    return None if said is None else said[1]


def _differs(one: Value, other: Value) -> bool:
    """True and 1 are equal, and 1 and 1.0, but Chroma tells them apart."""
    return type(one) is not type(other) or one != other
