from __future__ import annotations

from benchmarks.pipeline import lawful

NOTHING = {"indexed": 0, "updated": 0, "deleted": 0, "unchanged": 0, "failed": 0, "unverified": 0}


def test_each_document_has_one_outcome() -> None:
    assert lawful({"planned": 5, **NOTHING, "indexed": 3, "failed": 2}, 5)


def test_a_document_without_an_outcome_breaks_the_law() -> None:
    assert not lawful({"planned": 5, **NOTHING, "indexed": 4}, 5)


def test_a_document_that_was_not_planned_breaks_the_law() -> None:
    assert not lawful({"planned": 4, **NOTHING, "indexed": 4}, 5)
