from __future__ import annotations

import hashlib

import pytest
from botocore.exceptions import ClientError

from kendra_ingestion.errors import ManifestGone, ObjectUnreadable
from kendra_ingestion.folder import DELETED, MANIFEST_GONE, REPLACED, Folder
from tests.fakes.s3 import FakeS3


def test_a_listing_streams_page_by_page_in_s3s_order_and_goes_on_after_a_key() -> None:
    s3 = FakeS3("in")
    first = s3.now.timestamp() + 1
    for number in range(2_500):
        s3[f"in/p/batches/{number:05}"] = b"x" * (number % 3)
    s3["in/p/_control/manifest.json"] = b"{}"
    s3["in/p/batches-of-another/x"] = b""
    pages = list(Folder(s3, "in").pages("p", None))
    assert [len(page) for page in pages] == [1000, 1000, 500]
    etag = hashlib.md5(b"xx").hexdigest()
    assert pages[0][2] == ("p/batches/00002", 2, etag, first + 2)
    (page,) = Folder(s3, "in").pages("p", "p/batches/02497")
    assert [(entry.key, entry.size) for entry in page] == [("p/batches/02498", 2), ("p/batches/02499", 0)]


def test_an_empty_folder_is_one_empty_page() -> None:
    assert list(Folder(FakeS3("in"), "in").pages("p", None)) == [[]]


def test_two_uploads_of_the_same_bytes_differ() -> None:
    for versioned in (True, False):
        s3 = FakeS3("in", versioned=versioned)
        folder = Folder(s3, "in")
        s3["in/m"] = b"{}"
        first = folder.manifest("m").identity
        assert folder.manifest("m").identity == first
        s3["in/m"] = b"{}"
        assert folder.manifest("m").identity != first


def test_a_manifest_is_not_read_before_its_size_is_known() -> None:
    s3 = FakeS3("in")
    s3["in/m"] = b"12345"
    upload = Folder(s3, "in").manifest("m")
    assert (upload.size, upload.body.tell()) == (5, 0)
    assert upload.body.read() == b"12345"


def test_a_manifest_that_is_gone_has_an_error_of_its_own() -> None:
    with pytest.raises(ManifestGone, match="s3://in/m is no longer there"):
        Folder(FakeS3("in"), "in").manifest("m")


def test_a_forbidden_manifest_is_not_taken_for_a_gone_one() -> None:
    s3 = FakeS3("in")
    s3.forbidden = {"m"}
    with pytest.raises(ClientError):
        Folder(s3, "in").manifest("m")


@pytest.mark.parametrize("versioned", [True, False])
def test_only_the_manifest_that_was_read_is_removed(versioned: bool) -> None:
    s3 = FakeS3("in", versioned=versioned)
    folder = Folder(s3, "in")
    s3["in/m"] = b"first"
    etag = folder.manifest("m").etag
    s3["in/m"] = b"second"
    assert folder.remove_manifest("m", etag) == REPLACED
    assert s3["in/m"] == b"second"
    assert folder.remove_manifest("m", folder.manifest("m").etag) == DELETED
    assert s3.keys("in") == []
    assert folder.remove_manifest("m", etag) == MANIFEST_GONE


def test_a_manifest_that_may_not_be_removed_is_not_taken_for_a_gone_one() -> None:
    s3 = FakeS3("in")
    s3["in/m"] = b"{}"
    etag = Folder(s3, "in").manifest("m").etag
    s3.forbidden = {"m"}
    with pytest.raises(ClientError, match="AccessDenied"):
        Folder(s3, "in").remove_manifest("m", etag)


def test_an_object_that_vanished_or_is_forbidden_is_told_by_its_key() -> None:
    s3 = FakeS3("in")
    s3.forbidden = {"b"}
    with pytest.raises(ObjectUnreadable, match="a was there when the folder was listed, and gone"):
        Folder(s3, "in").read("a", 10)
    with pytest.raises(ObjectUnreadable, match="b cannot be read: AccessDenied"):
        Folder(s3, "in").read("b", 10)


def test_never_more_than_the_limit_and_one_byte_is_read() -> None:
    s3 = FakeS3("in")
    s3["in/a"] = b"x" * 100
    assert Folder(s3, "in").read("a", 10) == b"x" * 11
