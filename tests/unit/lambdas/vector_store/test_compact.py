"""The compaction on a bucket and a table in memory, and on the real Chroma."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from moto import mock_aws

from benchmarks.tables import create_table
from tests.fakes.compaction import BUCKET, COLLECTION, TABLE, World
from tests.fakes.crash import Crash, Fuse
from tests.fakes.histories import Event, at, history, vector
from tests.fakes.intercepted import Call, Intercepted
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.stores import Store as LawStore
from vector_store import assembly, collect, compact
from vector_store.changes import Change, VectorRow
from vector_store.compact import COMPLETE, IN_PROGRESS, asked, is_worn
from vector_store.deltas import ATTEMPTS_MAX, INDEX
from vector_store.errors import ConfigurationInvalid, EventInvalid, SnapshotInvalid
from vector_store.portions import SECONDS_A_ROW
from vector_store.store import Lookups, Store

pytestmark = pytest.mark.usefixtures("quiet")

MEMORY_DISK = Path("/dev/shm")
MILK, BREAD = "R1/00001", "R1/00002"


def born(record: str, number: int, **fields: Any) -> list[Event]:
    """A record with a vector of its own."""
    own = vector(1.0, float(number))
    return [Change(record, at(number), born=True, set=fields), VectorRow(record, at(number), "text", own)]


@pytest.fixture(autouse=True, scope="module")
def in_memory() -> Iterator[None]:
    """Chroma waits for the disk at every write, which takes most of these tests' time."""
    with pytest.MonkeyPatch.context() as patch:
        if MEMORY_DISK.is_dir():
            patch.setattr(tempfile, "tempdir", str(MEMORY_DISK))
        yield


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_told_is_found_by_its_vector_and_filtered_by_its_metadata(world: World) -> None:
    world.tell(*born(MILK, 1, text="MILK 1.29", x=0.5), *born(BREAD, 2, text="BREAD"))
    world.tell(Change("R1", at(3), set={"merchant_name": "Dairy"}))
    answer = world.compact()
    assert answer["status"] == COMPLETE
    assert (answer["version"], answer["deltas"]) == (1, 3)
    with world.reader() as store:
        milk, bread = store.search(vector(1, 1))
        assert (milk.id, milk.distance, milk.document) == (MILK, 0.0, "MILK 1.29")
        assert milk.metadata == {"receipt_id": "R1", "line": 1, "x": 0.5, "merchant_name": "Dairy"}
        assert [hit.id for hit in store.search(vector(1, 1), where={"line": 2})] == [bread.id]
    assert world.pending() == []


def test_later_changes_are_merged_into_the_published_snapshot(world: World) -> None:
    world.tell(*born(MILK, 1, text="MILK", x=1.0), *born(BREAD, 2, text="BREAD"))
    world.finish()
    world.tell(Change(MILK, at(3), set={"text": "OAT MILK", "label:TOTAL": "VALID", "x": None}))
    world.tell(VectorRow(MILK, at(3), "OAT MILK", vector(5, 5)), Change(BREAD, at(4), died=True))
    assert world.finish()[-1]["version"] == 2
    with world.reader() as store:
        (hit,) = store.search(vector(5, 5))
        assert (hit.id, hit.distance, hit.document) == (MILK, 0.0, "OAT MILK")
        assert hit.metadata == {"receipt_id": "R1", "line": 1, "label:TOTAL": "VALID"}


def test_nothing_pending_is_complete_and_writes_nothing(world: World) -> None:
    assert world.compact() == {
        "status": COMPLETE,
        "version": None,
        "deltas": 0,
        "text": "0 deltas merged into version none, 0 rows applied",
    }
    assert world.s3.keys(BUCKET) == []


def test_an_older_update_never_resurrects_a_record(world: World) -> None:
    world.tell(*born(MILK, 1), *born(BREAD, 2))
    world.tell(Change(MILK, at(9), died=True))
    world.finish()
    world.tell(Change(MILK, at(5), born=True, set={"text": "late"}), VectorRow(MILK, at(5), "late", vector(1, 1)))
    world.finish()
    with world.reader() as store:
        assert [hit.id for hit in store.search(vector(1, 1))] == [BREAD]
    assert [row["reason"] for row in world.record()[-1]["notes"]] == ["overtaken by what is later"] * 2


