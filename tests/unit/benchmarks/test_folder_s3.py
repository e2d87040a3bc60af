from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from benchmarks.folder_s3 import FolderS3
from shared.object_writer import PART_BYTES, ObjectWriter


@pytest.fixture
def s3(tmp_path: Path) -> FolderS3:
    return FolderS3(tmp_path / "bucket")


def test_an_object_is_what_was_put_last(s3: FolderS3) -> None:
    s3.put_object(Bucket="b", Key="folder/key", Body=b"one")
    s3.put_object(Bucket="b", Key="folder/key", Body=b"two")
    assert s3.get_object(Bucket="b", Key="folder/key")["Body"].read() == b"two"
    assert s3.head_object(Bucket="b", Key="folder/key")["ContentLength"] == 3
    assert (s3.reads, s3.writes) == (1, 2)


@pytest.mark.parametrize(("operation", "code"), [("get_object", "NoSuchKey"), ("head_object", "404")])
def test_what_is_missing_is_said_as_s3_says_it(s3: FolderS3, operation: str, code: str) -> None:
    with pytest.raises(ClientError) as raised:
        getattr(s3, operation)(Bucket="b", Key="missing")
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_put_on_condition_needs_what_was_read_or_nothing(s3: FolderS3) -> None:
    first = s3.put_object(Bucket="b", Key="key", Body=b"one", IfNoneMatch="*")["ETag"]
    s3.put_object(Bucket="b", Key="key", Body=b"three", IfMatch=first)
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": first}):
        with pytest.raises(ClientError, match="PreconditionFailed"):
            s3.put_object(Bucket="b", Key="key", Body=b"four", **condition)


def test_parts_are_an_object_at_their_end_and_none_when_they_fail(s3: FolderS3) -> None:
    body = b"x" * (PART_BYTES + 1)
    with ObjectWriter(s3, "b", "key", "text/plain") as writer:
        writer.write(body)
    assert s3.get_object(Bucket="b", Key="key")["Body"].read() == body
    with pytest.raises(RuntimeError), ObjectWriter(s3, "b", "other", "text/plain") as writer:  # noqa: PT012
        writer.write(body)
        raise RuntimeError
    with pytest.raises(ClientError):
        s3.head_object(Bucket="b", Key="other")


def test_files_are_copied_in_and_out(s3: FolderS3, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    s3.upload_file(Filename=str(tmp_path / "file"), Bucket="b", Key="key")
    s3.download_file(Bucket="b", Key="key", Filename=str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == b"content"
