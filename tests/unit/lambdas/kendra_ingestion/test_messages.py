from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from kendra_ingestion.documents import Chunk
from kendra_ingestion.messages import (
    JobKey,
    Message,
    NotAMessage,
    Reference,
    messages_of,
    read,
    sealed,
    to_body,
)

JOB = JobKey("phonebook-2025-10-05T12-00Z", "0123456789abcdef", "run-7")
PUT = {
    "action": "put",
    "jobId": "phonebook-2025-10-05T12-00Z",
    "run": "0123456789abcdef",
    "attempt": "run-7",
    "chunk": 3,
    "request": 0,
    "docs": [
        {
            "documentId": "emp-123",
            "s3Bucket": "ingestion-bucket",
            "s3Key": "phonebook/batches/emp-123.json",
            "metaKey": "phonebook/batches/emp-123.json.metadata.json",
            "size": 2_048,
            "digest": "d1",
        }
    ],
}
DELETE = {name: PUT[name] for name in ("jobId", "run", "attempt", "chunk", "request")} | {
    "action": "delete",
    "documentIds": ["emp-888", "emp-999"],
}


def put_chunk(*requests: list[str], number: int = 3) -> Chunk:
    return {
        "chunk": number,
        "action": "put",
        "requests": [
            [
                {"documentId": name, "key": f"phonebook/batches/{name}.json", "size": 2_048, "digest": "d1"}
                for name in request
            ]
            for request in requests
        ],
    }


def test_a_request_of_puts_becomes_the_agreed_body() -> None:
    (message,) = messages_of(put_chunk(["emp-123"]), JOB, "ingestion-bucket")
    assert json.loads(to_body(message)) == PUT


def test_a_request_of_deletes_becomes_the_agreed_body() -> None:
    chunk: Chunk = {
        "chunk": 3,
        "action": "delete",
        "requests": [[{"documentId": "emp-888"}, {"documentId": "emp-999"}]],
    }
    (message,) = messages_of(chunk, JOB, "ingestion-bucket")
    assert json.loads(to_body(message)) == DELETE


@pytest.mark.parametrize("fields", [PUT, DELETE], ids=["put", "delete"])
def test_a_body_is_read_back_as_it_was_written(fields: dict[str, Any]) -> None:
    message = read(json.dumps(fields))
    assert read(to_body(message)) == message
    assert json.loads(to_body(message)) == fields


def test_an_execution_may_have_any_name_that_step_functions_takes() -> None:
    for name in ("-x", "Läuf(1)", "6f1c_0a", "a" * 80):
        assert read(json.dumps(PUT | {"attempt": name})).job.attempt == name


def test_an_id_of_any_characters_survives_in_ascii() -> None:
    """SQS refuses some characters themselves, and takes their escapes."""
    message = Message("delete", JOB, 0, 0, to_delete=("\x00\ufffe\U0001f600é",))
    assert to_body(message).isascii()
    assert read(to_body(message)) == message


def test_the_longest_message_fits_into_sqs_and_ten_of_them_into_an_invocation() -> None:
    reference = Reference("\U0001f600" * 2_048, "b" * 63, "\x01" * 1_024, "\x01" * 1_024, 5 * 1024 * 1024, "d" * 64)
    body = to_body(Message("put", JOB, 99_999, 99_999, references=(reference,) * 10))
    assert len(body) < 400_000
    assert len(json.dumps([body] * 10)) < 6 * 1024 * 1024


