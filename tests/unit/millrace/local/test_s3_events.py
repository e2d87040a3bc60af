from __future__ import annotations

from millrace.local.s3_events import detail_of

DETAIL = {
    "version": "0",
    "bucket": {"name": "b"},
    "object": {"key": "k", "size": 5, "etag": "e", "sequencer": "01"},
    "reason": "PutObject",
}


def test_a_created_object_has_its_version():
    described = detail_of("Object Created", DETAIL, "v1")["object"]
    assert described == {"key": "k", "size": 5, "etag": "e", "sequencer": "01", "version-id": "v1"}


def test_an_object_of_an_unversioned_bucket_has_none():
    assert detail_of("Object Created", DETAIL, None) == DETAIL


def test_a_deleted_object_has_no_size():
    deleted = {**DETAIL, "object": {"key": "k", "size": 0, "etag": "", "sequencer": "01"}}
    assert detail_of("Object Deleted", deleted, None)["object"] == {"key": "k", "sequencer": "01"}