def test_bad_rows_stand_in_the_record_and_the_rest_goes_on(world: World) -> None:
    (delta, _) = world.tell(*born(MILK, 1))
    world.s3[f"{BUCKET}/{delta.key}"] += b'{"id": "R1/00002", "at": "x", "born": true}\nnot json\n'
    item = world.item(delta)
    world.dynamodb.tables["vector-store"].items[item["id"]["S"]] = {**item, "records": {"N": "3"}}
    world.tell(Change("R9/00001", at(3), set={"x": 1}), Change("R9/00002", at(4), died=True))
    answer = world.compact()
    assert answer["status"] == COMPLETE
    assert "2 bad rows" in answer["text"]
    (call,) = world.record()
    assert [(row["key"], row["line"]) for row in call["bad"]] == [(delta.key, 2), (delta.key, 3)]
    assert "at is not 40 digits" in call["bad"][0]["reason"]
    assert {(row["owner"], row["reason"]) for row in call["notes"]} == {
        ("R9/00001", "kept until the record is born"),
        ("R9/00002", "died, and was not there"),
    }
    assert call["outcome"] == "published"
    with world.reader() as store:
        assert store.chroma.ids() == [MILK]


def test_a_vector_of_another_dimension_is_a_bad_row(world: World) -> None:
    changes, vectors = world.tell(*born(MILK, 1), *born(BREAD, 2))
    world.s3[f"{BUCKET}/{vectors.key}00000.f32"] = bytes(24)
    world.s3[f"{BUCKET}/{vectors.key}done.json"] = b'{"parts": 1, "records": 2, "dimension": 3}'
    world.finish()
    (call,) = world.record()
    assert ["2 float32" in row["reason"] for row in call["bad"]] == [True, True]
    assert call["deltas"] == [changes.name, vectors.name]
    with world.reader() as store:
        assert store.chroma.count() == 0


def test_a_delta_that_cannot_be_read_three_times_is_set_aside_and_holds_up_nobody(world: World) -> None:
    (cut,) = world.tell(Change(MILK, at(1), born=True))
    world.s3[f"{BUCKET}/{cut.key}"] = b'{"id": "R1/000'
    world.tell(*born(BREAD, 2))
    answers = world.finish()
    assert [it["status"] for it in answers] == [IN_PROGRESS] * (ATTEMPTS_MAX - 1) + [COMPLETE]
    assert [it["version"] for it in answers] == [1, 1, 1]
    assert "1 deltas set aside" in answers[-1]["text"]
    assert [[row["aside"] for row in call["unreadable"]] for call in world.record()] == [[False], [False], [True]]
    assert "cut off" in world.record()[-1]["unreadable"][0]["reason"]
    assert "aside" in world.item(cut)


def test_vectors_that_are_missing_leave_their_delta_unread(world: World) -> None:
    _, vectors = world.tell(*born(MILK, 1))
    del world.s3[f"{BUCKET}/{vectors.key}00000.f32"]
    assert world.compact()["status"] == IN_PROGRESS
    assert world.pending() == [vectors.name]
    assert "is not there" in world.item(vectors)["reason"]["S"]


def test_when_time_runs_low_the_next_call_goes_on(world: World) -> None:
    for number in range(1, 9):
        world.tell(*born(f"R1/{number:05}", number, text=str(number)))
    undisturbed = world.twin()
    undisturbed.finish()
    seconds = 3 * 5.5 * SECONDS_A_ROW
    answers = [world.compact(seconds=seconds) for _ in range(3)]
    assert [(it["status"], it["version"], it["deltas"]) for it in answers] == [
        (IN_PROGRESS, 1, 5),
        (IN_PROGRESS, 2, 5),
        (IN_PROGRESS, 3, 5),
    ]
    assert "others are left" in answers[0]["text"]
    assert world.compact(seconds=seconds)["status"] == COMPLETE
    assert world.contents() == undisturbed.contents()
    assert [call["version"] for call in world.record()] == [1, 2, 3, 4]