def changed(fields: dict[str, Any], **values: Any) -> dict[str, Any]:
    return fields | values


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def with_document(**values: Any) -> dict[str, Any]:
    return changed(PUT, docs=[PUT["docs"][0] | values])  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("\ud800", "not UTF-8"),
        ('{"action": NaN}', "NaN"),
        ('{"action": "put", "action": "put"}', "twice"),
        ("[1]", "an object"),
        (changed(PUT, action="move"), '/action is "move"; allowed: put or delete'),
        (without(PUT, "action"), "/action is null"),
        (without(PUT, "jobId"), "/jobId is missing"),
        (without(PUT, "docs"), "/docs is missing"),
        (changed(PUT, documentIds=["a"]), "/documentIds is not known"),
        (changed(PUT, jobId="../other"), "/jobId is"),
        (changed(PUT, jobId="job\n"), "/jobId is"),
        (changed(PUT, run=7), "/run is 7"),
        (changed(PUT, attempt=""), "/attempt is"),
        (changed(PUT, attempt="a/b"), "/attempt is"),
        (changed(PUT, attempt="a" * 81), "/attempt is"),
        (changed(PUT, chunk=-1), "/chunk is -1; allowed: a whole number from 0 to 99,999"),
        (changed(PUT, chunk=True), "/chunk is true"),
        (changed(PUT, request=100_000), "/request is 100000"),
        (changed(PUT, docs=[]), "/docs has 0 documents; allowed: 1 to 10"),
        (changed(PUT, docs=PUT["docs"] * 11), "/docs has 11 documents"),  # type: ignore[operator]
        (changed(PUT, docs=PUT["docs"] * 2), "/docs has a document id twice"),  # type: ignore[operator]
        (changed(PUT, docs=["emp-123"]), '/docs/0 is "emp-123"'),
        (with_document(documentId=""), "/docs/0/documentId is"),
        (with_document(s3Bucket=None), "/docs/0/s3Bucket is null"),
        (with_document(size="2048"), '/docs/0/size is "2048"; allowed: a whole number from 0'),
        (with_document(colour="red"), "/docs/0/colour is not known"),
        (changed(PUT, docs=[without(PUT["docs"][0], "metaKey")]), "/docs/0/metaKey is missing"),  # type: ignore[index]
        (changed(DELETE, documentIds="emp"), '/documentIds is "emp"'),
        (changed(DELETE, documentIds=["a", 1]), "/documentIds/1 is 1"),
        (changed(DELETE, documentIds=["a", "a"]), "/documentIds has a document id twice"),
    ],
)
def test_what_is_no_message_is_refused_with_its_field(body: Any, says: str) -> None:
    with pytest.raises(NotAMessage) as raised:
        read(body if isinstance(body, str) else json.dumps(body))
    assert says in str(raised.value)


def test_the_same_request_of_the_same_attempt_has_the_same_deduplication_id() -> None:
    (message,) = messages_of(put_chunk(["a"]), JOB, "b")
    assert sealed(message, 4) == sealed(message, 4)
    ids = {
        sealed(item, 4).deduplication_id
        for item in (
            message,
            message._replace(request=1),
            message._replace(job=JOB._replace(attempt="run-8")),
            message._replace(job=JOB._replace(job_id="other")),
        )
    }
    assert len(ids) == 4
    assert all(len(name) == 64 for name in ids)


def groups(chunks: list[int], shards: int) -> Counter[str]:
    return Counter(
        sealed(message, shards).group
        for number, requests in enumerate(chunks)
        for message in messages_of(put_chunk(*([["a"]] * requests), number=number), JOB, "b")
    )


@pytest.mark.parametrize("chunks", [[10] * 8, [1] * 12, [3] * 40, [640, 640, 7]])
def test_messages_spread_evenly_over_the_groups(chunks: list[int]) -> None:
    found = groups(chunks, 4)
    assert set(found) == {"put-0", "put-1", "put-2", "put-3"}
    assert max(found.values()) - min(found.values()) <= 2


def test_neighbours_are_in_different_groups() -> None:
    messages = list(messages_of(put_chunk(*([["a"]] * 9)), JOB, "b"))
    neighbours = [sealed(message, 4).group for message in messages]
    assert all(one != other for one, other in pairwise(neighbours))


def test_deletes_have_groups_of_their_own_name() -> None:
    assert sealed(Message("delete", JOB, 0, 5, to_delete=("a",)), 4).group == "del-1"
