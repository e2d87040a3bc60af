from __future__ import annotations

import json
from typing import Any

import pytest

from vector_store.embed_request import Request, read_request
from vector_store.errors import MessageInvalid

GOOD = {"receipt_id": "r-1", "run_id": "2025.10_05", "bucket": "exports", "key": "runs/1.ndjson"}


def test_a_request_is_of_the_messages_four_fields() -> None:
    request = read_request(json.dumps(GOOD))
    assert request == Request("r-1", "2025.10_05", "exports", "runs/1.ndjson")
    assert request.prefix == "delta/2025.10_05/"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"receipt_id": "a/b"}, "receipt_id is no id"),
        ({"receipt_id": 7}, "receipt_id is no id"),
        ({"run_id": ""}, "run_id is no id"),
        ({"run_id": "x" * 65}, "run_id is no id"),
        ({"run_id": "run\n"}, "run_id is no id"),
        ({"bucket": None}, "bucket is no text"),
        ({"key": ""}, "key is no text"),
        ({"key": "ü" * 513}, "key is no text of 1 to 1024 bytes"),
        ({"key": "\ud800" * 600}, "key is no text"),
        ({"reciept_id": "r"}, "no field reciept_id"),
    ],
)
def test_a_field_that_cannot_be_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(MessageInvalid, match=said):
        read_request(json.dumps(GOOD | changes))


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "[" * 100_000])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(MessageInvalid):
        read_request(body)
