"""Where a store and the table of receipts differ, and what would mend it. Pure.

The table says what is, the store what it has heard. A repair says what the table was found to say, at a moment that is
later than all that the store has heard of the receipt, and earlier than whatever the stream tells next: so no repair
beats a change that came after the table was read (docs/decisions/repairs.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from shared.stream_records import SEQUENCE_DIGITS, Item, StreamRecord
from vector_store import law
from vector_store.changes import TEXT, Change, Value, repairing
from vector_store.errors import EventInvalid
from vector_store.law import NEVER, NOTHING, Known
from vector_store.receipts import RECEIPT_SORT, RUN_SORT, is_known_kind, told_by

Kind = Literal["missing", "superfluous", "different"]
MISSING: Kind = "missing"
SUPERFLUOUS: Kind = "superfluous"
DIFFERENT: Kind = "different"
KINDS: tuple[Kind, ...] = (MISSING, SUPERFLUOUS, DIFFERENT)

FIRST_AT = "0" * SEQUENCE_DIGITS
"""Earlier than whatever a stream tells: what is repaired where the store has heard nothing at all."""

SECONDS_A_NUMBER = 60
"""Repairs are numbered by the minutes since 1970, or a repair that the store has not merged yet, or never will, would
have the same `at` as one of a later reading of the table. Eight digits last until 2160."""


class Senseless(NamedTuple):
    """An item that makes no sense: its key, and why, without any value."""

    key: str
    reason: str


class Told(NamedTuple):
    """What the table says of a receipt in one collection: its records and its own fields. `whole` is whether its item
    RECEIPT is there, `anything` whether any item is. Of the `unreadable` owners an item makes no sense; `bad` are such
    items."""

    known: Mapping[str, Known]
    whole: bool
    anything: bool
    unreadable: frozenset[str]
    bad: tuple[Senseless, ...]


class Finding(NamedTuple):
    """A record that differs, or a receipt whose own fields do. `what` names the fields."""

    kind: Kind
    owner: str
    what: str = ""

    @property
    def told(self) -> str:
        """In words, without any value."""
        return f"{self.kind}: {self.what}" if self.what else self.kind


class Unembedded(NamedTuple):
    """A record with a text and without a vector. An embedding of it would count as of `at`."""

    id: str
    at: str
    text: str


class Compared(NamedTuple):
    """A receipt's differences, the changes that would mend them, and which of its records have no vector."""

    findings: list[Finding]
    repairs: list[Change]
    unembedded: list[Unembedded]

    @property
    def is_clean(self) -> bool:
        return not self.findings and not self.unembedded


def told(items: Iterable[Item], collection: str) -> Told:
    """What a receipt's items say, in a collection. What makes no sense the router has dropped as well."""
    changes: list[Change] = []
    unreadable: set[str] = set()
    bad: list[Senseless] = []
    whole, anything = False, False
    for item in items:
        sort = item["sk"]["S"]
        if sort.startswith(RUN_SORT):
            continue
        whole = whole or sort == RECEIPT_SORT
        anything = anything or is_known_kind(sort)
        keys = {"pk": item["pk"], "sk": item["sk"]}
        try:
            message = told_by(StreamRecord(keys, FIRST_AT, {}, item)).get(collection)
        except EventInvalid as error:
            owner = _concerned(StreamRecord(keys, FIRST_AT, item, {}), collection)
            if owner is not None:
                bad.append(Senseless(f"{item['pk']['S']} {sort}", str(error)))
            unreadable |= {owner} if owner else set()
            continue
        if isinstance(message, Change):
            changes.append(message)
    return Told(law.heard(changes, ()), whole, anything, frozenset(unreadable), tuple(bad))


