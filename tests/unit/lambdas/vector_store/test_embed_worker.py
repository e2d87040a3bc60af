from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from millrace.local.bedrock import titan
from tests.fakes.crash import Crash, Fuse
from tests.fakes.embedding import DIMENSION, EXPORTS, PART_RECORDS, QUEUE, RECEIPTS, STORE, World, line, word
from tests.fakes.s3 import client_error
from vector_store.embed_request import Request
from vector_store.embed_watch import Interrupted, Stop, Watch
from vector_store.embed_worker import Worker
from vector_store.errors import MessageInvalid, StoreUnavailable
from vector_store.titan import MODEL

ROWS: list[Any] = [
    line(1, at="7"),
    word(1, "TOTAL"),
    "{broken",
    line(2),
    line(3, "refused"),
    word(2),
    line(4),
    line(5, "refused as well"),
    line(6),
    line(7, receipt_id="another"),
    word(3),
    *(line(number) for number in range(8, 12)),
    word(4),
    word(5, " "),
]
"""Three parts of lines, of which two have a text that Bedrock refuses, and a full one of words; three bad rows of other
sorts."""


@pytest.fixture
def world() -> World:
    return prepared()


def prepared() -> World:
    world = World()
    world.bedrock.refused = {"refused", "refused as well"}
    world.export(ROWS)
    return world


def work(world: World, request: Request, fuse: Fuse | None = None) -> None:
    world.worker(fuse).work(request, Watch(Stop(world.clock), []))


def request_of(world: World) -> Request:
    return Request(**json.loads(world.sqs.bodies(QUEUE)[0]))


