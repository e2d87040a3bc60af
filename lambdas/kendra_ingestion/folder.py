"""The adapter for what teams upload: the manifest, the pairs, and their listing in S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from kendra_ingestion.errors import ManifestGone, ObjectUnreadable
from kendra_ingestion.pairing import Listed

BATCHES = "batches/"

GONE = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
OUT_OF_REACH = frozenset({"AccessDenied", "InvalidObjectState", "403"})
"""Forbidden to this role, or archived (Glacier) and not restored."""

DELETED, REPLACED, MANIFEST_GONE = "deleted", "replaced", "gone"
"""What became of a manifest that was to be removed."""


class Upload(NamedTuple):
    """One upload of the manifest: `size` in bytes, `identity` differs between any two uploads of the same
    key, and `body` is a stream that nothing has been read from."""

    size: int
    etag: str
    identity: str
    body: Any


class Folder:
    """The ingestion bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def manifest(self, key: str) -> Upload:
        """Open the manifest. Raises ManifestGone. S3 says so only to a role that may list the bucket."""
        try:
            reply = self._client.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                raise ManifestGone(f"s3://{self.bucket}/{key} is no longer there") from error
            raise
        etag = reply["ETag"].strip('"')
        version = reply.get("VersionId", "null")
        identity = version if version != "null" else f"{etag} {reply['LastModified'].isoformat()}"
        return Upload(reply["ContentLength"], etag, identity, reply["Body"])

    def remove_manifest(self, key: str, etag: str) -> str:
        """Delete the manifest if it still has this ETag, and return what became of it: DELETED; REPLACED by another
        one, which stays; or MANIFEST_GONE before.

        S3 answers 412 and 404 (user guide, "How to perform conditional deletes"), the latter only to a role that may
        list the bucket. An upload of the very same bytes has the same ETag and is not told apart.
        """
        try:
            self._client.delete_object(Bucket=self.bucket, Key=key, IfMatch=f'"{etag}"')
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                return REPLACED
            if code in GONE:
                return MANIFEST_GONE
            raise
        return DELETED

    def pages(self, prefix: str, after: str | None) -> Iterator[list[Listed]]:
        """List what lies under `<prefix>/batches/` in S3's order, 1,000 keys a page (ListObjectsV2), beginning
        after a key."""
        where: dict[str, Any] = {"Bucket": self.bucket, "Prefix": f"{prefix}/{BATCHES}"}
        if after is not None:
            where["StartAfter"] = after
        while True:
            reply = self._client.list_objects_v2(**where)
            yield [
                Listed(item["Key"], item["Size"], item["ETag"].strip('"'), item["LastModified"].timestamp())
                for item in reply.get("Contents", [])
            ]
            if not reply["IsTruncated"]:
                return
            where["ContinuationToken"] = reply["NextContinuationToken"]

    def read(self, key: str, limit: int) -> bytes:
        """An object's bytes, never more than `limit` + 1 of them. Raises ObjectUnreadable."""
        try:
            body = self._client.get_object(Bucket=self.bucket, Key=key)["Body"]
            return body.read(limit + 1)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in GONE:
                raise ObjectUnreadable(
                    f"{key} was there when the folder was listed, and gone when it was read"
                ) from error
            if code in OUT_OF_REACH:
                raise ObjectUnreadable(f"{key} cannot be read: {code}") from error
            raise
