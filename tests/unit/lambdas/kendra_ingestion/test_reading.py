from __future__ import annotations

from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.folder import Folder
from kendra_ingestion.metadata import METADATA_MAX_BYTES
from kendra_ingestion.reading import read_document
from tests.fakes.s3 import FakeS3

KEY = "day/batches/emp.json"


def read(body: bytes | None) -> object:
    s3 = FakeS3("ingestion")
    if body is not None:
        s3[f"ingestion/{KEY}.metadata.json"] = body
    return read_document(Folder(s3, "ingestion"), key=KEY, metadata_key=f"{KEY}.metadata.json", size=7, digest="d1")


def test_a_document_has_its_metadata_its_size_and_its_digest() -> None:
    document = read(b'{"DocumentId": "emp"}')
    assert isinstance(document, dict)
    assert (document["documentId"], document["key"], document["size"], document["digest"]) == ("emp", KEY, 7, "d1")


def test_what_cannot_be_read_says_why() -> None:
    for body, code in ((None, "Unreadable"), (b"{", "MetadataInvalid"), (b" " * 70_000, "MetadataInvalid")):
        problem = read(body)
        assert isinstance(problem, DocumentInvalid)
        assert problem.code == code


def test_metadata_of_just_the_allowed_size_is_read() -> None:
    body = b'{"DocumentId": "emp"}'
    assert isinstance(read(body.ljust(METADATA_MAX_BYTES)), dict)
    assert isinstance(read(body.ljust(METADATA_MAX_BYTES + 1)), DocumentInvalid)