def compare(receipt: str, table: Told, known: Mapping[str, Known], *, now: float) -> Compared:
    """Hold what the table says of a receipt against what the store knows of it and its records. `now` is when the table
    was read, in seconds since 1970.

    That an item is not there is certain. That it is there says nothing while the item RECEIPT is not: it may be left
    over from a deletion, which ends all records, or the receipt may be about to come. Then what the store has not is
    not missing."""
    at = repair_at(known.values(), now)
    living = {owner for owner, it in known.items() if it.exists}
    if not table.anything:
        return _of_nothing(receipt, known, living, at)
    there = {owner for owner, it in table.known.items() if it.exists}
    findings: list[Finding] = []
    repairs: list[Change] = []
    for owner in sorted((living | there) - table.unreadable):
        said = _differing(table.known.get(owner, NOTHING), known.get(owner, NOTHING))
        if owner not in there:
            findings.append(Finding(SUPERFLUOUS, owner))
            repairs.append(Change(owner, at, died=True))
        elif owner not in living and table.whole:
            findings.append(Finding(MISSING, owner))
            repairs.append(Change(owner, at, born=True, set=said))
        elif owner in living and said:
            findings.append(Finding(DIFFERENT, owner, ", ".join(sorted(said))))
            repairs.append(Change(owner, at, born=True, set=said))
    counts = table.whole or living & there
    if counts and receipt not in table.unreadable:
        said = _differing(table.known.get(receipt, NOTHING), known.get(receipt, NOTHING))
        if said:
            findings.append(Finding(DIFFERENT, receipt, ", ".join(sorted(said))))
            repairs.append(Change(receipt, at, set=said))
    shown = there if table.whole else there & living
    return Compared(findings, repairs, list(_unembedded(shown - table.unreadable, table, known, at)))


def repair_at(known: Iterable[Known], now: float) -> str:
    """The `at` of repairs of a receipt of which this is known.

    A vector's `at` does not count: exports give it, and one that is wrong would let repairs beat the stream."""
    last = max((at for it in known for at in _heard(it)), default=FIRST_AT)
    number = int(last[SEQUENCE_DIGITS + 1 :] or 0)
    return repairing(last, max(number + 1, int(now // SECONDS_A_NUMBER)))


def _heard(known: Known) -> Iterator[str]:
    yield from (at for at in (known.born, known.died) if at != NEVER)
    yield from (at for at, _ in known.fields.values())


def _of_nothing(receipt: str, known: Mapping[str, Known], living: set[str], at: str) -> Compared:
    """Of a receipt of which the table has nothing."""
    findings = [Finding(SUPERFLUOUS, owner) for owner in sorted(living)]
    if said := _differing(NOTHING, known.get(receipt, NOTHING)):
        findings.append(Finding(DIFFERENT, receipt, ", ".join(sorted(said))))
    return Compared(findings, [Change(receipt, at, died=True)] if findings else [], [])


def _differing(wanted: Known, found: Known) -> dict[str, Value]:
    """The fields that differ, with the values that they should have."""
    should, has = _values(wanted), _values(found)
    return {
        name: should.get(name)
        for name in should.keys() | has.keys()
        if type(should.get(name)) is not type(has.get(name)) or should.get(name) != has.get(name)
    }


def _values(known: Known) -> dict[str, Value]:
    return {name: value for name, (_, value) in known.fields.items() if value is not None}


def _unembedded(owners: Iterable[str], table: Told, known: Mapping[str, Known], at: str) -> Iterator[Unembedded]:
    for owner in sorted(owners):
        _, text = table.known[owner].fields.get(TEXT, (NEVER, None))
        if isinstance(text, str) and text.strip() and known.get(owner, NOTHING).vector.at == NEVER:
            yield Unembedded(owner, at, text)


def _concerned(removal: StreamRecord, collection: str) -> str | None:
    """Whom an item concerns that cannot be read: whom its removal would concern. Empty where its key says nothing, None
    where another collection is concerned."""
    try:
        messages = told_by(removal)
    except EventInvalid:
        return ""
    message = messages.get(collection)
    return message.owner if isinstance(message, Change) else None
