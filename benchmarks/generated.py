"""An S3 whose folder of documents is made up while it is listed, and whose work area is a folder of this machine.

It stands for a job of any size: nothing of it is in memory but the page that was asked for last. Listing and metadata
follow from a document's number, so every reading of them is the same.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.folder_s3 import FolderS3
from kendra_ingestion.pairing import METADATA_SUFFIX

PREFIX = "KendraDocuments/phonebook/2025-10-05"
PAGE_DOCUMENTS = 500
"""A page has 1,000 keys (ListObjectsV2), which are 500 pairs, or a few less where metadata is missing."""
DOCUMENTS_A_FOLDER = 5_000
WITHOUT_METADATA = 1_009
"""Every so many documents one has no metadata."""
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


class GeneratedS3(FolderS3):
    """What planning needs of an S3 client, in boto3's words. `documents` lie in any bucket under `PREFIX`; all that is
    written goes to `work`."""

    def __init__(self, documents: int, work: Path) -> None:
        super().__init__(work)
        self.documents = documents

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
        if not (Key.endswith(METADATA_SUFFIX) and (found := _NUMBER.search(Key))):
            return super().get_object(Bucket=Bucket, Key=Key)
        self._count_read()
        number = int(found[1])
        return {"Body": io.BytesIO(_METADATA % (number, number, number % 97))}


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
