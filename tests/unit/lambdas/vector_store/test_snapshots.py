from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.fakes.s3 import FakeS3, client_error
from vector_store.errors import SnapshotInvalid, StoreUnavailable
from vector_store.pointer import Pointer
from vector_store.snapshots import Manifest, Snapshots

BUCKET = "store"


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3(BUCKET)


@pytest.fixture
def snapshots(s3: FakeS3) -> Snapshots:
    return Snapshots(s3, BUCKET, "lines")


def published(snapshots: Snapshots, folder: Path, *, version: int = 1, token: str = "abcd") -> Pointer:
    (folder / "chroma").mkdir(parents=True, exist_ok=True)
    (folder / "chroma" / "data.bin").write_bytes(bytes(range(256)) * 100)
    (folder / "state.sqlite").write_bytes(b"state")
    snapshot = snapshots.key(version, token)
    made = snapshots.upload(folder, snapshot, version=version, records=7, dimension=2, deltas=["d1"], slots=9)
    return Pointer(version, snapshot, made.records, made.sha256, "2026-01-01T00:00:00Z")


def test_a_folder_comes_back_as_it_was(snapshots: Snapshots, tmp_path: Path) -> None:
    pointer = published(snapshots, tmp_path / "one")
    manifest = snapshots.download(pointer, tmp_path / "two")
    assert pointer.snapshot == "lines/snapshot/0000000001-abcd/"
    assert manifest == Manifest(1, 7, pointer.sha256, manifest.bytes, 2, ["d1"], 9)
    for name in ("chroma/data.bin", "state.sqlite"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_the_manifest_is_written_last(snapshots: Snapshots, s3: FakeS3, tmp_path: Path) -> None:
    pointer = published(snapshots, tmp_path)
    written = s3.buckets[BUCKET]
    manifest, archive = (written[pointer.snapshot + name] for name in ("manifest.json", "store.tar"))
    assert manifest.modified > archive.modified


def test_an_archive_says_nothing_of_the_machine_that_made_it(snapshots: Snapshots, s3: FakeS3, tmp_path: Path) -> None:
    one, two = (published(snapshots, tmp_path / token, token=token) for token in ("one", "two"))
    assert one.sha256 == two.sha256
    with tarfile.open(fileobj=io.BytesIO(s3[f"{BUCKET}/{one.snapshot}store.tar"])) as archive:
        assert {(it.uid, it.gid, it.uname, it.mtime) for it in archive} == {(0, 0, "", 0)}


def cut_off(body: bytes) -> bytes:
    return body[:-600]


def turned(body: bytes) -> bytes:
    return body[:1_000] + bytes([body[1_000] ^ 1]) + body[1_001:]


def lengthened(body: bytes) -> bytes:
    return body + b"more"


def emptied(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [cut_off, turned, lengthened, emptied])
def test_an_archive_that_is_not_the_published_one_is_refused_by_name(
    snapshots: Snapshots, s3: FakeS3, tmp_path: Path, damage: Any
) -> None:
    pointer = published(snapshots, tmp_path / "one")
    s3[f"{BUCKET}/{pointer.snapshot}store.tar"] = damage(s3[f"{BUCKET}/{pointer.snapshot}store.tar"])
    with pytest.raises(SnapshotInvalid, match=f"s3://store/{pointer.snapshot}: store.tar"):
        snapshots.download(pointer, tmp_path / "two")


@pytest.mark.parametrize("name", ["manifest.json", "store.tar"])
def test_a_file_that_is_missing_is_named(snapshots: Snapshots, s3: FakeS3, tmp_path: Path, name: str) -> None:
    pointer = published(snapshots, tmp_path / "one")
    del s3[f"{BUCKET}/{pointer.snapshot}{name}"]
    with pytest.raises(SnapshotInvalid, match=f"s3://store/{pointer.snapshot}{name} is missing"):
        snapshots.download(pointer, tmp_path / "two")


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"version": 2}, {"records": 8}, {"unknown": 1}])
def test_a_manifest_that_is_not_the_published_one_is_refused(
    snapshots: Snapshots, s3: FakeS3, tmp_path: Path, change: dict[str, Any]
) -> None:
    pointer = published(snapshots, tmp_path / "one")
    place = f"{BUCKET}/{pointer.snapshot}manifest.json"
    s3[place] = json.dumps(json.loads(s3[place]) | change).encode()
    with pytest.raises(SnapshotInvalid, match=r"manifest.json is (not the one that was published|no manifest)"):
        snapshots.download(pointer, tmp_path / "two")


class Breaking(FakeS3):
    """The connection breaks in the middle of an archive."""

    def get_object(self, **asked: Any) -> dict[str, Any]:
        reply = super().get_object(**asked)
        if asked["Key"].endswith(".tar"):
            reply["Body"] = self
        return reply

    def read(self, size: int) -> bytes:
        raise ReadTimeoutError(endpoint_url="https://s3")


def test_a_connection_that_breaks_is_no_damage(tmp_path: Path) -> None:
    snapshots = Snapshots(Breaking(BUCKET), BUCKET, "lines")
    pointer = published(snapshots, tmp_path / "one")
    with pytest.raises(StoreUnavailable, match="the bucket store"):
        snapshots.download(pointer, tmp_path / "two")


def test_an_upload_that_s3_refuses_is_told_as_the_buckets_fault(tmp_path: Path, monkeypatch: Any) -> None:
    s3 = FakeS3(BUCKET)

    def refuse(**_: Any) -> None:
        raise client_error("PutObject", "SlowDown", status=503)

    monkeypatch.setattr(s3, "put_object", refuse)
    with pytest.raises(StoreUnavailable, match="SlowDown"):
        published(Snapshots(s3, BUCKET, "lines"), tmp_path)


def test_a_member_outside_the_folder_is_refused(snapshots: Snapshots, s3: FakeS3, tmp_path: Path) -> None:
    pointer = published(snapshots, tmp_path / "one")
    outside = io.BytesIO()
    with tarfile.open(mode="w", fileobj=outside) as archive:
        archive.addfile(tarfile.TarInfo("../escaped"), io.BytesIO())
    s3[f"{BUCKET}/{pointer.snapshot}store.tar"] = outside.getvalue()
    with pytest.raises(SnapshotInvalid):
        snapshots.download(pointer, tmp_path / "deep" / "two")
    assert not (tmp_path / "deep" / "escaped").exists()


def test_folders_are_listed_in_the_order_of_versions_and_removed_whole(
    snapshots: Snapshots, s3: FakeS3, tmp_path: Path
) -> None:
    pointers = [published(snapshots, tmp_path, version=version) for version in (10, 9)]
    s3[f"{BUCKET}/lines/snapshot/0000000011-dead/store.tar"] = b"begun and never ended"
    s3[f"{BUCKET}/lines/snapshot/README"] = b"no folder of ours"
    found = snapshots.stored()
    assert [(it.version, len(it.keys)) for it in found] == [(9, 2), (10, 2), (11, 1)]
    snapshots.remove(found[1])
    assert s3.keys(BUCKET, pointers[0].snapshot) == []
    assert len(snapshots.stored()) == 2