def measured(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metrics that were written, a line each, without what every line has."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    names = [[metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]] for line in lines]
    return [{name: sum(line[name]) for name in of_line} for line, of_line in zip(lines, names, strict=True)]


def rows(world: World, name: str) -> list[dict[str, Any]]:
    return [json.loads(row) for row in world.s3[f"{STORE}/{name}"].splitlines()]


def test_an_export_becomes_parts_of_each_collection_and_then_a_run(world: World) -> None:
    work(world, request_of(world))
    assert sorted(world.files()) == sorted(
        [
            *(f"lines/delta/run1/{number:05}.{kind}" for number in range(3) for kind in ("ndjson", "f32")),
            "lines/delta/run1/bad.ndjson",
            "lines/delta/run1/done.json",
            "words/delta/run1/00000.ndjson",
            "words/delta/run1/00000.f32",
            "words/delta/run1/bad.ndjson",
            "words/delta/run1/done.json",
        ]
    )
    assert rows(world, "lines/delta/run1/00000.ndjson") == [
        {"id": "r1/00001", "at": "7".zfill(40), "text": "line 1"},
        {"id": "r1/00002", "at": None, "text": "line 2"},
        {"id": "r1/00004", "at": None, "text": "line 4"},
    ]
    done = {"parts": 3, "records": 8, "dimension": DIMENSION, "model": MODEL}
    assert rows(world, "lines/delta/run1/done.json") == [done]
    run = {"prefix": "delta/run1/", "lines": "8", "words": "4", "created_at": "2025-10-09T08:53:20.130Z"}
    assert world.run() == run


def test_vectors_are_float32_little_endian_in_the_order_of_the_records(world: World) -> None:
    work(world, request_of(world))
    numbers = array("f", world.s3[f"{STORE}/words/delta/run1/00000.f32"])
    texts = [row["text"] for row in rows(world, "words/delta/run1/00000.ndjson")]
    assert texts == ["TOTAL", "word 2", "word 3", "word 4"]
    expected = [number for text in texts for number in titan.vector(text, DIMENSION, normalize=True)]
    assert numbers.tolist() == pytest.approx(expected, abs=1e-7)


def test_every_bad_line_is_a_row_with_its_number_and_reason(world: World) -> None:
    work(world, request_of(world))
    assert [
        (row["line"], row["id"], row["reason"].split(":")[0]) for row in rows(world, "lines/delta/run1/bad.ndjson")
    ] == [
        (3, None, "the line is not JSON at column 2"),
        (5, "r1/00003", "ValidationException"),
        (8, "r1/00005", "ValidationException"),
        (10, "another/00007", "id is of another receipt"),
    ]
    assert rows(world, "words/delta/run1/bad.ndjson") == [
        {"line": 17, "id": "r1/00001/00005", "reason": "text is missing, no text, or empty"}
    ]


def test_a_run_that_is_written_is_not_worked_again(world: World) -> None:
    request = request_of(world)
    work(world, request)
    world.s3[f"{EXPORTS}/{request.key}"] = b""
    files, run, calls = world.files(), world.run(), world.bedrock.calls
    work(world, request)
    assert (world.files(), world.run(), world.bedrock.calls) == (files, run, calls)


def test_an_export_without_records_is_a_run_of_none() -> None:
    world = World()
    work(world, world.export([]))
    assert (world.run() or {})["lines"] == "0"
    assert sorted(world.files()) == ["lines/delta/run1/done.json", "words/delta/run1/done.json"]


def test_a_part_of_refused_texts_alone_is_empty_and_there() -> None:
    world = World()
    world.bedrock.refused = {"no"}
    request = world.export([line(0), *(line(number, "no") for number in range(1, 8)), line(8)])
    work(world, request)
    assert world.s3[f"{STORE}/lines/delta/run1/00001.ndjson"] == b""
    assert rows(world, "lines/delta/run1/done.json")[0]["records"] == 2


def test_an_export_that_is_not_there_is_the_messages_fault(world: World) -> None:
    with pytest.raises(MessageInvalid, match="s3://exports/gone is not there; export it again"):
        work(world, Request("r1", "run1", EXPORTS, "gone"))
    world.s3.forbidden.add("run1.ndjson")
    with pytest.raises(StoreUnavailable, match="AccessDenied"):
        work(world, request_of(world))


def test_a_part_of_another_export_or_dimension_is_embedded_anew(world: World) -> None:
    request = request_of(world)
    work(world, request)
    files = world.files()
    world.s3[f"{STORE}/lines/delta/run1/00000.ndjson"] = files["lines/delta/run1/00000.ndjson"].replace(b"1", b"2")
    world.s3[f"{STORE}/words/delta/run1/00000.f32"] = b"\0" * 4 * 512 * 4
    world.dynamodb.tables[RECEIPTS].items = {}
    world.bedrock.texts.clear()
    work(world, request)
    assert world.files() == files
    assert len(world.bedrock.texts) == 3 + 4


def test_bad_rows_that_are_bad_no_more_are_gone(world: World) -> None:
    request = request_of(world)
    with pytest.raises(Crash):
        work(world, request, Fuse(16))
    assert rows(world, "lines/delta/run1/bad.ndjson")
    for key in list(world.s3.keys(STORE)):
        if not key.endswith("bad.ndjson"):
            del world.s3[f"{STORE}/{key}"]
    world.bedrock.refused.clear()
    world.s3[f"{EXPORTS}/{request.key}"] = b"".join(
        json.dumps(row).encode() + b"\n" for row in (line(1), line(2), line(3))
    )
    work(world, request)
    assert rows(world, "lines/delta/run1/bad.ndjson") == []


def noting_files(world: World, into: list[dict[str, bytes]]) -> Callable[..., Any]:
    """A TransactWriteItems that notes which files there are whenever it takes effect."""
    write = world.dynamodb.transact_write_items

    def noted(**asked: Any) -> dict[str, Any]:
        reply = write(**asked)
        into.append(world.files())
        return reply

    return noted


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_after_a_death_at_any_call_the_next_try_writes_the_same_bytes(
    done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And embeds nothing again but the part that was under way; and the run is never there before its files are."""
    whole, fuse = prepared(), Fuse()
    work(whole, request_of(whole), fuse)
    files, run = whole.files(), whole.run()
    for at in range(1, fuse.calls + 1):
        world = prepared()
        durable: list[dict[str, bytes]] = []
        monkeypatch.setattr(world.dynamodb, "transact_write_items", noting_files(world, durable))
        with pytest.raises(Crash):
            work(world, request_of(world), Fuse(at, done=done))
        assert world.run() is None or world.files() == files
        begun = len(world.bedrock.texts)
        kept = sum(key.endswith(".ndjson") and key.count("bad") == 0 for key in world.files())
        work(world, request_of(world))
        assert world.files() == files, f"call {at}"
        assert {**(world.run() or {}), "created_at": ""} == {**(run or {}), "created_at": ""}
        assert durable == [files], "once, when all files are there"
        again = {text for text, times in world.embedded().items() if times > 1}
        assert max(world.embedded().values()) <= 2
        assert len(again) <= PART_RECORDS
        assert again <= set(world.bedrock.texts[:begun][-PART_RECORDS:]), f"{kept} parts were whole at call {at}"


def test_work_that_is_asked_to_stop_leaves_whole_parts_and_goes_on_later(world: World) -> None:
    whole = prepared()
    work(whole, request_of(whole))
    stop = Stop(world.clock, begin_nothing_at=0.01)
    with pytest.raises(Interrupted, match="asked to stop"):
        world.worker().work(request_of(world), Watch(stop, []))
    assert sorted(world.files()) == [
        "lines/delta/run1/00000.f32",
        "lines/delta/run1/00000.ndjson",
        "lines/delta/run1/bad.ndjson",
    ]
    work(world, request_of(world))
    assert world.files() == whole.files()
    assert max(world.embedded().values()) == 1


def test_work_that_is_out_of_time_leaves_the_part_that_is_under_way(world: World) -> None:
    with pytest.raises(Interrupted, match="out of time"):
        world.worker(per_second=1).work(request_of(world), Watch(Stop(world.clock, leave_at=1.5), []))
    assert world.files() == {}
    assert world.bedrock.texts == ["line 1", "line 2"]


def test_a_lost_lease_ends_the_work_before_anything_is_written(world: World) -> None:
    beats = 0

    def keep() -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            raise Lost

    class Lost(Exception):
        pass

    with pytest.raises(Lost):
        world.worker().work(request_of(world), Watch(Stop(world.clock), [keep]))
    assert world.files() == {}
    assert world.run() is None


def test_a_store_that_fails_ends_the_work_and_the_next_try_goes_on(world: World) -> None:
    world.bedrock.troubles = [None] * 6 + [client_error("InvokeModel", "AccessDeniedException", "no", 403)]
    with pytest.raises(StoreUnavailable, match="AccessDeniedException: no"):
        work(world, request_of(world))
    work(world, request_of(world))
    assert world.run()


def test_parts_have_five_hundred_records() -> None:
    world = World()
    request = world.export(word(number, "a") for number in range(501))
    means = world.worker()._means
    Worker(means).work(request, Watch(Stop(world.clock), []))
    sizes = [len(rows(world, f"words/delta/run1/{number:05}.ndjson")) for number in range(2)]
    assert sizes == [500, 1]


def test_each_try_is_measured_and_a_bad_record_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    request = request_of(world)
    throttled = client_error("InvokeModel", "ThrottlingException")
    world.bedrock.troubles = [*[None] * 5, throttled, throttled]
    with pytest.raises(Crash):
        work(world, request, Fuse(20))
    work(world, request)
    work(world, request)
    first, second = measured(capsys)
    assert (first["RunsEmbedded"], first["BadRecords"], first["EmbeddingThrottled"]) == (0, 0, 2)
    assert (second["RunsEmbedded"], second["BadRecords"], second["EmbeddingThrottled"]) == (1, 5, 0)
    assert first["TextsEmbedded"] > 0
    run = world.run()
    assert run
    assert first["TextsEmbedded"] + second["TextsEmbedded"] == int(run["lines"]) + int(run["words"])
