"""An S3 client in memory, with the behaviour that ingestion relies on."""

# ruff: noqa: N803 - the arguments are boto3's, by its names

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from copy import copy
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError


def client_error(operation: str, code: str, message: str = "", status: int = 400) -> ClientError:
    """The error that boto3 raises."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},
        operation,
    )


class Stored(NamedTuple):
    body: bytes
    etag: str
    modified: datetime
    version: str


class FakeS3:
    """Objects by bucket and key. `forbidden` keys answer AccessDenied; `before_get` is called with each key
    that is about to be read, and may change the bucket."""

    def __init__(self, *buckets: str, versioned: bool = False) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {bucket: {} for bucket in buckets}
        self.forbidden: set[str] = set()
        self.before_get: Callable[[str], None] = lambda _: None
        self.reads: list[str] = []
        self.tags: dict[str, str] = {}
        self.versioned = versioned
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._clock = 0

    def twin(self) -> FakeS3:
        """Another with the same objects."""
        twin = copy(self)
        twin.buckets = {bucket: dict(objects) for bucket, objects in self.buckets.items()}
        return twin

    def __getitem__(self, place: str) -> bytes:
        """The bytes at `bucket/key`."""
        bucket, _, key = place.partition("/")
        return self.buckets[bucket][key].body

    def __setitem__(self, place: str, body: bytes) -> None:
        bucket, _, key = place.partition("/")
        self.put_object(Bucket=bucket, Key=key, Body=body)

    def __delitem__(self, place: str) -> None:
        bucket, _, key = place.partition("/")
        del self.buckets[bucket][key]

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys under a prefix, sorted as S3 sorts them."""
        return sorted((key for key in self.buckets[bucket] if key.startswith(prefix)), key=str.encode)

    def contents(self, bucket: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """The keys and bytes under a prefix."""
        return ((key, self.buckets[bucket][key].body) for key in self.keys(bucket, prefix))

    @property
    def open_uploads(self) -> int:
        """Multipart uploads that were neither completed nor aborted."""
        return len(self._uploads)

    @property
    def now(self) -> datetime:
        """The time here: every write takes a second."""
        return datetime.fromtimestamp(1_760_000_000 + self._clock, UTC)

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str = "",
        Tagging: str = "",
        IfNoneMatch: str = "",
        IfMatch: str = "",
    ) -> dict[str, Any]:
        found = self.buckets[Bucket].get(Key)
        if (IfNoneMatch == "*" and found) or (IfMatch and found and found.etag != IfMatch):
            raise client_error("PutObject", "PreconditionFailed", status=412)
        if IfMatch and not found:
            raise client_error("PutObject", "NoSuchKey", status=404)
        self._clock += 1
        if Tagging:
            self.tags[f"{Bucket}/{Key}"] = Tagging
        etag = f'"{hashlib.md5(Body).hexdigest()}"'
        version = f"v{self._clock}" if self.versioned else "null"
        self.buckets[Bucket][Key] = Stored(bytes(Body), etag, self.now, version)
        return {"ETag": etag}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        stored = self.buckets[Bucket].get(Key)
        if stored is None:
            raise client_error("HeadObject", "404", status=404)
        return {"ContentLength": len(stored.body), "ETag": stored.etag, "LastModified": stored.modified}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self.before_get(Key)
        self.reads.append(Key)
        if Key in self.forbidden:
            raise client_error("GetObject", "AccessDenied", status=403)
        stored = self.buckets[Bucket].get(Key)
        if stored is None:
            raise client_error("GetObject", "NoSuchKey", status=404)
        reply: dict[str, Any] = {
            "Body": io.BytesIO(stored.body),
            "ContentLength": len(stored.body),
            "ETag": stored.etag,
            "LastModified": stored.modified,
        }
        return reply | ({"VersionId": stored.version} if self.versioned else {})

    def copy_object(self, *, Bucket: str, Key: str, CopySource: dict[str, str]) -> dict[str, Any]:
        stored = self.buckets[CopySource["Bucket"]].get(CopySource["Key"])
        if stored is None:
            raise client_error("CopyObject", "NoSuchKey", status=404)
        return {"CopyObjectResult": self.put_object(Bucket=Bucket, Key=Key, Body=stored.body)}

    def delete_object(self, *, Bucket: str, Key: str, IfMatch: str = "") -> dict[str, Any]:
        if Key in self.forbidden:
            raise client_error("DeleteObject", "AccessDenied", status=403)
        if not IfMatch:
            self.buckets[Bucket].pop(Key, None)
            return {}
        stored = self.buckets[Bucket].get(Key)
        if stored is None:
            raise client_error("DeleteObject", "NoSuchKey", status=404)
        if stored.etag != IfMatch:
            raise client_error("DeleteObject", "PreconditionFailed", status=412)
        del self.buckets[Bucket][Key]
        return {}

    def list_objects_v2(
        self,
        *,
        Bucket: str,
        Prefix: str = "",
        StartAfter: str = "",
        ContinuationToken: str = "",
        MaxKeys: int = 1000,
    ) -> dict[str, Any]:
        after = ContinuationToken or StartAfter
        keys = [key for key in self.keys(Bucket, Prefix) if key.encode() > after.encode()]
        page = keys[:MaxKeys]
        reply: dict[str, Any] = {"IsTruncated": len(keys) > MaxKeys, "KeyCount": len(page)}
        if page:
            reply["Contents"] = [
                {"Key": key, "Size": len(stored.body), "ETag": stored.etag, "LastModified": stored.modified}
                for key in page
                for stored in [self.buckets[Bucket][key]]
            ]
        if reply["IsTruncated"]:
            reply["NextContinuationToken"] = page[-1]
        return reply

    def create_multipart_upload(self, *, Bucket: str, Key: str, ContentType: str = "") -> dict[str, Any]:
        self._clock += 1
        self._uploads[upload := f"upload-{self._clock}"] = {}
        return {"UploadId": upload}

    def upload_part(self, *, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> dict[str, Any]:
        self._uploads[UploadId][PartNumber] = bytes(Body)
        return {"ETag": f'"{hashlib.md5(Body).hexdigest()}"'}

    def complete_multipart_upload(
        self,
        *,
        Bucket: str,
        Key: str,
        UploadId: str,
        MultipartUpload: dict[str, Any],
    ) -> dict[str, Any]:
        numbers = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        parts = self._uploads.pop(UploadId)
        assert numbers == sorted(parts), "every part that was uploaded is in the object, in order"
        small = [number for number in numbers[:-1] if len(parts[number]) < 5 * 1024 * 1024]
        if small:
            raise client_error("CompleteMultipartUpload", "EntityTooSmall")
        return self.put_object(Bucket=Bucket, Key=Key, Body=b"".join(parts[number] for number in numbers))

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> dict[str, Any]:
        del self._uploads[UploadId]
        return {}
