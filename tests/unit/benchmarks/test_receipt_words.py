from __future__ import annotations

import math
import struct

from benchmarks.receipt_words import LABEL, births, lines, relabelled, vectors, word_id
from vector_store.changes import is_record, parse_change, read_change


def test_every_word_is_born_once_and_each_receipt_has_a_place() -> None:
    found = list(births(120))
    assert [change.owner for change in found if change.born] == [word_id(number) for number in range(120)]
    assert len([change for change in found if not is_record(change.owner)]) == 3
    assert len({word_id(number) for number in range(120)}) == 120


def test_changes_are_what_the_store_reads() -> None:
    for change in [*births(60), *relabelled(60, 10, status="VALID")]:
        assert (
            read_change(
                {"id" if is_record(change.owner) else "receipt": change.owner, "at": change.at}
                | ({"born": True} if change.born else {})
                | {"set": dict(change.set)}
            )
            == change
        )
    written = relabelled(60, 10, status="VALID")
    assert [parse_change(line) for line in lines(written).splitlines()] == written


def test_vectors_have_length_one_and_the_words_order() -> None:
    rows = list(vectors(3, 384))
    assert [row.id for row in rows] == [word_id(number) for number in range(3)]
    for row in rows:
        assert math.isclose(math.hypot(*struct.unpack("<384f", row.vector)), 1, rel_tol=1e-5)


def test_each_turn_has_other_words_and_is_later() -> None:
    first, second = (relabelled(1_000, 100, status="VALID", turn=turn) for turn in (0, 1))
    assert len({change.owner for change in first}) == 100
    assert {change.owner for change in first} != {change.owner for change in second}
    assert max(change.at for change in births(1_000)) < min(change.at for change in first)
    assert max(change.at for change in first) < min(change.at for change in second)
    assert all(set(change.set) == {LABEL} for change in second)
