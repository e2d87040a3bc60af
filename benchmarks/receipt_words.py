"""The words of receipts that do not exist: what the compaction benchmarks fill a store with, and then change.

A receipt has 50 words on ten lines, and a Place; every third word has a label. So a word shows a document and 11 or 12
metadata. All of it follows from a word's number.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import numpy as np

from shared.stream_records import padded
from vector_store.changes import Change, Value, VectorRow

LABEL = "label:TOTAL"
WORDS_A_RECEIPT = 50
WORDS_A_LINE = 5
WORDS_A_LABEL = 3
MERCHANTS = 300
TEXTS = 977
OWN_SHARE = 0.3
"""Of a word's direction, beside that of its text."""
SEED = 20251222


def word_id(number: int) -> str:
    """The record of a word."""
    receipt, place = divmod(number, WORDS_A_RECEIPT)
    line, word = divmod(place, WORDS_A_LINE)
    return f"{_receipt_id(receipt)}/{line:05}/{word:05}"


def births(words: int) -> Iterator[Change]:
    """The words' items, and a Place with the first of each receipt."""
    for number in range(words):
        receipt = number // WORDS_A_RECEIPT
        if number % WORDS_A_RECEIPT == 0:
            yield Change(_receipt_id(receipt), _at(number), set=_place(receipt))
        yield Change(word_id(number), _at(number), born=True, set=_fields(number))


def vectors(words: int, dimension: int) -> Iterator[VectorRow]:
    """Their embeddings, of length 1: words of one text lie near each other, as those of a model do. An index of 70,000
    directions that have nothing in common does not find one in forty of them by itself, new as it may be."""
    chance = np.random.default_rng(SEED)
    directions = chance.standard_normal((TEXTS, dimension), dtype=np.float32)
    for number in range(words):
        vector = directions[number % TEXTS] + OWN_SHARE * chance.standard_normal(dimension, dtype=np.float32)
        vector /= np.linalg.norm(vector)
        yield VectorRow(word_id(number), _at(number), _text(number), vector.astype("<f4").tobytes())


def relabelled(words: int, changes: int, *, status: str, turn: int = 0) -> list[Change]:
    """As many different words, in no order, each with a new status of its label. Each turn has other words, and is
    later than the turns before."""
    chosen = random.Random(f"{SEED}/{turn}").sample(range(words), changes)
    begin = words * (turn + 1)
    return [Change(word_id(number), _at(begin + place), set={LABEL: status}) for place, number in enumerate(chosen)]


def lines(changes: Iterable[Change]) -> bytes:
    """A file of changes."""
    return b"".join(change.json().encode() + b"\n" for change in changes)


def _at(number: int) -> str:
    return padded(str(number + 1))


def _receipt_id(receipt: int) -> str:
    return f"receipt-{receipt:06}"


def _text(number: int) -> str:
    return f"word {number % TEXTS}"


def _fields(number: int) -> dict[str, Value]:
    chance = random.Random(number)
    box = {name: round(chance.random(), 6) for name in ("confidence", "x", "y", "width", "height")}
    labelled: dict[str, Value] = {LABEL: "PENDING"} if number % WORDS_A_LABEL == 0 else {}
    return {"text": _text(number), **box, **labelled}


def _place(receipt: int) -> dict[str, Value]:
    merchant = receipt % MERCHANTS
    return {
        "merchant_name": f"Merchant {merchant}",
        "place_id": f"ChIJ{merchant:023}",
        "address": f"{merchant + 1} Long Street, Springfield",
    }
