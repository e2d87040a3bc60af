"""Search on a bucket and a table in memory, and on the real Chroma."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.local.bedrock import titan as embedded_titan
from shared.backoff import Backoff
from tests.fakes import compaction
from tests.fakes.compaction import BUCKET, TABLE, World
from tests.fakes.embedding import DIMENSION, FakeBedrock
from tests.fakes.histories import Event, at, vector
from tests.fakes.pool import InlinePool
from tests.fakes.s3 import client_error
from vector_store.changes import Change, VectorRow
from vector_store.errors import ConfigurationInvalid, EventInvalid, SnapshotInvalid, StoreUnavailable
from vector_store.kept_snapshot import KeptSnapshot
from vector_store.places import LINES
from vector_store.pointer import Pointers
from vector_store.scratch import PREFIX
from vector_store.search import Question, asked, search
from vector_store.snapshots import Snapshots
from vector_store.titan import Rate, Titan

pytestmark = pytest.mark.usefixtures("quiet")

TEXTS = {"R1/00001": "oat milk", "R1/00002": "rye bread", "R2/00001": "butter"}


def born(record: str, number: int, **fields: Any) -> list[Event]:
    text = TEXTS[record]
    own = vector(*embedded_titan.vector(text, DIMENSION, normalize=True))
    return [
        Change(record, at(number), born=True, set={"text": text, **fields}),
        VectorRow(record, at(number), text, own),
    ]


class Reader:
    """A container of the function."""

    def __init__(self, world: World, *, dimension: int = DIMENSION) -> None:
        self.world = world
        self.bedrock = FakeBedrock()
        self.kept = KeptSnapshot(
            LINES, Snapshots(world.s3, BUCKET, LINES), Pointers(world.dynamodb, TABLE), dimension=dimension
        )
        self.titan = Titan(
            self.bedrock,
            dimension=DIMENSION,
            rate=Rate(100.0, world.clock),
            pool=InlinePool(),
            clock=world.clock,
            random=lambda: 0.5,
            backoff=Backoff(first_seconds=0.1, attempts=2),
        )

    def search(self, text: str, **more: Any) -> dict[str, Any]:
        return search(asked({"collection": LINES, "text": text, **more}), self.kept, self.titan)

    def ids(self, text: str, **more: Any) -> list[str]:
        return [hit["id"] for hit in self.search(text, **more)["hits"]]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def world(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> World:  # noqa: ARG001 - before the world's folders
    """Three lines of two receipts."""
    monkeypatch.setattr(compaction, "DIMENSION", DIMENSION)
    world = World()
    world.tell(*born("R1/00001", 1, x=1.0, open=True), *born("R1/00002", 2, x=2.0), *born("R2/00001", 3, x=1.0))
    world.tell(Change("R1", at(4), set={"merchant_name": "Dairy"}))
    world.finish()
    return world


@pytest.fixture
def reader(world: World) -> Iterator[Reader]:
    reader = Reader(world)
    yield reader
    reader.kept.close()


def test_the_nearest_record_comes_first_with_all_that_is_shown_of_it(reader: Reader) -> None:
    answer = reader.search("oat milk")
    assert answer["version"] == 1
    first = answer["hits"][0]
    assert (first["id"], first["document"]) == ("R1/00001", "oat milk")
    assert first["distance"] == pytest.approx(0, abs=1e-6)
    assert first["metadata"] == {
        "receipt_id": "R1",
        "line": 1,
        "x": 1.0,
        "open": True,
        "merchant_name": "Dairy",
    }
    distances = [hit["distance"] for hit in answer["hits"]]
    assert len(distances) == 3
    assert distances == sorted(distances)
    assert reader.ids("butter", limit=1) == ["R2/00001"]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({}, {"R1/00001", "R1/00002", "R2/00001"}),
        ({"x": 1}, {"R1/00001", "R2/00001"}),
        ({"x": 1, "receipt_id": "R1"}, {"R1/00001"}),
        ({"line": 2}, {"R1/00002"}),
        ({"line": 2.0}, {"R1/00002"}),
        ({"open": True}, {"R1/00001"}),
        ({"open": 1}, set()),
        ({"merchant_name": "Dairy"}, {"R1/00001", "R1/00002"}),
        ({"merchant_name": "Bakery"}, set()),
        ({"no such field": "x"}, set()),
        ({f"f{number}": number for number in range(20)}, set()),
    ],
)
def test_fields_that_are_asked_for_are_all_there(reader: Reader, where: dict[str, Any], found: set[str]) -> None:
    assert set(reader.ids("milk", where=where)) == found


def test_the_snapshot_is_kept_while_it_is_the_published_one(reader: Reader, world: World, scratch: Path) -> None:
    reader.search("milk")
    fetched = len(world.s3.reads)
    reader.search("bread")
    assert len(world.s3.reads) == fetched
    world.tell(Change("R1/00001", at(9), died=True))
    world.finish()
    assert reader.search("milk")["version"] == 2
    assert "R1/00001" not in reader.ids("milk")
    assert len(list(scratch.glob(f"{PREFIX}*"))) == 1, "the files of the one before are gone"


def test_a_pointer_that_was_set_back_is_followed(reader: Reader, world: World) -> None:
    before = world.pointer()
    assert before
    world.tell(Change("R1/00001", at(9), died=True))
    world.finish()
    assert reader.search("milk")["version"] == 2
    Pointers(world.dynamodb, TABLE).publish(LINES, before, over=world.pointer())
    assert reader.search("oat milk")["hits"][0]["id"] == "R1/00001"


def test_where_nothing_is_published_nothing_is_found_and_bedrock_not_asked(scratch: Path) -> None:  # noqa: ARG001
    reader = Reader(World())
    assert reader.search("milk") == {"version": 0, "hits": []}
    assert reader.bedrock.calls == 0


def test_an_empty_store_finds_nothing(world: World, reader: Reader) -> None:
    world.tell(*(Change(record, at(9), died=True) for record in TEXTS))
    world.finish()
    assert reader.search("milk") == {"version": 2, "hits": []}


def test_a_text_that_bedrock_refuses_is_the_events_fault(reader: Reader) -> None:
    reader.bedrock.refused = {"milk"}
    with pytest.raises(EventInvalid, match="text: Bedrock refuses it"):
        reader.search("milk")
    assert reader.ids("oat milk"), "the next search goes on"


def test_bedrock_that_does_not_answer_soon_is_told_by_name(reader: Reader) -> None:
    reader.bedrock.troubles = [client_error("InvokeModel", "ThrottlingException")] * 2
    with pytest.raises(StoreUnavailable, match="ThrottlingException"):
        reader.search("milk")


def test_a_snapshot_that_is_damaged_is_told_by_name_and_not_kept(
    reader: Reader, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = world.pointer()
    assert pointer
    key = f"{BUCKET}/{pointer.snapshot}store.tar"
    whole = world.s3[key]
    world.s3[key] = whole[:-1]
    with pytest.raises(SnapshotInvalid):
        reader.search("milk")
    world.s3[key] = whole
    assert reader.ids("milk")

    def damaged(*_: Any, **__: Any) -> Any:
        raise SnapshotInvalid("damaged")

    with monkeypatch.context() as patch:
        patch.setattr("vector_store.store.Store.search", damaged)
        with pytest.raises(SnapshotInvalid):
            reader.search("milk")
    fetched = len(world.s3.reads)
    assert reader.ids("milk")
    assert len(world.s3.reads) > fetched, "it was fetched anew"


def test_vectors_of_another_dimension_are_the_deployments_fault(world: World) -> None:
    with pytest.raises(ConfigurationInvalid, match="EMBED_DIMENSION is 512"):
        Reader(world, dimension=512).search("milk")


@pytest.mark.parametrize(
    ("where", "filter_"),
    [
        ({"x": 1}, {"x": 1.0}),
        ({"word": 3, "label:TOTAL": "VALID"}, {"$and": [{"word": 3}, {"label:TOTAL": "VALID"}]}),
        ({}, None),
    ],
)
def test_numbers_are_asked_for_as_the_store_has_them(where: dict[str, Any], filter_: Any) -> None:
    question = asked({"collection": LINES, "text": "milk", "where": where})
    assert question == Question(LINES, "milk", 10, filter_)
    assert repr(question.where) == repr(filter_), "1 is not 1.0 there"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"collection": "letters"}, "collection"),
        ({"collection": ["lines"]}, "collection"),
        ({"text": ""}, "text"),
        ({"text": " \n"}, "text"),
        ({"text": 7}, "text"),
        ({"text": "x" * 50_001}, "text"),
        ({"text": "\ud800"}, "text"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": "10"}, "limit"),
        ({"limit": 10.0}, "limit"),
        ({"where": ["x"]}, "where"),
        ({"where": None}, "where"),
        ({"where": {"": 1}}, "where"),
        ({"where": {"$or": "x"}}, "where"),
        ({"where": {"x": None}}, "where.x"),
        ({"where": {"x": {"$gt": 1}}}, "where.x"),
        ({"where": {"x": ["a"]}}, "where.x"),
        ({"where": {"x": float("nan")}}, "where.x"),
        ({"where": {"x": float("inf")}}, "where.x"),
        ({"where": {"x": 10**400}}, "where.x"),
        ({"where": {"x": "\ud800"}}, "where.x"),
        ({"where": {"line": 1.5}}, "where.line"),
        ({"where": {"line": float("nan")}}, "where.line"),
        ({"where": {"line": 2**63}}, "where.line"),
        ({"where": {f"f{number}": 1 for number in range(21)}}, "where"),
        ({"Where": {}}, "Where"),
    ],
    ids=lambda it: repr(it)[:40] if isinstance(it, dict) else "",
)
def test_an_event_of_another_shape_is_refused_with_its_member(more: dict[str, Any], named: str) -> None:
    with pytest.raises(EventInvalid, match=named):
        asked({"collection": LINES, "text": "milk"} | more)
