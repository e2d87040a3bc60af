"""Histories of a table of receipts: what its stream and its embeddings tell, in the order in which it happened."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from random import Random

from shared.stream_records import SEQUENCE_DIGITS
from vector_store.changes import Change, Value, VectorRow, repairing

Event = Change | VectorRow

RECEIPTS = ("R1", "R2")
RECORDS = tuple(f"{receipt}/{line:05}{word}" for receipt in RECEIPTS for line in (1, 2) for word in ("", "/00001"))
LABELS = ("label:TOTAL", "label:DATE")
VALUES: Sequence[Value] = ("VALID", "", 0, 1, 1.0, True, False, None)
"""Among them those that Python takes for equal and JSON does not."""


def at(number: int) -> str:
    return f"{number:0{SEQUENCE_DIGITS}}"


def vector(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def history(random: Random, length: int) -> list[Event]:
    """Births and updates, deaths and rebirths, deaths of receipts, places, labels (of deleted words too), vectors that
    come long after what they embed, repairs, and changes that share an `at`."""
    told: list[Event] = []
    embedding: list[VectorRow] = []
    sequence = 0
    while len(told) < length:
        sequence += random.choice((1, 1, 1, 10))
        for event in _happens(random, at(sequence), told):
            told.append(event)
            if isinstance(event, Change) and event.born:
                exported = event.at if random.random() < 0.5 else at(sequence + random.randrange(30))
                embedding.append(VectorRow(event.owner, exported, "text", vector(random.random(), sequence)))
        if embedding and random.random() < 0.7:
            told.append(embedding.pop(random.randrange(len(embedding))))
    return told


def _happens(random: Random, now: str, told: Sequence[Event]) -> Iterator[Event]:
    record, receipt = random.choice(RECORDS), random.choice(RECEIPTS)
    match random.choices(range(8), (22, 22, 14, 4, 8, 3, 4, 4))[0]:
        case 0:
            yield Change(record, now, born=True, set=_item(random))
        case 1:
            yield Change(record, now, died=True)
        case 2:
            yield Change(record, now, set={random.choice(LABELS): random.choice(VALUES)})
        case 3:
            yield Change(receipt, now, died=True)
        case 4:
            yield Change(receipt, now, set={"merchant_name": random.choice(VALUES), "x": random.choice(VALUES)})
        case 5:
            yield Change(receipt, now, set={"merchant_name": None, "x": None})
        case 6 if told:
            repaired = repairing(random.choice(told).at, random.randrange(1, 3))
            yield Change(record, repaired, born=random.random() < 0.5, set=_item(random))
        case 7:
            yield Change(record, now, born=True, set=_item(random))
            yield Change(record, now, set={random.choice(LABELS): "A", "x": random.choice(VALUES)})
            yield VectorRow(record, now, "text", vector(1, random.random()))
            yield VectorRow(record, now, "text", vector(2, random.random()))


def _item(random: Random) -> dict[str, Value]:
    return {"text": random.choice(("MILK", "BREAD", None)), "x": random.choice(VALUES), "confidence": random.random()}