def test_a_call_without_any_time_merges_one_delta_all_the_same(world: World) -> None:
    world.tell(*born(MILK, 1))
    assert world.compact(seconds=-5.0)["deltas"] == 1


def test_a_snapshot_that_was_altered_is_not_built_upon(world: World) -> None:
    world.tell(*born(MILK, 1))
    world.finish()
    pointer = world.pointer()
    assert pointer is not None
    archive = f"{BUCKET}/{pointer.snapshot}store.tar"
    world.s3[archive] = world.s3[archive].replace(MILK.encode(), b"R2/00001", 1)
    world.tell(*born(BREAD, 2))
    with pytest.raises(SnapshotInvalid, match=pointer.snapshot):
        world.compact()
    assert world.pointer() == pointer
    assert len(world.pending()) == 2


def test_another_dimension_than_the_stores_is_refused_before_anything_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tell(*born(MILK, 1))
    world.finish()
    monkeypatch.setattr("tests.fakes.compaction.DIMENSION", 3)
    with pytest.raises(ConfigurationInvalid, match="dimension 2, and EMBED_DIMENSION is 3"):
        world.compact()


def test_a_check_that_fails_publishes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.tell(*born(MILK, 1), *born(BREAD, 2))
    merge = Store.merge

    def forgetful(store: Store, *arguments: Any) -> Any:
        merged = merge(store, *arguments)
        store.chroma._collection.delete(ids=[MILK])
        return merged

    monkeypatch.setattr(Store, "merge", forgetful)
    with pytest.raises(SnapshotInvalid, match="has 1 records, the merged state 2"):
        world.compact()
    assert world.pointer() is None
    assert world.s3.keys(BUCKET, f"{COLLECTION}/snapshot/") == []


@pytest.mark.parametrize(
    ("before", "after", "rebuilt", "published"),
    [(1, 1, 0, True), (5, 2, 1, True), (15, 5, 1, True), (15, 15, 1, False)],
)
def test_an_index_that_loses_more_than_chance_does_is_made_new_or_else_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, before: int, after: int, rebuilt: int, published: bool
) -> None:
    world.tell(*born(MILK, 1))
    rebuilds: list[Store] = []
    monkeypatch.setattr(Store, "check", lambda *_: Lookups(20, (MILK,) * (after if rebuilds else before)))
    monkeypatch.setattr(Store, "rebuild", lambda store: rebuilds.append(store))
    if published:
        assert world.compact()["status"] == COMPLETE
    else:
        with pytest.raises(SnapshotInvalid, match="15 of 20 records"):
            world.compact()
        assert world.pointer() is None
    assert len(rebuilds) == rebuilt


