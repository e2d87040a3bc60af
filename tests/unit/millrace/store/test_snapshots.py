"""The snapshots that are kept, and going back to one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.errors import NotFound, PointerMoved
from millrace.store.snapshots import Snapshots, find, go_back
from millrace.store.table import Collection, Pointer, StoreTable
from tests.fakes.operator.vectors import BUCKET, VectorStores

LINES, WORDS = Collection.LINES, Collection.WORDS


@pytest.fixture
def snapshots(there: VectorStores) -> Snapshots:
    return Snapshots(there.s3, BUCKET)


def versions(snapshots: Snapshots) -> list[int]:
    return [kept.version for kept in snapshots.kept(LINES)]


class TestKept:
    def test_whole_ones_are_listed_newest_version_first(self, there: VectorStores, snapshots: Snapshots) -> None:
        for version in (7, 9, 8):
            there.snapshot(LINES, version)
        there.snapshot(WORDS, 3)
        assert versions(snapshots) == [9, 8, 7]
        newest = snapshots.kept(LINES)[0]
        assert (newest.snapshot, newest.records, newest.sha256) == ("lines/snapshot/0000000009-a/", 90, "digest-a")

    @pytest.mark.parametrize("departure", [{"bytes": 5}, {"records": None}, {"records": "many"}])
    def test_one_that_is_not_what_its_manifest_says_is_none(
        self, there: VectorStores, snapshots: Snapshots, departure: dict[str, Any]
    ) -> None:
        there.snapshot(LINES, 7, **departure)
        assert versions(snapshots) == []

    @pytest.mark.parametrize("missing", ["store.tar", "manifest.json"])
    def test_an_upload_that_was_cut_off_is_none(self, there: VectorStores, snapshots: Snapshots, missing: str) -> None:
        there.s3.delete_object(Bucket=BUCKET, Key=there.snapshot(LINES, 7) + missing)
        assert versions(snapshots) == []

    def test_a_version_that_is_not_kept_is_refused_with_those_that_are(
        self, there: VectorStores, snapshots: Snapshots
    ) -> None:
        there.snapshot(LINES, 7)
        there.snapshot(LINES, 8)
        with pytest.raises(NotFound, match="no whole snapshot of version 6; those that are kept: 7, 8"):
            find(snapshots.kept(LINES), LINES, 6)


class TestGoBack:
    def test_the_older_version_is_published_and_what_was_merged_since_waits_again(
        self, there: VectorStores, snapshots: Snapshots
    ) -> None:
        there.snapshot(LINES, 8)
        there.pointer(LINES, 9, there.snapshot(LINES, 9))
        now = datetime.now(UTC)
        there.merged("lines/old", now - timedelta(days=1))
        there.merged("lines/of-9", now)
        there.merged("words/of-9", now)
        again = go_back(there.table, LINES, find(snapshots.kept(LINES), LINES, 8), now)
        published = there.table.pointer(LINES)
        assert published is not None
        assert (published.version, published.snapshot) == (8, "lines/snapshot/0000000008-a/")
        assert (published.records, published.sha256) == (80, "digest-a")
        assert again == 1
        assert "pending" in there.item("lines/of-9")
        assert "pending" not in there.item("lines/old")
        assert "pending" not in there.item("words/of-9")

    def test_what_the_winner_of_a_race_merged_before_the_loser_was_written_waits_too(
        self, there: VectorStores, snapshots: Snapshots
    ) -> None:
        there.pointer(LINES, 9, there.snapshot(LINES, 9, "winner"))
        there.snapshot(LINES, 8, "loser")
        now = datetime.now(UTC)
        there.merged("lines/of-the-winner", now - timedelta(minutes=15))
        assert go_back(there.table, LINES, find(snapshots.kept(LINES), LINES, 8), now) == 1

    def test_a_compaction_that_publishes_meanwhile_leaves_all_as_it_is(
        self, there: VectorStores, snapshots: Snapshots
    ) -> None:
        class Late(StoreTable):
            """Reads the pointer just before a compaction moves it."""

            def pointer(self, collection: Collection) -> Pointer | None:
                seen = super().pointer(collection)
                there.pointer(LINES, 10, "lines/snapshot/10-a/")
                return seen

        there.snapshot(LINES, 8)
        there.pointer(LINES, 9, "lines/snapshot/9-a/")
        now = datetime.now(UTC)
        there.merged("lines/d1", now)
        late = Late(there.dynamodb, "millrace-vector-store")
        with pytest.raises(PointerMoved):
            go_back(late, LINES, find(snapshots.kept(LINES), LINES, 8), now)
        assert "pending" not in there.item("lines/d1")

    def test_done_again_it_goes_on_where_it_ended(self, there: VectorStores, snapshots: Snapshots) -> None:
        there.snapshot(LINES, 8)
        there.pointer(LINES, 9, "lines/snapshot/9-a/")
        now = datetime.now(UTC)
        to = find(snapshots.kept(LINES), LINES, 8)
        assert go_back(there.table, LINES, to, now) == 0
        first = there.table.pointer(LINES)
        there.merged("lines/d1", now)
        assert go_back(there.table, LINES, to, now + timedelta(seconds=1)) == 1
        assert there.table.pointer(LINES) == first, "it was there already"

    def test_where_nothing_was_ever_published_there_is_nothing_to_go_back_from(
        self, there: VectorStores, snapshots: Snapshots
    ) -> None:
        there.snapshot(LINES, 8)
        with pytest.raises(NotFound, match="nothing of lines was ever published"):
            go_back(there.table, LINES, snapshots.kept(LINES)[0], datetime.now(UTC))
