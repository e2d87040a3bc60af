"""What waits for the vector store and what is published of it, against a table that really evaluates conditions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from millrace.backlog import Backlog, timestamp
from millrace.errors import NotFound, NotSetAside, PointerMoved
from millrace.store.table import Collection, Situation
from tests.fakes.operator.vectors import BEFORE, NOW, VectorStores, since

LINES, WORDS = Collection.LINES, Collection.WORDS


def test_nothing_is_there_before_the_first_time(there: VectorStores) -> None:
    table = there.table
    assert table.pointer(LINES) is None
    assert table.pending(LINES) == Backlog(0, None)
    assert list(table.aside(LINES)) == []
    assert table.lease() is None
    assert table.delta(LINES, "d1") is None


def test_what_waits_is_counted_by_collection_with_the_oldest(there: VectorStores) -> None:
    there.delta("lines/d1", pending="lines", since="2025-10-05T11:30:00.000Z")
    there.delta("lines/d2", pending="lines")
    there.delta("words/d1", pending="words")
    there.delta("lines/d3", aside="lines", reason="cut off")
    there.merged("lines/d4", NOW)
    assert there.table.pending(LINES) == Backlog(2, BEFORE)
    assert there.table.pending(WORDS) == Backlog(1, BEFORE)


def test_what_is_set_aside_has_its_reason(there: VectorStores) -> None:
    there.delta("lines/d1", aside="lines", reason="lines/changes/d1.ndjson is cut off", attempts=3)
    there.delta("lines/d2", pending="lines")
    (found,) = there.table.aside(LINES)
    assert (found.id, found.situation, found.attempts) == ("lines/d1", Situation.ASIDE, 3)
    assert found.reason == "lines/changes/d1.ndjson is cut off"


def test_a_delta_is_pending_set_aside_or_merged(there: VectorStores) -> None:
    there.delta("lines/d1", pending="lines")
    there.delta("lines/d2", aside="lines")
    there.merged("lines/d3", NOW)
    found = [there.table.delta(LINES, name) for name in ("d1", "d2", "d3")]
    assert [each and each.situation for each in found] == [Situation.PENDING, Situation.ASIDE, Situation.MERGED]


class TestLease:
    def test_it_is_held_until_its_time_is_over(self, there: VectorStores) -> None:
        there.lease(until=NOW.timestamp())
        lease = there.table.lease()
        assert lease is not None
        assert (lease.kind, lease.holder) == ("ecs", "task-1")
        assert lease.held(since(-1))
        assert not lease.held(NOW)

    def test_one_that_was_given_back_is_not_held(self, there: VectorStores) -> None:
        there.lease(until=None)
        lease = there.table.lease()
        assert lease is not None
        assert not lease.held(NOW)
        assert lease.as_dict() == {"kind": "ecs", "holder": "task-1", "until": None}


class TestRetry:
    def test_it_waits_again_as_if_it_had_never_been_read(self, there: VectorStores) -> None:
        there.delta("lines/d1", aside="lines", reason="cut off", attempts=3)
        before = there.item("lines/d1")
        there.table.retry(LINES, "d1", NOW)
        after = there.item("lines/d1")
        assert after == {
            **{name: before[name] for name in ("id", "kind", "key", "records")},
            "pending": "lines",
            "since": timestamp(NOW),
            "attempts": "0",
        }
        assert there.table.pending(LINES).number == 1

    @pytest.mark.parametrize(
        ("name", "error", "says"),
        [("d1", NotSetAside, "is pending"), ("d2", NotSetAside, "is merged"), ("d9", NotFound, "no delta lines/d9")],
    )
    def test_any_other_is_left_as_it_is(
        self, there: VectorStores, name: str, error: type[Exception], says: str
    ) -> None:
        there.delta("lines/d1", pending="lines", attempts=2)
        there.merged("lines/d2", NOW)
        before = there.item(f"lines/{name}")
        with pytest.raises(error, match=says):
            there.table.retry(LINES, name, NOW)
        assert there.item(f"lines/{name}") == before


class TestMergedSince:
    def test_those_that_were_merged_then_or_later_are_named(self, there: VectorStores) -> None:
        there.merged("lines/before", since(-1))
        there.merged("lines/then", NOW)
        there.merged("lines/later", since(1))
        there.merged("words/later", since(1))
        there.delta("lines/waits", pending="lines")
        assert sorted(there.table.merged_since(LINES, NOW)) == ["delta/lines/later", "delta/lines/then"]

    def test_one_that_waits_again_has_no_end_and_waits_once(self, there: VectorStores) -> None:
        there.merged("lines/d1", NOW)
        assert there.table.merge_again("delta/lines/d1", LINES, NOW)
        assert there.item("lines/d1")["pending"] == "lines"
        assert "expiresAt" not in there.item("lines/d1")
        assert not there.table.merge_again("delta/lines/d1", LINES, since(1))
        assert there.item("lines/d1")["since"] == timestamp(NOW)


class TestPublish:
    def test_it_takes_the_place_of_the_one_that_was_read(self, there: VectorStores) -> None:
        there.pointer(LINES, 9, "lines/snapshot/9-a/")
        seen = there.table.pointer(LINES)
        assert seen is not None
        new = replace(seen, version=8, snapshot="lines/snapshot/8-a/", at=timestamp(NOW))
        there.table.publish(LINES, new, over=seen)
        assert there.table.pointer(LINES) == new

    def test_a_compaction_that_was_faster_is_not_undone(self, there: VectorStores) -> None:
        there.pointer(LINES, 9, "lines/snapshot/9-a/")
        seen = there.table.pointer(LINES)
        assert seen is not None
        there.pointer(LINES, 10, "lines/snapshot/10-a/")
        with pytest.raises(PointerMoved, match="no longer at version 9"):
            there.table.publish(LINES, replace(seen, version=8, at=timestamp(NOW)), over=seen)
        found = there.table.pointer(LINES)
        assert found is not None
        assert found.version == 10

    def test_the_same_request_whose_answer_was_lost_is_no_failure(self, there: VectorStores) -> None:
        there.pointer(LINES, 9, "lines/snapshot/9-a/")
        seen = there.table.pointer(LINES)
        assert seen is not None
        new = replace(seen, version=8, snapshot="lines/snapshot/8-a/", at=timestamp(NOW))
        for _ in range(2):
            there.table.publish(LINES, new, over=seen)
        assert there.table.pointer(LINES) == new
