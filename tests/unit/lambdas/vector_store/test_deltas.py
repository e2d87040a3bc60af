"""The adapter on a table and a bucket whose requests are really evaluated."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from benchmarks.tables import create_table
from tests.fakes.receipts import at
from tests.fakes.s3 import FakeS3, client_error
from vector_store.changes import Change, VectorRow
from vector_store.deltas import ASIDE_INDEX, ATTEMPTS_MAX, DONE_AT_ONCE, INDEX, BadRow, Delta, Deltas, Unread
from vector_store.embed_files import Folder, Part, written
from vector_store.embed_records import Record, read_records
from vector_store.errors import DeltaUnreadable, StoreUnavailable

TABLE, BUCKET = "millrace-vector-store", "store"
NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
CHANGES = [Change("r-1/00001", at(number), set={"text": f"Käse {number}"}) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def clients() -> Iterator[tuple[Any, Any]]:
    keys = {"region_name": "eu-west-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    with mock_aws():
        dynamodb, s3 = boto3.client("dynamodb", **keys), boto3.client("s3", **keys)
        create_table(dynamodb, TABLE, "id", {INDEX: ("pending", "since"), ASIDE_INDEX: ("aside", "since")})
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield dynamodb, s3


@pytest.fixture(autouse=True)
def empty(clients: tuple[Any, Any]) -> None:
    dynamodb, s3 = clients
    for found in dynamodb.scan(TableName=TABLE)["Items"]:
        dynamodb.delete_item(TableName=TABLE, Key={"id": found["id"]})
    for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=found["Key"])


@pytest.fixture
def deltas(clients: tuple[Any, Any]) -> Deltas:
    return of("lines", clients)


def of(collection: str, clients: tuple[Any, Any]) -> Deltas:
    return Deltas(*clients, table=TABLE, bucket=BUCKET, collection=collection)


def item(clients: tuple[Any, Any], name: str, collection: str = "lines") -> dict[str, Any]:
    found: dict[str, Any] = clients[0].get_item(TableName=TABLE, Key={"id": {"S": f"delta/{collection}/{name}"}})[
        "Item"
    ]
    return found


def put(clients: tuple[Any, Any], key: str, body: bytes) -> None:
    clients[1].put_object(Bucket=BUCKET, Key=key, Body=body)


def test_a_delta_of_changes_is_a_file_and_an_item(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    delta = deltas.write("d-1", CHANGES)
    assert deltas.register(delta, NOW)
    assert item(clients, "d-1") == {
        "id": {"S": "delta/lines/d-1"},
        "pending": {"S": "lines"},
        "since": {"S": "2026-11-22T13:00:00.000Z"},
        "kind": {"S": "changes"},
        "key": {"S": "lines/changes/d-1.ndjson"},
        "records": {"N": "3"},
        "attempts": {"N": "0"},
    }
    (pending,) = deltas.pending()
    assert pending == delta._replace(since="2026-11-22T13:00:00.000Z")
    assert list(deltas.read(pending)) == CHANGES


def test_the_same_rows_make_the_same_file_in_any_order_and_number(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    def body() -> bytes:
        found: bytes = clients[1].get_object(Bucket=BUCKET, Key="lines/changes/d-1.ndjson")["Body"].read()
        return found

    one = deltas.write("d-1", CHANGES)
    first = body()
    assert deltas.write("d-1", [*reversed(CHANGES), CHANGES[1]]) == one
    assert body() == first


def test_what_is_pending_comes_oldest_first_and_of_its_collection_alone(
    deltas: Deltas, clients: tuple[Any, Any]
) -> None:
    for number in (3, 1, 2):
        deltas.register(Delta(f"d-{number}", "changes", "k", 1), NOW + timedelta(seconds=number))
    of("words", clients).register(Delta("d-4", "changes", "k", 1), NOW)
    assert [delta.name for delta in deltas.pending()] == ["d-1", "d-2", "d-3"]
    assert [delta.name for delta in deltas.pending(2)] == ["d-1", "d-2"]


class Pages:
    """DynamoDB that gives one item of an index at a time."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def query(self, **asked: Any) -> Any:
        return self._client.query(**asked | {"Limit": 1})


