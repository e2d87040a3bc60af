"""The adapter for the bucket's snapshots: a folder becomes one archive with a manifest, and a folder again.

A snapshot's folder in the bucket is named for its version and for the call that made it, so that two calls that race
for one version never write one key. The manifest is written last: a folder without one is no snapshot."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError

from shared.object_writer import ObjectWriter
from shared.store_errors import ask_for_all, is_missing
from vector_store.errors import ConfigurationInvalid, SnapshotInvalid, StoreUnavailable
from vector_store.listing import listed
from vector_store.pointer import Pointer

ARCHIVE = "store.tar"
MANIFEST = "manifest.json"

BLOCK_BYTES = 1024 * 1024
"""What an archive is read and written in: tarfile's own 10 KB blocks cost half of the upload's processor time."""


class Manifest(NamedTuple):
    """What a snapshot is: its version, the records that it shows, the digest and the bytes of its archive, its vectors'
    dimension, the deltas that it was made of besides the version before, and the places of its index, those of dead
    records too."""

    version: int
    records: int
    sha256: str
    bytes: int
    dimension: int
    deltas: list[str]
    slots: int

    def check_dimension(self, collection: str, wanted: int) -> None:
        """Raises ConfigurationInvalid where its vectors have another dimension than they are wanted with."""
        if self.dimension != wanted:
            raise ConfigurationInvalid(
                f"{collection} has vectors of dimension {self.dimension}, and EMBED_DIMENSION is {wanted}; set it "
                "back, or begin a new store"
            )


class Stored(NamedTuple):
    """A snapshot's folder in the bucket: its key, version, the time of its newest object, its bytes and its objects'
    keys. It may have no manifest."""

    snapshot: str
    version: int
    modified: datetime
    bytes: int
    keys: list[str]


class Snapshots:
    """S3, as it holds one collection's snapshots. Every method raises StoreUnavailable."""

    def __init__(self, client: Any, bucket: str, collection: str) -> None:
        self._client = client
        self._bucket = bucket
        self._place = f"the bucket {bucket}"
        self._prefix = f"{collection}/snapshot/"

    def key(self, version: int, token: str) -> str:
        """The folder of a version, as the call with this token makes it. In the order of versions."""
        return f"{self._prefix}{version:010}-{token}/"

    def upload(
        self,
        folder: Path,
        snapshot: str,
        *,
        version: int,
        records: int,
        dimension: int,
        deltas: Sequence[str],
        slots: int,
    ) -> Manifest:
        """Write a folder as a snapshot, the manifest last."""
        with (
            _translated(self._place),
            ObjectWriter(self._client, self._bucket, snapshot + ARCHIVE, "application/x-tar") as writer,
        ):
            sink = _Sink(writer)
            with tarfile.open(
                mode="w|", bufsize=BLOCK_BYTES, fileobj=cast("IO[bytes]", sink), format=tarfile.PAX_FORMAT
            ) as archive:
                for path in sorted(folder.rglob("*")):
                    archive.add(path, str(path.relative_to(folder)), recursive=False, filter=_anonymous)
        manifest = Manifest(version, records, sink.digest.hexdigest(), sink.bytes, dimension, list(deltas), slots)
        body = json.dumps(manifest._asdict(), separators=(",", ":")).encode()
        ask_for_all(
            self._place,
            self._client.put_object,
            Bucket=self._bucket,
            Key=snapshot + MANIFEST,
            Body=body,
            ContentType="application/json",
        )
        return manifest

    def download(self, pointer: Pointer, into: Path) -> Manifest:
        """Write the published snapshot's files into an empty folder, and check them. Nobody must use them before this
        returns.

        Raises SnapshotInvalid, which names the snapshot, where it is missing, cut off, or not the one that was
        published."""
        manifest = self.manifest(pointer)
        source = _Source(self._open(pointer.snapshot + ARCHIVE), self._place)
        damage: Exception | None = None
        try:
            with tarfile.open(mode="r|", bufsize=BLOCK_BYTES, fileobj=cast("IO[bytes]", source)) as archive:
                # Python 3.11 has it from 3.11.4 on, and Debian 12 is older.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(into)
        except (tarfile.TarError, EOFError, OSError) as error:
            damage = error
        source.drain()
        if source.bytes != manifest.bytes:
            raise self._invalid(pointer, f"{ARCHIVE} has {source.bytes} bytes and had {manifest.bytes}")
        if source.digest.hexdigest() != manifest.sha256:
            raise self._invalid(pointer, f"{ARCHIVE} was changed after it was published")
        if damage:
            raise self._invalid(pointer, f"{ARCHIVE} cannot be unpacked: {damage}") from damage
        return manifest

    def stored(self) -> list[Stored]:
        """All folders, oldest version first."""
        objects: dict[str, list[Mapping[str, Any]]] = {}
        for item in listed(self._client, self._bucket, self._prefix):
            folder, _, _ = item["Key"].removeprefix(self._prefix).partition("/")
            objects.setdefault(folder, []).append(item)
        return [
            Stored(
                f"{self._prefix}{folder}/",
                int(folder.partition("-")[0]),
                max(item["LastModified"] for item in items),
                sum(item["Size"] for item in items),
                [item["Key"] for item in items],
            )
            for folder, items in sorted(objects.items())
            if folder.partition("-")[0].isdecimal()
        ]

    def remove(self, stored: Stored) -> None:
        """Delete a folder's objects, the manifest first, so that what is left of it after a failure is no snapshot."""
        for key in sorted(stored.keys, key=lambda key: not key.endswith(MANIFEST)):
            ask_for_all(self._place, self._client.delete_object, Bucket=self._bucket, Key=key)

    def manifest(self, pointer: Pointer) -> Manifest:
        with _translated(self._place):
            body = self._open(pointer.snapshot + MANIFEST).read()
        try:
            manifest = Manifest(**json.loads(body))
        except (TypeError, ValueError) as error:
            raise self._invalid(pointer, f"{MANIFEST} is no manifest") from error
        if (manifest.version, manifest.records, manifest.sha256) != (pointer.version, pointer.records, pointer.sha256):
            raise self._invalid(pointer, f"{MANIFEST} is not the one that was published")
        return manifest

    def _open(self, key: str) -> Any:
        try:
            return ask_for_all(self._place, self._client.get_object, Bucket=self._bucket, Key=key)["Body"]
        except StoreUnavailable as error:
            if is_missing(error):
                raise SnapshotInvalid(f"s3://{self._bucket}/{key} is missing") from error
            raise

    def _invalid(self, pointer: Pointer, reason: str) -> SnapshotInvalid:
        return SnapshotInvalid(f"s3://{self._bucket}/{pointer.snapshot}: {reason}")


class _Sink:
    """Where an archive is written: to S3, counted and digested on the way."""

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self.digest = sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self._writer.write(data)
        self.digest.update(data)
        self.bytes += len(data)
        return len(data)


class _Source:
    """Where an archive is read from: S3, counted and digested on the way."""

    def __init__(self, body: Any, place: str) -> None:
        self._body = body
        self._place = place
        self.digest = sha256()
        self.bytes = 0

    def read(self, size: int) -> bytes:
        with _translated(self._place):
            data: bytes = self._body.read(size)
        self.digest.update(data)
        self.bytes += len(data)
        return data

    def drain(self) -> None:
        """Read what is left after the archive's end."""
        while self.read(BLOCK_BYTES):
            pass


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what says who made the file on which machine, and when."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    return info


@contextmanager
def _translated(place: str) -> Iterator[None]:
    """For what reads and writes S3 a little at a time."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(f"{place} did not do what was asked: {error}") from error