def test_the_functions_run_on_aws_own_requests(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = {
        "VECTOR_STORE_TABLE": TABLE,
        "STORE_BUCKET": BUCKET,
        "EMBED_DIMENSION": "2",
        "SNAPSHOT_RETENTION_DAYS": "7",
    }
    keys = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    for name, value in (place | keys).items():
        monkeypatch.setenv(name, value)
    for made in (assembly.dynamodb, assembly.s3):
        made.cache_clear()
    with mock_aws():
        assembly.s3().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        create_table(assembly.dynamodb(), TABLE, "id", {INDEX: ("pending", "since")})
        world = World()
        world.s3, world.dynamodb = assembly.s3(), assembly.dynamodb()
        event, context = {"collection": COLLECTION, "job": "job"}, FakeLambdaContext()
        for version in (1, 2):
            delta = world.deltas().write(f"d{version}", [Change(MILK, at(version), born=True)])
            world.deltas().register(delta, world.now())
            answer = compact.handler(event, context)
            assert (answer["status"], answer["version"], answer["deltas"]) == (COMPLETE, version, 1)
        body = assembly.s3().get_object(Bucket=BUCKET, Key=f"runs/{COLLECTION}/job.json")["Body"].read()
        assert [call["outcome"] for call in json.loads(body)["calls"]] == ["published", "published"]
        metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
        assert [(it["collection"], it["ChangesMerged"], it["StoreRecords"], it["BadRows"]) for it in metrics] == [
            (COLLECTION, [1.0], [0.0], [0.0])
        ] * 2
        compact.handler(event, context)
        assert "CloudWatchMetrics" not in capsys.readouterr().out, "nothing was merged, and nothing is measured"
        assert collect.handler({"dryRun": True}, context) == {"dryRun": True, "removed": {"lines": [], "words": []}}
    for made in (assembly.dynamodb, assembly.s3):
        made.cache_clear()


def test_of_a_call_that_lost_the_pointer_nothing_is_measured(world: World) -> None:
    """Who reads its deltas again tells of the same bad rows."""
    (delta, _) = world.tell(*born(MILK, 1))
    world.s3[f"{BUCKET}/{delta.key}"] = b"not json\n"

    def overtaken(name: str, function: Call, arguments: dict[str, Any]) -> Any:
        if name == "transact_write_items" and not world.pointer():
            world.compact("winner")
        return function(**arguments)

    loser = world.compaction("loser", guard=lambda client: Intercepted(client, overtaken))
    loser.go(stop_at=world.clock.monotonic() + 900)
    calls = [world.record(job)[-1] for job in ("loser", "winner")]
    assert [(call["outcome"], call["rows"]["bad"]) for call in calls] == [("discarded", 1), ("published", 1)]
    assert loser.measured() == []


@pytest.mark.parametrize(
    ("slots", "visible", "worn"), [(1_000, 0, False), (1_001, 0, True), (20_000, 10_000, False), (20_001, 10_000, True)]
)
def test_an_index_is_worn_when_it_holds_more_dead_than_living(slots: int, visible: int, worn: bool) -> None:
    assert is_worn(slots, visible) is worn


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"collection": "letters", "job": "j"}, "allowed: lines, words"),
        ({"collection": "lines"}, "job is None"),
        ({"collection": "lines", "job": "../x"}, "allowed: a name"),
    ],
)
def test_an_event_that_makes_no_sense_is_named(event: dict[str, Any], message: str) -> None:
    with pytest.raises(EventInvalid, match=message):
        asked(event)


HISTORIES, ORDERS, SOAK_ORDERS = 4, 5, 50


@cache
def told_in_order(seed: int) -> tuple[list[Event], str]:
    """A history, and the contents of a store that was told it at once."""
    told = history(Random(seed), 60)
    world = World()
    world.tell(*told)
    world.finish()
    expected = LawStore()
    expected.take(*told)
    with world.reader() as store:
        assert list(store.state.lines()) == list(expected.state.lines())
        for name, shown, own in store.chroma.read(store.chroma.ids()):
            row = expected.chroma.rows.pop(name)
            assert (shown.document, shown.metadata, own) == (row.document, pytest.approx(row.metadata), row.vector)
    assert not expected.chroma.rows
    return told, world.contents()


@pytest.mark.parametrize("seed", range(HISTORIES))
@pytest.mark.parametrize(
    "order", [pytest.param(order, marks=[pytest.mark.soak] * (order >= ORDERS)) for order in range(SOAK_ORDERS)]
)
def test_any_order_and_split_makes_the_same_contents_byte_for_byte(seed: int, order: int) -> None:
    told, expected = told_in_order(seed)
    random = Random(f"{seed}/{order}")
    events = [*told, *random.choices(told, k=10)]
    random.shuffle(events)
    world = World()
    while events:
        for _ in range(random.randrange(1, 4)):
            size = random.randrange(1, 40)
            if some := events[:size]:
                world.tell(*some)
            del events[:size]
        world.finish()
    assert world.contents() == expected


