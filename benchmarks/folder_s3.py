"""An S3 whose objects are files of a folder of this machine: as much of it as the functions ask for."""

# ruff: noqa: N803 - the arguments are boto3's, by its names

from __future__ import annotations

import io
import shutil
import threading
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import ClientError

UNFINISHED = ".unfinished"
"""Ends the name of an object whose parts are still coming."""


class FolderS3:
    """One bucket, whatever its name. `reads` counts calls that give an object, `writes` those that make one."""

    def __init__(self, folder: Path) -> None:
        self.reads = 0
        self.writes = 0
        self._folder = folder
        self._counting = threading.Lock()

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self._count_read()
        place = self._read("GetObject", "NoSuchKey", Key)
        return {"Body": place.open("rb"), "ETag": _etag(place)}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        place = self._read("HeadObject", "404", Key)
        return {"ContentLength": place.stat().st_size, "ETag": _etag(place)}

    def put_object(
        self, *, Bucket: str, Key: str, Body: bytes, IfMatch: str = "", IfNoneMatch: str = "", **_: str
    ) -> dict[str, Any]:
        place = self._folder / Key
        there = _etag(place) if place.exists() else ""
        if (IfMatch and IfMatch != there) or (IfNoneMatch and there):
            raise _error("PutObject", "PreconditionFailed", 412)
        self._write(place, io.BytesIO(Body))
        return {"ETag": _etag(place)}

    def create_multipart_upload(self, *, Bucket: str, Key: str, **_: str) -> dict[str, Any]:
        self._write(self._folder / (Key + UNFINISHED), io.BytesIO())
        return {"UploadId": Key + UNFINISHED}

    def upload_part(self, *, UploadId: str, Body: bytes, **_: Any) -> dict[str, Any]:
        """Parts come one after the other, as `ObjectWriter` sends them."""
        self._count_write()
        with (self._folder / UploadId).open("ab") as unfinished:
            unfinished.write(Body)
        return {"ETag": '"part"'}

    def complete_multipart_upload(self, *, Key: str, UploadId: str, **_: Any) -> dict[str, Any]:
        self._count_write()
        (self._folder / UploadId).replace(self._folder / Key)
        return {}

    def abort_multipart_upload(self, *, UploadId: str, **_: Any) -> dict[str, Any]:
        self._count_write()
        (self._folder / UploadId).unlink()
        return {}

    def download_file(self, *, Bucket: str, Key: str, Filename: str) -> None:
        self._count_read()
        shutil.copyfile(self._read("GetObject", "404", Key), Filename)

    def upload_file(self, *, Filename: str, Bucket: str, Key: str) -> None:
        with Path(Filename).open("rb") as file:
            self._write(self._folder / Key, file)

    def _read(self, operation: str, missing: str, key: str) -> Path:
        place = self._folder / key
        if not place.exists():
            raise _error(operation, missing, 404)
        return place

    def _write(self, place: Path, body: IO[bytes]) -> None:
        self._count_write()
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            shutil.copyfileobj(body, file, 8 * 2**20)

    def _count_read(self) -> None:
        with self._counting:
            self.reads += 1

    def _count_write(self) -> None:
        with self._counting:
            self.writes += 1


def _etag(place: Path) -> str:
    told = place.stat()
    return f'"{told.st_mtime_ns:x}-{told.st_size:x}"'


def _error(operation: str, code: str, status: int) -> ClientError:
    told: Any = {
        "Error": {"Code": code, "Message": "said by a folder"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(told, operation)