def test_pages_are_read_to_the_last(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    for number in range(3):
        deltas.register(Delta(f"d-{number}", "changes", "k", 1), NOW + timedelta(seconds=number))
    paged = of("lines", (Pages(clients[0]), clients[1]))
    assert [delta.name for delta in paged.pending()] == ["d-0", "d-1", "d-2"]
    assert [delta.name for delta in paged.pending(2)] == ["d-0", "d-1"]


def test_what_is_registered_stays_as_it_is(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    delta = Delta("d-1", "changes", "k", 1)
    deltas.register(delta, NOW)
    before = item(clients, "d-1")
    assert not deltas.register(delta, NOW + timedelta(hours=1))
    assert item(clients, "d-1") == before


def test_a_delta_that_is_done_is_not_pending_again(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    delta = Delta("d-1", "changes", "k", 1)
    deltas.register(delta, NOW)
    deltas.done([delta], NOW)
    done = item(clients, "d-1")
    assert "pending" not in done
    assert int(done["expiresAt"]["N"]) == int((NOW + timedelta(days=30)).timestamp())
    deltas.done([delta], NOW + timedelta(days=1))
    assert not deltas.register(delta, NOW)
    assert deltas.pending() == []
    assert item(clients, "d-1") == done


def test_deltas_are_done_a_hundred_at_a_time_though_one_of_them_is_done_already(deltas: Deltas) -> None:
    many = [Delta(f"d-{number:03}", "changes", "k", 1) for number in range(DONE_AT_ONCE + 1)]
    for delta in many:
        deltas.register(delta, NOW)
    deltas.done(many[7:8], NOW)
    deltas.done([*many, Delta("never registered", "changes", "k", 1)], NOW)
    assert deltas.pending() == []


def test_a_delta_is_set_aside_at_the_third_reading_that_fails(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    deltas.register(Delta("d-1", "changes", "k", 1), NOW)
    for attempt in range(1, ATTEMPTS_MAX):
        (delta,) = deltas.pending()
        assert not deltas.failed(delta, "k is not there")
        assert item(clients, "d-1")["attempts"] == {"N": str(attempt)}
    (delta,) = deltas.pending()
    assert deltas.failed(delta, "k is not there, " + "x" * 2_000)
    aside = item(clients, "d-1")
    assert (aside["aside"], aside["attempts"]) == ({"S": "lines"}, {"N": "3"})
    assert len(aside["reason"]["S"]) == 1_000
    assert "pending" not in aside
    assert aside["since"] == {"S": "2026-11-22T13:00:00.000Z"}
    assert (deltas.aside(), of("words", clients).aside()) == (1, 0)
    assert deltas.pending() == []
    assert not deltas.register(delta, NOW)


def test_the_same_failure_told_twice_counts_once(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    deltas.register(Delta("d-1", "changes", "k", 1), NOW)
    (delta,) = deltas.pending()
    for _ in range(3):
        deltas.failed(delta, "k is not there")
    assert item(clients, "d-1")["attempts"] == {"N": "1"}


def test_a_failure_told_late_does_not_touch_a_delta_that_is_done(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    deltas.register(Delta("d-1", "changes", "k", 1), NOW)
    (delta,) = deltas.pending()
    deltas.done([delta], NOW)
    deltas.failed(delta, "k is not there")
    assert "reason" not in item(clients, "d-1")


def test_a_bad_row_is_told_by_its_line_and_the_others_go_on(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    lines = [CHANGES[0].json().encode(), b"not JSON", b"\xff", b'{"id":"x"}', "Ünïcode\u2028".encode(), b""]
    put(clients, "k", b"\n".join([*lines, CHANGES[1].json().encode()]) + b"\n")
    rows = list(deltas.read(Delta("d-1", "changes", "k", 7)))
    assert [rows[0], rows[-1]] == CHANGES[:2]
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert [(row.key, row.line) for row in bad] == [("k", line) for line in (2, 3, 4, 5, 6)]
    assert all(row.reason for row in bad)


def test_a_message_that_nobody_understood_is_a_bad_row_with_its_reason(deltas: Deltas) -> None:
    unread = Unread("m-1", "the message is not JSON", "secret\n\ud800")
    delta = deltas.write("d-1", [CHANGES[0], unread])
    rows = list(deltas.read(delta))
    assert CHANGES[0] in rows
    (bad,) = [row for row in rows if isinstance(row, BadRow)]
    assert bad.reason == "message m-1: the message is not JSON"


@pytest.mark.parametrize("body", [b"", b"one\ntwo", b"one\n", b"one\ntwo\nthree\n"])
def test_a_file_that_is_cut_off_or_not_there_is_unreadable(
    deltas: Deltas, clients: tuple[Any, Any], body: bytes
) -> None:
    if body:
        put(clients, "k", body)
    with pytest.raises(DeltaUnreadable, match=r"^k "):
        list(deltas.read(Delta("d-1", "changes", "k", 2)))


def vector(number: float) -> bytes:
    return struct.pack("<2f", number, 0.5)


class Run:
    """The folder of a run, as the embedding worker leaves it: two parts of two records and one."""

    def __init__(self, clients: tuple[Any, Any]) -> None:
        self.clients = clients
        self.delta = Delta("run-7", "vectors", "lines/delta/run-7/", 3, at=at(9))
        rows = [{"id": f"r-1/{number:05}", "at": at(number) if number else None, "text": "x"} for number in range(3)]
        lines = [json.dumps(row).encode() + b"\n" for row in rows]
        self.put("00000.ndjson", lines[0] + lines[1])
        self.put("00000.f32", vector(0) + vector(1))
        self.put("00001.ndjson", lines[2])
        self.put("00001.f32", vector(2))
        self.done()

    def put(self, name: str, body: bytes) -> None:
        put(self.clients, f"lines/delta/run-7/{name}", body)

    def done(self, **said: Any) -> None:
        told = {"parts": 2, "records": 3, "dimension": 2, "model": "m"} | said
        self.put("done.json", json.dumps(told).encode())


@pytest.fixture
def run(clients: tuple[Any, Any]) -> Run:
    return Run(clients)


ROWS = [VectorRow(f"r-1/{number:05}", at(number or 9), "x", vector(number)) for number in range(3)]


def test_a_runs_vectors_are_registered_with_their_place_and_time(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    delta = deltas.vectors("run-7", 3, at(9))
    assert delta == Delta("run-7", "vectors", "lines/delta/run-7/", 3, at=at(9))
    deltas.register(delta, NOW)
    assert item(clients, "run-7")["at"] == {"S": at(9)}
    assert deltas.pending() == [delta._replace(since="2026-11-22T13:00:00.000Z")]


def test_vectors_come_with_their_records_part_by_part(deltas: Deltas, run: Run) -> None:
    assert list(deltas.read(run.delta)) == ROWS
    assert list(deltas.read(run.delta, 2)) == ROWS


def test_vectors_of_another_dimension_are_bad_rows_each(deltas: Deltas, run: Run) -> None:
    rows = list(deltas.read(run.delta, 3))
    assert [(row.key[-12:], row.line) for row in rows if isinstance(row, BadRow)] == [
        ("00000.ndjson", 1),
        ("00000.ndjson", 2),
        ("00001.ndjson", 1),
    ]


def test_a_bad_record_of_a_part_leaves_the_others_their_vectors(deltas: Deltas, run: Run) -> None:
    run.put("00000.ndjson", b"not JSON\n" + json.dumps({"id": "r-1/00001", "at": at(1), "text": "x"}).encode() + b"\n")
    run.put("00001.f32", struct.pack("<2f", float("nan"), 0))
    rows = list(deltas.read(run.delta))
    assert [type(row) for row in rows] == [BadRow, VectorRow, BadRow]
    assert rows[1] == ROWS[1]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("00000.f32", vector(0)),
        ("00000.f32", vector(0) + vector(1)[:-1]),
        ("00001.ndjson", b'{"id": "r-1/00002", "at"'),
        ("00001.ndjson", b""),
        ("done.json", b'{"parts": 2,'),
        ("done.json", b"[]"),
        ("done.json", b'{"parts": 2, "records": 3, "dimension": 0}'),
        ("done.json", b'{"parts": 3, "records": 3, "dimension": 2}'),
        ("done.json", b'{"parts": 1, "records": 3, "dimension": 2}'),
        ("done.json", b"\xff"),
    ],
)
def test_a_folder_that_is_not_whole_is_unreadable(deltas: Deltas, run: Run, name: str, body: bytes) -> None:
    run.put(name, body)
    with pytest.raises(DeltaUnreadable, match=r"^lines/delta/run-7/"):
        list(deltas.read(run.delta))


def test_what_the_embedding_worker_writes_is_read_as_it_was_meant(deltas: Deltas, clients: tuple[Any, Any]) -> None:
    texts = [{"id": f"r-1/{number:05}", "text": f"Käse\u2028{number}", "at": str(number + 1)} for number in range(3)]
    texts[1].pop("at")
    source = io.BytesIO("".join(json.dumps(row) + "\n" for row in [*texts[:2], {"id": "?"}, texts[2]]).encode())
    found = list(read_records(source, "r-1"))
    records = [row for row in found if isinstance(row, Record)]
    delta = deltas.vectors("run-8", len(records), at(9))
    folder = Folder(clients[1], BUCKET, delta.key, dimension=2)
    for number, part in enumerate((records[:2], records[2:])):
        vectors = b"".join(vector(record.line) for record in part)
        folder.put(Part(number, written(part), vectors))
    folder.put_bad([row for row in found if not isinstance(row, Record)])
    folder.end(parts=2, records=len(records), model="m")
    assert list(deltas.read(delta, 2)) == [
        VectorRow("r-1/00000", "1".zfill(40), "Käse\u20280", vector(1)),
        VectorRow("r-1/00001", at(9), "Käse\u20281", vector(2)),
        VectorRow("r-1/00002", "3".zfill(40), "Käse\u20282", vector(4)),
    ]


class Ends:
    """A body whose connection ends in the middle."""

    def __init__(self) -> None:
        self._left = [b"{}\n"]

    def read(self, _: int) -> bytes:
        if self._left:
            return self._left.pop()
        raise ReadTimeoutError(endpoint_url="https://s3")


class Failing(FakeS3):
    def __init__(self, answer: Any) -> None:
        super().__init__(BUCKET)
        self._answer = answer

    def get_object(self, **_: Any) -> dict[str, Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return {"Body": self._answer}


@pytest.mark.parametrize(
    "answer",
    [
        Ends(),
        client_error("GetObject", "SlowDown", status=503),
        client_error("GetObject", "AccessDenied", status=403),
        client_error("GetObject", "NoSuchBucket", status=404),
    ],
    ids=["connection", "throttled", "forbidden", "no bucket"],
)
def test_a_bucket_that_does_not_answer_is_not_the_deltas_fault(clients: tuple[Any, Any], answer: Any) -> None:
    deltas = of("lines", (clients[0], Failing(answer)))
    with pytest.raises(StoreUnavailable):
        list(deltas.read(Delta("d-1", "changes", "k", 1)))
