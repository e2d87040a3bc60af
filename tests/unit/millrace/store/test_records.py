"""What a job of compaction has merged, and what it could not."""

from __future__ import annotations

import json
from typing import Any

from millrace.store.records import JobRecord, read_record
from millrace.store.table import Collection
from tests.fakes.operator.vectors import BUCKET, VectorStores

LINES = Collection.LINES


def call(outcome: str, *deltas: str, applied: int = 0, **more: Any) -> dict[str, Any]:
    """What one call of the job says."""
    rows = {"read": applied, "applied": applied, "overtaken": 0, "bad": len(more.get("bad", ())), "notes": 0}
    return {"outcome": outcome, "deltas": list(deltas), "rows": rows, "bad": [], "unreadable": [], **more}


def read(there: VectorStores, *calls: dict[str, Any]) -> JobRecord:
    there.put("runs/lines/J1.json", json.dumps({"collection": "lines", "job": "J1", "calls": calls}).encode())
    found = read_record(there.s3, BUCKET, LINES, "J1")
    assert found is not None
    return found


def test_a_job_that_found_nothing_has_no_record(there: VectorStores) -> None:
    assert read_record(there.s3, BUCKET, LINES, "J1") is None


def test_the_calls_of_a_job_are_added_up(there: VectorStores) -> None:
    found = read(there, call("published", "d1", "d2", applied=7), call("published", "d3", applied=2))
    assert (found.deltas, found.applied, found.flawless) == (3, 9, True)
    assert found.place == "s3://store/runs/lines/J1.json"


def test_what_was_discarded_or_never_published_is_counted_where_it_was_done_again(there: VectorStores) -> None:
    row = {"key": "lines/changes/d1.ndjson", "line": 2, "reason": "at is missing"}
    calls = [call(outcome, "d1", applied=7, bad=[row]) for outcome in ("discarded", "publishing", "published")]
    found = read(there, *calls)
    assert (found.deltas, found.applied, found.bad) == (1, 7, 1)


def test_bad_rows_and_deltas_that_could_not_be_read_are_told_with_their_places(there: VectorStores) -> None:
    row = {"key": "lines/changes/d1.ndjson", "line": 2, "reason": "at is missing"}
    delta = {"delta": "d2", "reason": "done.json is not there", "aside": True}
    found = read(there, call("published", "d1", bad=[row], unreadable=[delta]))
    assert not found.flawless
    assert found.refused == (
        "delta lines/d2 (set aside): done.json is not there",
        "lines/changes/d1.ndjson, line 2: at is missing",
    )


def test_a_delta_that_was_tried_three_times_is_told_once_and_one_that_was_read_at_last_is_merged(
    there: VectorStores,
) -> None:
    tries = [{"delta": "d2", "reason": "it is cut off", "aside": aside} for aside in (False, False, True)]
    found = read(there, *(call("nothing new", unreadable=[each]) for each in tries))
    assert (found.unreadable, found.refused) == (1, ("delta lines/d2 (set aside): it is cut off",))
    late = {"delta": "d3", "reason": "it is not there", "aside": False}
    found = read(there, call("nothing new", unreadable=[late]), call("published", "d3", applied=1))
    assert found.flawless
