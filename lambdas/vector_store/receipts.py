"""What an item of the table of receipts means for the collections. docs/vector_store.md has the items."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from shared.stream_records import Item, StreamRecord
from vector_store.changes import ID, Change, Value, is_unicode
from vector_store.errors import EventInvalid
from vector_store.messages import Message, VectorsReady
from vector_store.places import COLLECTIONS, LINES, WORDS

TEXTS = frozenset({"text", "merchant_name", "place_id", "address"})
"""The attributes that are texts; the others that are shown are numbers."""

OF_RECORD = ("text", "confidence", "x", "y", "width", "height")
OF_PLACE = ("merchant_name", "place_id", "address")
STATUSES = ("VALID", "INVALID", "PENDING")

RECEIPT = "RECEIPT#"
RECEIPT_SORT, RUN_SORT = "RECEIPT", "RUN#"
"""The sort key of a receipt's own item, and what those of its runs begin with."""

NUMBER = re.compile(r"\d{5}", re.ASCII)

Match = re.Match[str]


def told_by(record: StreamRecord) -> dict[str, Message]:
    """What a change of an item tells each collection, one message at most. Empty for an item of another kind, and for a
    change of attributes that a store does not show.

    A line's or word's record is told whole each time, so that its last birth says all that it shows. Raises
    EventInvalid for an item of a known kind that is not as docs/vector_store.md says."""
    partition, sort = _key(record.keys, "pk"), _key(record.keys, "sk")
    if not partition.startswith(RECEIPT):
        return {}
    for form, tell in KINDS:
        if found := form.fullmatch(sort):
            return tell(_checked(partition.removeprefix(RECEIPT), ID, "receipt_id"), found, record)
    return {}


def is_known_kind(sort: str) -> bool:
    """Whether an item with this sort key is one of those that concern a collection."""
    return any(form.fullmatch(sort) for form, _ in KINDS)


def shown(image: Item, names: Collection[str]) -> dict[str, Value]:
    """What a store shows of an item's attributes, those that the item has. Every number is a float: Chroma's filters do
    not find 1 where they are asked for 1.0. Raises EventInvalid, which names the attribute."""
    return {name: _value(name, image[name]) for name in names if name in image}


def _of_receipt(receipt: str, _: Match, record: StreamRecord) -> dict[str, Message]:
    if record.now:
        return {}
    death = Change(receipt, record.sequence, died=True)
    return dict.fromkeys(COLLECTIONS, death)


def _of_line(receipt: str, found: Match, record: StreamRecord) -> dict[str, Message]:
    return _of_record(LINES, f"{receipt}/{_number(found, 'line')}", record)


def _of_word(receipt: str, found: Match, record: StreamRecord) -> dict[str, Message]:
    return _of_record(WORDS, _word(receipt, found), record)


def _of_record(collection: str, owner: str, record: StreamRecord) -> dict[str, Message]:
    if not record.now:
        return {collection: Change(owner, record.sequence, died=True)}
    if record.before and not _differs(record, OF_RECORD):
        return {}
    return {collection: Change(owner, record.sequence, born=True, set=_said(record, OF_RECORD))}


def _of_label(receipt: str, found: Match, record: StreamRecord) -> dict[str, Message]:
    owner, label = _word(receipt, found), _checked(found["label"], ID, "label")
    if record.before and record.now and not _differs(record, ("status",)):
        return {}
    status = _status(record.now) if record.now else None
    return {WORDS: Change(owner, record.sequence, set={f"label:{label}": status})}


def _of_place(receipt: str, _: Match, record: StreamRecord) -> dict[str, Message]:
    if not _differs(record, OF_PLACE):
        return {}
    fields = _said(record, OF_PLACE) if record.now else dict.fromkeys(OF_PLACE)
    return dict.fromkeys(COLLECTIONS, Change(receipt, record.sequence, set=fields))


def _of_run(_: str, found: Match, record: StreamRecord) -> dict[str, Message]:
    """A run that wrote no vectors of a collection has no delta there."""
    if record.before or not record.now:
        return {}
    run_id = _checked(found["run"], ID, "run_id")
    match record.now.get("prefix"):
        case {"S": str(prefix)}:
            pass
        case _:
            raise EventInvalid("prefix is no text")
    counts = {collection: _count(record.now, collection) for collection in COLLECTIONS}
    return {
        collection: VectorsReady(run_id, prefix, count, record.sequence)
        for collection, count in counts.items()
        if count
    }


Tell = Callable[[str, Match, StreamRecord], dict[str, Message]]

WORD = r"LINE#(?P<line>[^#]*)#WORD#(?P<word>[^#]*)"
KINDS: tuple[tuple[re.Pattern[str], Tell], ...] = tuple(
    (re.compile(form, re.DOTALL), tell)
    for form, tell in (
        (RECEIPT_SORT, _of_receipt),
        (r"LINE#(?P<line>[^#]*)", _of_line),
        (WORD, _of_word),
        (WORD + r"#LABEL#(?P<label>.*)", _of_label),
        (r"PLACE", _of_place),
        (RUN_SORT + r"(?P<run>.*)", _of_run),
    )
)
"""The items' sort keys. They tell the kind even of an item whose numbers or ids are not as they should be."""


def _key(keys: Item, name: str) -> str:
    match keys.get(name):
        case {"S": str(text)}:
            return text
    raise EventInvalid(f"the record's key has no text `{name}`")


def _word(receipt: str, found: Match) -> str:
    return f"{receipt}/{_number(found, 'line')}/{_number(found, 'word')}"


def _number(found: Match, name: str) -> str:
    return _checked(found[name], NUMBER, f"the number of the {name}")


def _checked(text: str, form: re.Pattern[str], what: str) -> str:
    if not form.fullmatch(text):
        raise EventInvalid(f"{what} is not of the form {form.pattern}")
    return text


def _differs(record: StreamRecord, names: Collection[str]) -> bool:
    """Whether one of these attributes is not what it was."""
    return any(record.before.get(name) != record.now.get(name) for name in names)


def _said(record: StreamRecord, names: Collection[str]) -> dict[str, Value]:
    """What a store shows of the item, and null for what it had before and has no more."""
    gone = dict.fromkeys(name for name in names if name in record.before and name not in record.now)
    return shown(record.now, names) | gone


def _value(name: str, value: Mapping[str, Any]) -> Value:
    wanted = "S" if name in TEXTS else "N"
    match value:
        case {"NULL": True}:
            return None
        case {"S": str(text)} if wanted == "S" and is_unicode(text):
            return text
        case {"N": str(text)} if wanted == "N":
            return _float(name, text)
    raise EventInvalid(f"{name} is no {'text' if wanted == 'S' else 'number'}")


def _status(image: Item) -> str:
    match image.get("status"):
        case {"S": str(status)} if status in STATUSES:
            return status
    raise EventInvalid(f"status is none of {', '.join(STATUSES)}")


def _float(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise EventInvalid(f"{name} is no number that DynamoDB has") from None
    if not math.isfinite(number):
        raise EventInvalid(f"{name} is no number that DynamoDB has")
    return number or 0.0


def _count(image: Item, name: str) -> int:
    match image.get(name):
        case {"N": str(text)} if text.isascii() and text.isdigit() and len(text) <= 10:
            return int(text)
    raise EventInvalid(f"{name} is no number of records")
