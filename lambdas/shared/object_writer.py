"""Objects of any length, written to S3 in parts."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

PART_BYTES = 8 * 1024 * 1024
"""A part of a multipart upload; S3 asks for at least 5 MiB and takes 10,000 of them."""


class ObjectWriter:
    """Writes one object of any length in parts, holding one part at a time. Nothing is visible before the
    end, and nothing at all when the block fails."""

    def __init__(self, client: Any, bucket: str, key: str, content_type: str) -> None:
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._content_type = content_type
        self._upload: str | None = None
        self._etags: list[str] = []
        self._part = bytearray()

    def write(self, data: bytes) -> None:
        """Add to the object."""
        rest = memoryview(data)
        while len(self._part) + len(rest) >= PART_BYTES:
            room = PART_BYTES - len(self._part)
            self._part += rest[:room]
            rest = rest[room:]
            self._send(bytes(self._part))
            self._part.clear()
        self._part += rest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            if self._upload:
                self._client.abort_multipart_upload(**self._where, UploadId=self._upload)
        elif self._upload is None:
            self._client.put_object(**self._where, Body=bytes(self._part), ContentType=self._content_type)
        else:
            if self._part:
                self._send(bytes(self._part))
            parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(self._etags, start=1)]
            self._client.complete_multipart_upload(
                **self._where, UploadId=self._upload, MultipartUpload={"Parts": parts}
            )

    def _send(self, part: bytes) -> None:
        if self._upload is None:
            reply = self._client.create_multipart_upload(**self._where, ContentType=self._content_type)
            self._upload = reply["UploadId"]
        number = len(self._etags) + 1
        reply = self._client.upload_part(**self._where, UploadId=self._upload, PartNumber=number, Body=part)
        self._etags.append(reply["ETag"])
