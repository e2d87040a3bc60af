"""How a collection stands."""

from __future__ import annotations

from millrace.backlog import Backlog
from millrace.store.standing import standing_of
from millrace.store.table import Collection
from millrace.syncs import Syncs
from tests.fakes.operator.vectors import BEFORE, FLIGHTS, VectorStores

LINES, WORDS = Collection.LINES, Collection.WORDS


def test_a_collection_that_nobody_has_used_has_nothing(there: VectorStores) -> None:
    standing = standing_of(there.table, Syncs(there.dynamodb, FLIGHTS), WORDS)
    assert (standing.pointer, standing.pending, standing.aside) == (None, Backlog(0, None), ())
    assert standing.last_failure is None


def test_each_collection_has_its_own(there: VectorStores) -> None:
    there.pointer(LINES, 5, "lines/snapshot/5-a/")
    there.delta("lines/d1", pending="lines")
    there.delta("lines/d2", aside="lines", reason="cut off")
    there.flight(LINES, requested={"N": "2"}, completed={"N": "1"}, pendingSince={"S": BEFORE}, job={"S": "J1"})
    flights = Syncs(there.dynamodb, FLIGHTS)
    standing = standing_of(there.table, flights, LINES)
    assert standing.pointer is not None
    assert (standing.pointer.version, standing.pending) == (5, Backlog(1, BEFORE))
    assert [delta.id for delta in standing.aside] == ["lines/d2"]
    assert (standing.requests.pending, standing.requests.job) == (1, "J1")
    assert standing_of(there.table, flights, WORDS).pointer is None


def test_the_last_failure_is_told_in_words(there: VectorStores) -> None:
    result = '{"Error": "SnapshotInvalid", "Cause": "{\\"errorMessage\\": \\"it is cut off\\"}"}'
    failure = {"job": {"S": "J3"}, "at": {"S": BEFORE}, "result": {"S": result}}
    there.flight(LINES, lastFailure={"M": failure})
    standing = standing_of(there.table, Syncs(there.dynamodb, FLIGHTS), LINES)
    assert standing.last_failure == {"job": "J3", "at": BEFORE, "message": "SnapshotInvalid: it is cut off"}
