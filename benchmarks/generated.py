"""An S3 whose folder of documents is made up while it is listed, and whose work area is a folder of this machine.

It stands for a job of any size: nothing of it is in memory but the page that was asked for last. Listing and metadata
follow from a document's number, so every reading of them is the same.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from kendra_ingestion.pairing import METADATA_SUFFIX

PREFIX = "KendraDocuments/phonebook/2025-10-05"
PAGE_DOCUMENTS = 500
"""A page has 1,000 keys (ListObjectsV2), which are 500 pairs, or a few less where metadata is missing."""
DOCUMENTS_A_FOLDER = 5_000
WITHOUT_METADATA = 1_009
"""Every so many documents one has no metadata."""
UNFINISHED = ".unfinished"
"""Ends the name of an object whose parts are still coming."""
MODIFIED = datetime(2025, 10, 5, 12, tzinfo=UTC)

_NUMBER = re.compile(r"emp-(\d{9})\.json")
_METADATA = (
    b'{"DocumentId": "emp-%09d", "Title": "Employee %d of the phone book", "ContentType": "JSON", "Attributes": '
    b'{"_category": "phonebook", "department": "department-%d", "_created_at": "2025-10-05T12:00:00Z"}, '
    b'"AccessControlList": [{"Name": "employees", "Type": "GROUP", "Access": "ALLOW"}]}'
)


def has_metadata(number: int) -> bool:
    """Whether the document with this number is a pair."""
    return number % WITHOUT_METADATA != 0


def unpaired(documents: int) -> int:
    """How many of the first documents have no metadata."""
    return -(-documents // WITHOUT_METADATA)


class GeneratedS3:
    """What planning needs of an S3 client, in boto3's words. `documents` lie in any bucket under `PREFIX`; all that is
    written goes to `work`. `reads` and `writes` count calls."""

    def __init__(self, documents: int, work: Path) -> None:
        self.documents = documents
        self.reads = 0
        self.writes = 0
        self._work = work
        self._counting = threading.Lock()

    def list_objects_v2(
        self,
        *,
        Bucket: str,  # noqa: N803
        Prefix: str,  # noqa: N803
        StartAfter: str = "",  # noqa: N803
        ContinuationToken: str = "",  # noqa: N803
    ) -> dict[str, Any]:
        first = int(ContinuationToken) if ContinuationToken else _after(StartAfter)
        last = min(first + PAGE_DOCUMENTS, self.documents)
        objects = [each for number in range(first, last) for each in _objects(Prefix, number)]
        reply: dict[str, Any] = {"IsTruncated": last < self.documents, "Contents": objects}
        return reply | ({"NextContinuationToken": str(last)} if reply["IsTruncated"] else {})

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        with self._counting:
            self.reads += 1
        if Key.endswith(METADATA_SUFFIX) and (found := _NUMBER.search(Key)):
            number = int(found[1])
            return {"Body": io.BytesIO(_METADATA % (number, number, number % 97))}
        try:
            return {"Body": self._place(Key).open("rb")}
        except FileNotFoundError:
            raise _missing("GetObject", "NoSuchKey") from None

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if not self._place(Key).exists():
            raise _missing("HeadObject", "404")
        return {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: str) -> dict[str, Any]:  # noqa: N803
        with self._counting:
            self.writes += 1
        place = self._place(Key)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(Body)
        return {}

    def create_multipart_upload(self, *, Bucket: str, Key: str, **_: str) -> dict[str, Any]:  # noqa: N803
        self.put_object(Bucket=Bucket, Key=Key + UNFINISHED, Body=b"")
        return {"UploadId": Key + UNFINISHED}

    def upload_part(self, *, UploadId: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        """Parts come one after the other, as `ObjectWriter` sends them."""
        with self._counting:
            self.writes += 1
        with self._place(UploadId).open("ab") as unfinished:
            unfinished.write(Body)
        return {"ETag": '"part"'}

    def complete_multipart_upload(self, *, Key: str, UploadId: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        with self._counting:
            self.writes += 1
        self._place(UploadId).replace(self._place(Key))
        return {}

    def _place(self, key: str) -> Path:
        return self._work / key


def _objects(prefix: str, number: int) -> Iterator[dict[str, Any]]:
    key = f"{prefix}{number // DOCUMENTS_A_FOLDER:06}/emp-{number:09}.json"
    yield {"Key": key, "Size": 1_000 + number % 19_000, "ETag": f'"{number:032x}"', "LastModified": MODIFIED}
    if has_metadata(number):
        yield {"Key": key + METADATA_SUFFIX, "Size": 300, "ETag": f'"{number + 1:032x}"', "LastModified": MODIFIED}


def _after(key: str) -> int:
    """The number of the first document whose files stand after this key. A pass ends with a page, so the key is the
    last one of a document."""
    found = _NUMBER.search(key)
    return int(found[1]) + 1 if found else 0


def _missing(operation: str, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "generated"}}, operation)
