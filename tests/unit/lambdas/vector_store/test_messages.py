from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.receipts import at
from vector_store.changes import Change
from vector_store.errors import MessageInvalid
from vector_store.messages import Message, VectorsReady, body_of, read_message

ALLOWED = ((0x9, 0xA, 0xD), range(0x20, 0xD800), range(0xE000, 0xFFFE), range(0x10000, 0x110000))
"""What XML calls a character, and SQS takes (API reference, SendMessageBatch)."""

READY = VectorsReady("run-7", "delta/run-7/", 12, at(3))


@pytest.mark.parametrize(
    "message",
    [
        Change("r-1/00001", at(1), born=True, set={"text": "Käse\n\x00\x0b", "x": 1.0}),
        Change("r-1", at(2), died=True),
        READY,
    ],
)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert read_message(body_of(message)) == message


def test_a_body_has_only_characters_that_sqs_takes() -> None:
    text = "".join(chr(code) for code in (*range(0x20), 0x7F, 0x85, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10FFFF))
    change = Change("r-1/00001", at(1), set={"text": text})
    body = body_of(change)
    assert read_message(body) == change
    assert all(any(ord(character) in some for some in ALLOWED) for character in body)


def ready(**parts: Any) -> str:
    delta = {"run_id": "run-7", "prefix": "delta/run-7/", "records": 12}
    return json.dumps({"delta": delta | parts, "at": at(3)})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON: Milch",
        "[" * 100_000,
        "9" * 5_000,
        "[]",
        "null",
        '"text"',
        "{}",
        json.dumps({"id": "r-1/00001", "at": at(1)}),
        json.dumps({"id": "Milch", "at": at(1), "died": True}),
        json.dumps({"delta": None, "at": at(1)}),
        json.dumps({"delta": {"run_id": "run-7", "prefix": "delta/run-7/", "records": 12}}),
        json.dumps({"delta": {"run_id": "run-7", "prefix": "delta/run-7/", "records": 12}, "at": "3"}),
        ready(run_id="../7"),
        ready(run_id=7),
        ready(records=0),
        ready(records=True),
        ready(records=1.5),
        ready(prefix="a\nb"),
        ready(prefix="a" * 1_025),
    ],
    ids=lambda body: body[:40],
)
def test_what_nobody_understands_is_refused_without_its_text(body: str) -> None:
    with pytest.raises(MessageInvalid) as caught:
        read_message(body)
    assert "Milch" not in str(caught.value)
