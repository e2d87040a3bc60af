"""What the functions write is what an operator reads, and what an operator changes is what they go on with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from millrace.executions.watching import Pace
from millrace.store.embedding import BadRow, Embedding, new_run
from millrace.store.records import read_record
from millrace.store.snapshots import Snapshots, find, go_back
from millrace.store.table import Collection, Situation
from tests.fakes.clock import FakeClock
from tests.fakes.operator.aws import VECTORS
from tests.fakes.operator.vectors import BUCKET, NOW, RECEIPTS, TABLE, VectorStores, since
from vector_store.changes import Change
from vector_store.deltas import ATTEMPTS_MAX, Deltas
from vector_store.embed_files import Folder
from vector_store.embed_records import BadRow as WrittenBadRow
from vector_store.embed_request import read_request
from vector_store.embed_runs import Runs
from vector_store.lease import Holder, Lease
from vector_store.pointer import Pointer, Pointers
from vector_store.run_records import RunRecords
from vector_store.snapshots import Snapshots as WrittenSnapshots

LINES, WORDS = Collection.LINES, Collection.WORDS
AT = "7".zfill(40)


@pytest.fixture
def deltas(there: VectorStores) -> Deltas:
    """As the functions have those of lines."""
    return Deltas(there.dynamodb, there.s3, table=TABLE, bucket=BUCKET, collection="lines")


def test_a_delta_goes_its_whole_way(there: VectorStores, deltas: Deltas) -> None:
    delta = deltas.write("d1", [Change("r-1/00001", AT, born=True)])
    deltas.register(delta, NOW)
    assert there.table.pending(LINES).number == 1
    for _ in range(ATTEMPTS_MAX):
        deltas.failed(deltas.pending()[0], "it is cut off")
    (aside,) = there.table.aside(LINES)
    assert (aside.id, aside.reason, aside.attempts) == ("lines/d1", "it is cut off", ATTEMPTS_MAX)
    there.table.retry(LINES, "d1", since(1))
    (again,) = deltas.pending()
    assert (again.name, again.key, again.records, again.attempts) == ("d1", delta.key, 1, 0)
    assert not deltas.failed(again, "once more"), "it is counted from the beginning"
    deltas.done(deltas.pending(), since(2))
    merged = there.table.delta(LINES, "d1")
    assert merged is not None
    assert merged.situation is Situation.MERGED
    assert list(there.table.merged_since(LINES, since(2))) == ["delta/lines/d1"]
    assert list(there.table.merged_since(LINES, since(3))) == []


def test_a_collection_that_went_back_is_compacted_from_there(
    there: VectorStores, deltas: Deltas, tmp_path: Path
) -> None:
    pointers, written = Pointers(there.dynamodb, TABLE), WrittenSnapshots(there.s3, BUCKET, "lines")
    (tmp_path / "state.sqlite").write_bytes(b"the merged state")
    published = None
    for version in (1, 2):
        deltas.register(deltas.write(f"d{version}", [Change("r-1/00001", AT, born=True)]), NOW)
        made = written.upload(
            tmp_path, written.key(version, "call"), version=version, records=1, dimension=2, deltas=[], slots=1
        )
        new = Pointer(version, written.key(version, "call"), 1, made.sha256, "2025-10-05T12:00:00.000Z")
        pointers.publish("lines", new, over=published)
        published = new
    now = datetime.now(UTC)
    deltas.done([delta for delta in deltas.pending() if delta.name == "d2"], now)
    deltas.done(deltas.pending(), now - timedelta(days=1))
    first = find(Snapshots(there.s3, BUCKET).kept(LINES), LINES, 1)
    assert go_back(there.table, LINES, first, now) == 1
    back = pointers.read("lines")
    assert back is not None
    assert (back.version, written.manifest(back).version) == (1, 1), "the manifest is that of the pointer"
    assert [delta.name for delta in deltas.pending()] == ["d2"]


def test_the_lease_is_who_works(there: VectorStores) -> None:
    clock = FakeClock()
    lease = Lease(there.dynamodb, TABLE, Holder("ecs", "task-1"), clock=clock, seconds=90)
    lease.take()
    held = there.table.lease()
    assert held is not None
    assert (held.kind, held.holder) == ("ecs", "task-1")
    assert held.held(datetime.fromtimestamp(clock.wall() + 89, UTC))
    assert not held.held(datetime.fromtimestamp(clock.wall() + 91, UTC))
    lease.give_back()
    given_back = there.table.lease()
    assert given_back is not None
    assert given_back.until is None


def test_a_run_that_was_sent_is_understood_and_its_end_is_seen(there: VectorStores, tmp_path: Path) -> None:
    export = tmp_path / "export.ndjson"
    export.write_text('{"id": "r-1/00001", "text": "TOTAL"}\n')
    embedding = Embedding(there.s3, there.sqs, there.dynamodb, there.deployed)
    run = new_run(there.deployed, "r-1", NOW)
    embedding.send(run, export)
    (message,) = there.sqs.receive_message(QueueUrl=VECTORS["embed_queue_url"])["Messages"]
    request = read_request(message["Body"])
    folder = Folder(there.s3, BUCKET, f"lines/delta/{run.run_id}/", dimension=2)
    folder.put_bad([WrittenBadRow(3, "lines", None, "the line is no JSON")])
    Runs(there.dynamodb, RECEIPTS).write(request, lines=1, words=0, created_at="2025-10-05T12:00:00.000Z")
    embedded = embedding.wait_until_embedded(run, Pace(1, 0))
    assert embedded.records == {LINES: 1, WORDS: 0}
    assert embedded.bad == (BadRow(3, None, "the line is no JSON"),)


def test_a_jobs_record_is_read_as_it_was_written(there: VectorStores) -> None:
    call: dict[str, Any] = {
        "call": "c1",
        "outcome": "published",
        "deltas": ["d1"],
        "rows": {"read": 3, "applied": 2, "overtaken": 0, "bad": 1, "notes": 0},
        "bad": [{"key": "lines/changes/d1.ndjson", "line": 2, "reason": "at is missing"}],
        "unreadable": [],
    }
    RunRecords(there.s3, BUCKET).write("lines", "J1", call)
    found = read_record(there.s3, BUCKET, LINES, "J1")
    assert found is not None
    assert json.loads(json.dumps(found.as_dict())) == {
        "record": "s3://store/runs/lines/J1.json",
        "deltas": 1,
        "applied": 2,
        "badRows": 1,
        "unreadable": 0,
        "refused": ["lines/changes/d1.ndjson, line 2: at is missing"],
    }