def busy() -> World:
    """A published snapshot, and of everything something that waits: updates, a new vector, deaths, a birth, a bad row,
    and a delta that nobody can read."""
    world = World()
    world.tell(*born(MILK, 1, text="MILK"), *born(BREAD, 2, text="BREAD"), *born("R2/00001", 3))
    world.finish("first")
    world.tell(Change(MILK, at(10), set={"text": "OAT MILK"}), VectorRow(MILK, at(10), "OAT MILK", vector(7, 7)))
    world.tell(
        Change("R2", at(11), died=True),
        *born("R3/00001", 12, text="NEW"),
        VectorRow("R9/00001", at(13), "x", vector(3, 3)),
    )
    (unreadable,) = world.tell(Change(BREAD, at(14), died=True))
    world.s3[f"{BUCKET}/{unreadable.key}"] = b"{"
    world.tell(Change(BREAD, at(15), set={"label:TOTAL": "VALID"}))
    return world


@pytest.fixture(scope="module")
def before() -> World:
    return busy()


@pytest.fixture(scope="module")
def states(before: World) -> list[str]:
    """What readers may find: the contents before the run on `before`, and those after it."""
    world = before.twin()
    world.finish()
    return [before.contents(), world.contents()]


@pytest.fixture(scope="module")
def calls(before: World) -> int:
    """How many calls to AWS the first call of that run makes."""
    fuse = Fuse()
    before.twin().compact(guard=fuse.guard)
    return fuse.calls


class Points:
    """Of the calls of a run, numbered from 1, every so many-th; the soak run takes them all."""

    MANY = 40

    @classmethod
    def every(cls, step: int) -> Any:
        chosen = range(1, cls.MANY, step)
        return pytest.mark.parametrize(
            "point", [pytest.param(it, marks=[pytest.mark.soak] * (it not in chosen)) for it in range(1, cls.MANY)]
        )


def test_the_points_are_all_of_a_run(calls: int) -> None:
    assert 20 < calls < Points.MANY


@pytest.mark.parametrize("done", [False, True], ids=["before it", "after it"])
@Points.every(1)
def test_a_death_at_any_call_loses_nothing_and_publishes_nothing_half_made(
    point: int, done: bool, before: World, states: list[str], calls: int
) -> None:
    if point > calls:
        return
    world = before.twin()
    with pytest.raises(Crash):
        world.compact(guard=Fuse(point, done=done).guard)
    assert world.contents() in states
    if len(world.pending()) < len(before.pending()):
        assert world.contents() == states[1], "deltas that are done are published"
    world.finish()
    assert world.contents() == states[1]
    assert world.pending() == []


def test_a_reader_finds_a_whole_snapshot_at_every_moment(before: World, states: list[str]) -> None:
    world = before.twin()
    found: list[str] = []
    seen: dict[str, str] = {}

    def watched(_: str, function: Call, arguments: dict[str, Any]) -> Any:
        reply = function(**arguments)
        pointer = world.pointer()
        assert pointer is not None
        if pointer.sha256 not in seen:
            seen[pointer.sha256] = world.contents()
        found.append(seen[pointer.sha256])
        return reply

    world.compact(guard=lambda client: Intercepted(client, watched))
    assert sorted(set(found), key=found.index) == states


@Points.every(3)
def test_of_two_compactions_at_once_one_publishes_and_nothing_is_lost(
    point: int, before: World, states: list[str], calls: int
) -> None:
    if point > calls:
        return
    world, answers = before.twin(), []

    numbers = count(1)

    def interrupted(_: str, function: Call, arguments: dict[str, Any]) -> Any:
        """Another compaction happens, whole, before this call."""
        if next(numbers) == point:
            answers.append(world.compact("other"))
        return function(**arguments)

    answers.append(world.compact(guard=lambda client: Intercepted(client, interrupted)))
    published = [call for job in ("job", "other") for call in world.record(job) if call["outcome"] == "published"]
    assert len({call["version"] for call in published}) == len(published)
    assert world.contents() == states[1]
    for answer in answers:
        assert answer["status"] == IN_PROGRESS, "the unreadable delta is left, or the race was lost"
    world.finish()
    assert world.contents() == states[1]
    assert world.pending() == []
