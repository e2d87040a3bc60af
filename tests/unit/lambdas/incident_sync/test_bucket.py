from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from incident_sync.bucket import Bucket
from incident_sync.documents import Document
from incident_sync.errors import StoreUnavailable
from tests.fakes.s3 import FakeS3, client_error

KEY = "closed/INC-1.json.md"
DOCUMENT = Document("INC-1", b"the document", b"the metadata")


class Watched:
    """Notes the keys in the order of the calls; the first calls end as they are told to."""

    def __init__(self, client: FakeS3, *errors: Exception | None) -> None:
        self._client = client
        self._errors = list(errors)
        self.keys: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.keys.append(arguments["Key"])
            if error := (self._errors or [None]).pop(0):
                raise error
            return getattr(self._client, name)(**arguments)

        return call


def test_metadata_is_written_before_the_document() -> None:
    client = Watched(s3 := FakeS3("knowledge"))
    assert Bucket(client, "knowledge", "closed/").put(DOCUMENT) == KEY
    assert client.keys == [f"{KEY}.metadata.json", KEY]
    assert dict(s3.contents("knowledge")) == {KEY: b"the document", f"{KEY}.metadata.json": b"the metadata"}


def test_the_document_is_removed_before_its_metadata() -> None:
    client = Watched(s3 := FakeS3("knowledge"))
    bucket = Bucket(client, "knowledge", "closed/")
    bucket.put(DOCUMENT)
    bucket.remove("INC-1")
    assert client.keys[2:] == [KEY, f"{KEY}.metadata.json"]
    assert s3.keys("knowledge") == []


def test_what_is_not_there_is_removed_without_ado() -> None:
    Bucket(FakeS3("knowledge"), "knowledge", "closed/").remove("INC-1")


@pytest.mark.parametrize(
    ("error", "in_doubt"),
    [
        (client_error("PutObject", "SlowDown", status=503), False),
        (client_error("PutObject", "AccessDenied", status=403), False),
        (ReadTimeoutError(endpoint_url="https://localhost"), True),
    ],
)
def test_only_a_write_that_nobody_answered_is_in_doubt(error: Exception, in_doubt: bool) -> None:
    bucket = Bucket(Watched(FakeS3("knowledge"), None, error), "knowledge", "closed/")
    assert not bucket.in_doubt
    with pytest.raises(StoreUnavailable):
        bucket.put(DOCUMENT)
    assert bucket.in_doubt is in_doubt
