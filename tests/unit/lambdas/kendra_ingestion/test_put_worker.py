from __future__ import annotations

import json
from typing import Any

import pytest

from kendra_ingestion.documents import JobKey
from kendra_ingestion.folder import Folder
from kendra_ingestion.messages import Message, Reference
from kendra_ingestion.metadata import METADATA_MAX_BYTES
from kendra_ingestion.outcomes import FAILED, Outcome
from kendra_ingestion.put_worker import fetch, preparation
from tests.fakes.pool import InlinePool
from tests.fakes.s3 import FakeS3

KEY = "day/batches/emp.json"
REFERENCE = Reference("emp", "ingestion", KEY, f"{KEY}.metadata.json", 7, "d1")


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3("ingestion")


def found(s3: FakeS3, body: Any) -> Any:
    s3[f"ingestion/{REFERENCE.metadata_key}"] = body if isinstance(body, bytes) else json.dumps(body).encode()
    return fetch(REFERENCE, Folder(s3, "ingestion"))


def test_a_document_is_what_its_metadata_says_now_with_the_digest_of_the_plan(s3: FakeS3) -> None:
    document = found(s3, {"DocumentId": "emp", "Title": "New", "Attributes": {"department": "x"}})
    assert document == {
        "documentId": "emp",
        "key": KEY,
        "title": "New",
        "contentType": "JSON",
        "attributes": {"department": "x"},
        "accessControlList": [],
        "size": 7,
        "digest": "d1",
    }


def test_a_document_without_an_id_of_its_own_keeps_the_one_it_was_planned_with(s3: FakeS3) -> None:
    reference = REFERENCE._replace(document_id=f"s3://ingestion/{KEY}")
    s3[f"ingestion/{REFERENCE.metadata_key}"] = b"{}"
    assert fetch(reference, Folder(s3, "ingestion"))["documentId"] == reference.document_id  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"{", "MetadataInvalid", "not JSON"),
        ({"DocumentId": "emp", "Titel": "x"}, "MetadataInvalid", "/Titel is not known"),
        (b" " * (METADATA_MAX_BYTES + 1), "MetadataInvalid", "at most 65,536"),
        ({"DocumentId": "other"}, "Unreadable", 'gives "other" now'),
        ({}, "Unreadable", f'gives "s3://ingestion/{KEY}" now'),
    ],
)
def test_what_can_no_longer_be_sent_is_a_row_that_says_why(s3: FakeS3, body: Any, code: str, says: str) -> None:
    outcome = found(s3, body)
    assert isinstance(outcome, Outcome)
    assert outcome[:3] == ("emp", FAILED, code)
    assert says in (outcome.error_message or "")


def test_metadata_that_has_vanished_or_is_forbidden_is_a_row(s3: FakeS3) -> None:
    vanished = fetch(REFERENCE, Folder(s3, "ingestion"))
    s3.forbidden.add(REFERENCE.metadata_key)
    forbidden = fetch(REFERENCE, Folder(s3, "ingestion"))
    for outcome in (vanished, forbidden):
        assert isinstance(outcome, Outcome)
        assert outcome.error_code == "Unreadable"


def test_a_message_is_read_document_by_document_in_its_order(s3: FakeS3) -> None:
    references = tuple(
        REFERENCE._replace(document_id=name, metadata_key=f"{name}.metadata.json") for name in ("a", "b", "c")
    )
    for name in ("a", "c"):
        s3[f"ingestion/{name}.metadata.json"] = json.dumps({"DocumentId": name}).encode()
    prepare = preparation(InlinePool(), s3)
    a, b, c = prepare(Message("put", JobKey("job-1", "run-1", "attempt-1"), 0, 0, references=references))
    assert (a["documentId"], c["documentId"]) == ("a", "c")  # type: ignore[call-overload]
    assert isinstance(b, Outcome)
