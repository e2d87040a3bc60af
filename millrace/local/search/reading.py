"""Reading a document from S3 with the role that a search service was given."""

from __future__ import annotations

from typing import Any, Protocol

from millrace.local.anchors import hold
from millrace.local.iam import Authority, in_scope
from millrace.local.search.text import Unindexable


class Reader(Protocol):
    def read(self, bucket: str, key: str, role_arn: str, source_arn: str) -> bytes:
        """The object's content, read on behalf of the source (an index, say).

        Raises Unindexable with the code AccessDenied or NoSuchKey.
        """


class EmbeddedS3:
    """Reads MiniStack's objects without a request, which over HTTP would be the bottleneck of indexing.

    `service` is who acts with the role (`kendra.amazonaws.com`).
    """

    def __init__(self, authority: Authority, service: str, region: str, account: str) -> None:
        from ministack.services import s3

        hold(s3, "_get_object_data", "bucket = _buckets.get(bucket_name)", 'bucket["objects"].get(key)')
        self._s3: Any = s3
        self._authority = authority
        self._service = service
        self._region = region
        self._account = account

    def read(self, bucket: str, key: str, role_arn: str, source_arn: str) -> bytes:
        resource = f"arn:aws:s3:::{bucket}/{key}"
        refusal = self._authority.refusal(role_arn, self._service, "s3:GetObject", resource, source=source_arn)
        if refusal:
            raise Unindexable(f"Access to s3://{bucket}/{key} is denied: {refusal}", "AccessDenied")
        content = in_scope(self._region, self._account, lambda: self._s3._get_object_data(bucket, key))
        if content is None:
            raise Unindexable(f"The object s3://{bucket}/{key} does not exist", "NoSuchKey")
        return content
