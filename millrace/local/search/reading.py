"""Reading a document from S3 with the role that a search service was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from millrace.local.anchors import hold
from millrace.local.iam import Authority, in_scope
from millrace.local.search.text import Unindexable


class Reader(Protocol):
    def read(self, bucket: str, key: str, role_arn: str, source_arn: str) -> bytes:
        """The object's content, read on behalf of the source (an index, say).

        Raises Unindexable with the code AccessDenied or NoSuchKey.
        """


@dataclass(frozen=True)
class Stored:
    """An object as it was when its bucket was listed, whatever is written or deleted afterwards.

    `record` is what S3 keeps of it: a write puts another record in its place.
    """

    key: str
    record: Mapping[str, Any]

    @property
    def etag(self) -> str:
        return self.record["etag"].strip('"')

    @property
    def version_id(self) -> str | None:
        """None where the bucket is not versioned."""
        return self.record.get("version_id")

    @property
    def content(self) -> bytes:
        return self.record["body"]


class Bucket(Protocol):
    """The two rights that reading a whole bucket takes."""

    def listing(self, bucket: str, prefix: str, role_arn: str, source_arn: str) -> list[Stored]:
        """What the bucket holds under the prefix at this moment, in no order, listed on behalf of the source.

        Raises Unindexable with the code AccessDenied or NoSuchBucket.
        """

    def check_readable(self, bucket: str, key: str, role_arn: str, source_arn: str) -> None:
        """Raises Unindexable with the code AccessDenied where the object's content may not be read."""


class EmbeddedS3:
    """Reads MiniStack's objects without a request, which over HTTP would be the bottleneck of indexing.

    `service` is who acts with the role (`kendra.amazonaws.com`).
    """

    def __init__(self, authority: Authority, service: str, region: str, account: str) -> None:
        from ministack.services import s3

        hold(s3, "_get_object_data", "bucket = _buckets.get(bucket_name)", 'bucket["objects"].get(key)')
        hold(s3, "_put_object", "obj = _build_object_record(", 'bucket["objects"][key] = obj')
        hold(s3, "_build_object_record", '"body": body', '"etag": etag or')
        hold(s3, "_record_object_version", 'obj["version_id"] = version_id')
        self._s3: Any = s3
        self._authority = authority
        self._service = service
        self._region = region
        self._account = account

    def read(self, bucket: str, key: str, role_arn: str, source_arn: str) -> bytes:
        self.check_readable(bucket, key, role_arn, source_arn)
        content = in_scope(self._region, self._account, lambda: self._s3._get_object_data(bucket, key))
        if content is None:
            raise Unindexable(f"The object s3://{bucket}/{key} does not exist", "NoSuchKey")
        return content

    def check_readable(self, bucket: str, key: str, role_arn: str, source_arn: str) -> None:
        self._check("s3:GetObject", f"{bucket}/{key}", role_arn, source_arn)

    def listing(self, bucket: str, prefix: str, role_arn: str, source_arn: str) -> list[Stored]:
        self._check("s3:ListBucket", bucket, role_arn, source_arn)
        found = in_scope(self._region, self._account, lambda: self._s3._buckets.get(bucket))
        if found is None:
            raise Unindexable(f"The bucket {bucket} does not exist", "NoSuchBucket")
        at_once = list(found["objects"].items())
        return [Stored(key, record) for key, record in at_once if key.startswith(prefix)]

    def _check(self, action: str, place: str, role_arn: str, source_arn: str) -> None:
        refusal = self._authority.refusal(role_arn, self._service, action, f"arn:aws:s3:::{place}", source=source_arn)
        if refusal:
            raise Unindexable(f"Access to s3://{place} is denied: {refusal}", "AccessDenied")
