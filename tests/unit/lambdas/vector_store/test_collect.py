from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.dynamodb import FakeDynamoDB, Table
from tests.fakes.s3 import FakeS3
from vector_store.collect import collect, handler, outdated
from vector_store.errors import EventInvalid
from vector_store.pointer import Pointer, Pointers
from vector_store.snapshots import Snapshots, Stored

WEEK = timedelta(days=7)
NOW = FakeS3("any").now + timedelta(days=100)


def stored(version: int, *, days: float, token: str = "a") -> Stored:
    key = f"lines/snapshot/{version:010}-{token}/"
    return Stored(key, version, NOW - timedelta(days=days), 10, [f"{key}store.tar"])


def pointer(to: Stored) -> Pointer:
    return Pointer(to.version, to.snapshot, 1, "digest", "2026-01-01T00:00:00Z")


def test_old_versions_go_but_the_last_three_stay_however_old() -> None:
    versions = [stored(version, days=100 - version) for version in range(1, 7)]
    assert outdated(versions, pointer(versions[-1]), now=NOW, retention=WEEK) == versions[:3]


def test_what_is_young_stays() -> None:
    versions = [stored(version, days=8 - version) for version in range(1, 7)]
    assert outdated(versions, pointer(versions[-1]), now=NOW, retention=WEEK) == []
    assert outdated(versions, pointer(versions[-1]), now=NOW, retention=timedelta(days=6, hours=12)) == versions[:1]


def test_the_published_one_stays_when_the_pointer_was_set_back() -> None:
    versions = [stored(version, days=50) for version in range(1, 10)]
    gone = outdated(versions, pointer(versions[3]), now=NOW, retention=WEEK)
    assert [it.version for it in gone] == [1, 5, 6, 7, 8, 9]


def test_uploads_that_were_never_published_go_by_age_alone() -> None:
    current = stored(5, days=20)
    abandoned, under_way = stored(6, days=20, token="b"), stored(6, days=0.01, token="c")
    assert outdated([current, abandoned, under_way], pointer(current), now=NOW, retention=WEEK) == [abandoned]


def test_nothing_goes_without_a_pointer() -> None:
    assert outdated([stored(1, days=100)], None, now=NOW, retention=WEEK) == []


def test_no_retention_is_shorter_than_a_compaction_may_take() -> None:
    current, under_way = stored(5, days=20), stored(6, days=0.02)
    assert outdated([current, under_way], pointer(current), now=NOW, retention=timedelta()) == []


class Place:
    """A bucket with versions 1 to 6, 6 published."""

    def __init__(self) -> None:
        self.s3 = FakeS3("store")
        self.snapshots = Snapshots(self.s3, "store", "lines")
        self.pointers = Pointers(FakeDynamoDB(vector_store=Table("id")), "vector-store")
        for version in range(1, 7):
            for name in ("store.tar", "manifest.json"):
                self.s3[f"store/{self.snapshots.key(version, 'a')}{name}"] = b"x"
        self.pointers.publish("lines", Pointer(6, self.snapshots.key(6, "a"), 1, "digest", ""), over=None)

    def collect(self, **options: Any) -> list[int]:
        asked = {"now": NOW, "retention": WEEK, "dry_run": False, "clock": FakeClock(), "stop_at": 1.0} | options
        return [it.version for it in collect("lines", self.snapshots, self.pointers, **asked)]


def test_a_dry_run_names_what_would_go_and_removes_nothing() -> None:
    place = Place()
    before = place.s3.keys("store")
    assert place.collect(dry_run=True) == [1, 2, 3]
    assert place.s3.keys("store") == before
    assert place.collect() == [1, 2, 3]
    assert [it.version for it in place.snapshots.stored()] == [4, 5, 6]


def test_what_there_is_no_time_for_is_left() -> None:
    place = Place()
    assert place.collect(stop_at=0.0) == []
    assert len(place.snapshots.stored()) == 6


def test_an_event_that_makes_no_sense_is_named() -> None:
    with pytest.raises(EventInvalid, match="dryRun"):
        handler.__wrapped__.__wrapped__({"dryRun": "yes"}, None)
