"""Handing a folder of documents to the pipeline: look at it, upload it, and write the manifest last.

A folder holds pairs, `x.json` and `x.json.metadata.json`, at any depth, and optionally its own
`manifest.json` at the top. Every file goes to `<prefix>/batches/<path in the folder>`; the manifest goes to
`<prefix>/_control/manifest.json` and starts the job, so it is written only when everything else has arrived.

Files without a partner are uploaded as well: the pipeline reports them, and a job's report is the one place
to look.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from millrace.errors import UploadFailed, UsageError, from_aws
from millrace.objects import find_object

METADATA_SUFFIX = ".metadata.json"
MANIFEST = "manifest.json"
MOST_KEY_BYTES = 1_024  # an S3 object key, in UTF-8 (Amazon S3 user guide, "Naming Amazon S3 objects")
UPLOAD_THREADS = 16
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
# As the pipeline's manifest schema has them: what it would refuse is better said before the upload.
MOST_PREFIX_CHARACTERS = 900
_NOT_IN_A_PREFIX = re.compile(r"[\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Mode(StrEnum):
    """Which documents of the folder a job sends."""

    FULL = "full"
    CHANGED = "changed"
    """Those that the sink does not know yet as they are now."""


@dataclass(frozen=True)
class File:
    """A file to upload: its path below the folder with `/` between the names, and its size in bytes."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True)
class LeftOut:
    name: str
    reason: str


@dataclass(frozen=True)
class Survey:
    """What a folder holds. `manifest` is the folder's own manifest.json, {} where there is none."""

    folder: Path
    files: tuple[File, ...]
    pairs: int
    without_metadata: tuple[str, ...]
    without_document: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    manifest: dict[str, Any]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def flawless(self) -> bool:
        return not (self.without_metadata or self.without_document or self.left_out)


@dataclass(frozen=True)
class Submission:
    """What a job is called, where its files go and what its manifest says."""

    job_id: str
    prefix: str
    bucket: str
    manifest: dict[str, Any]

    @property
    def manifest_key(self) -> str:
        return f"{self.prefix}/_control/{MANIFEST}"

    def key(self, file: File) -> str:
        return f"{self.prefix}/batches/{file.name}"


def survey(folder: Path) -> Survey:
    """Look at a folder without changing anything. Raises UsageError where it cannot be submitted at all."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; name the folder that holds the documents")
    files: list[File] = []
    left_out: list[LeftOut] = []
    for entry in _walk(folder):
        name = entry.relative_to(folder).as_posix()
        reason = _why_left_out(entry)
        if reason:
            left_out.append(LeftOut(name, reason))
        elif name != MANIFEST:
            files.append(File(name, entry, entry.stat().st_size))
    pairs, without_metadata, without_document = pair(file.name for file in files)
    return Survey(
        folder=folder,
        files=tuple(files),
        pairs=pairs,
        without_metadata=without_metadata,
        without_document=without_document,
        left_out=tuple(left_out),
        manifest=read_manifest(folder / MANIFEST) if (folder / MANIFEST).is_file() else {},
    )


def pair(names: Iterable[str]) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Count the pairs, and name the documents without metadata and the metadata without a document, sorted.

    Shorter names first, as the pipeline pairs them: metadata may itself have metadata (`x.metadata.json`
    beside `x.metadata.json.metadata.json`) only where it does not belong to a document.
    """
    everything = set(names)
    metadata: set[str] = set()
    without_metadata: list[str] = []
    without_document: list[str] = []
    for name in sorted(everything, key=lambda name: (len(name), name)):
        if name in metadata:
            continue
        if name + METADATA_SUFFIX in everything:
            metadata.add(name + METADATA_SUFFIX)
        elif name.endswith(METADATA_SUFFIX):
            without_document.append(name)
        else:
            without_metadata.append(name)
    return len(metadata), tuple(sorted(without_metadata)), tuple(sorted(without_document))


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below the folder, sorted within its own; a hidden or linked folder is one entry."""

    def stop(error: OSError) -> None:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error

    for place, folders, names in os.walk(folder, onerror=stop):
        here = Path(place)
        closed = [name for name in folders if name.startswith(".") or (here / name).is_symlink()]
        folders[:] = sorted(set(folders) - set(closed))
        yield from (here / name for name in sorted([*names, *closed]))


def _why_left_out(entry: Path) -> str | None:
    if entry.name.startswith("."):
        return "hidden"
    if entry.is_symlink():
        return "a symbolic link; put the file itself in the folder"
    return None if entry.is_file() else "neither a file nor a folder"


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest that a person wrote. Its fields are checked by the pipeline, which knows the schema."""
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise UsageError(f"{path} must hold a JSON object")
    return manifest


def plan(
    found: Survey,
    bucket: str,
    now: datetime,
    *,
    prefix: str | None = None,
    job_id: str | None = None,
    mode: Mode | None = None,
    manifest: dict[str, Any] | None = None,
) -> Submission:
    """Decide the job's id, its prefix and its manifest; what is named here comes before what the manifest
    says.

    Without either, the prefix is the folder's name and the id is that name with the time:
    `phonebook-2025-10-05T12-00-09Z`. Raises UsageError for a name that the pipeline would refuse and for a
    file that cannot become an S3 key.
    """
    given = found.manifest if manifest is None else manifest
    folder = found.folder.resolve().name
    prefix = _text(prefix or given.get("prefix") or folder, "prefix").removesuffix("/")
    _check_prefix(prefix)
    job_id = _text(job_id or given.get("jobId") or job_id_of(folder, now), "jobId")
    check_job_id(job_id)
    chosen = {"jobId": job_id, "prefix": prefix, **({"mode": str(mode)} if mode else {})}
    submission = Submission(job_id, prefix, bucket, {**given, **chosen})
    problems = [problem for file in found.files if (problem := _key_problem(submission.key(file)))]
    if problems:
        more = f" (and {len(problems) - 1} more like it)" if len(problems) > 1 else ""
        raise UsageError(f"nothing was uploaded: {problems[0]}{more}; rename it")
    return submission


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"the manifest's {field} must be a string, not {value!r}")
    return value


def _check_prefix(prefix: str) -> None:
    bad = [part for part in prefix.split("/") if part in ("", ".", "..") or _NOT_IN_A_PREFIX.search(part)]
    if bad or len(prefix) > MOST_PREFIX_CHARACTERS:
        at = f" at {bad[0]!r}" if bad else ""
        raise UsageError(
            f"the prefix {prefix[:80]!r} is not usable{at}: at most {MOST_PREFIX_CHARACTERS} characters, no "
            "slash at its beginning, no empty part, no '.' or '..', no backslash, no control characters; "
            "name another: --prefix"
        )


def check_job_id(job_id: str) -> None:
    """Raise UsageError for a name that the pipeline would refuse."""
    if not _JOB_ID.fullmatch(job_id):
        raise UsageError(
            f"the job id {job_id[:120]!r} is not usable: 1 to 100 letters (a-z), digits, '.', '_' and '-', "
            "and the first a letter or a digit; name another: --job-id"
        )


def job_id_of(name: str, now: datetime) -> str:
    """A name and a time as a job's id, with a dash for what an id cannot hold."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:70] or "job"
    return f"{stem}-{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"


def _key_problem(key: str) -> str | None:
    try:
        length = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        return f"the name {key!a} is not valid UTF-8"
    if _CONTROL_CHARACTER.search(key):
        return f"the name {key!r} holds a control character"
    if length > MOST_KEY_BYTES:
        return f"the key {key[:60]}... has {length} bytes of the {MOST_KEY_BYTES} that S3 allows"
    return None


def upload_files(
    s3: Any,
    submission: Submission,
    files: Iterable[File],
    arrived: Callable[[File], None] = lambda _: None,
    threads: int = UPLOAD_THREADS,
) -> None:
    """Upload files in parallel, calling `arrived` for each. The first failure stops all: UploadFailed."""
    queue = iter(files)
    taking = threading.Lock()
    stopped = threading.Event()

    def take() -> File | None:
        with taking:
            return None if stopped.is_set() else next(queue, None)

    def work() -> None:
        try:
            while (file := take()) is not None:
                _put_file(s3, submission, file)
                arrived(file)
        finally:
            stopped.set()

    with ThreadPoolExecutor(threads) as pool:
        workers = [pool.submit(work) for _ in range(threads)]
        try:
            for worker in workers:
                worker.result()
        finally:
            stopped.set()  # also when ctrl-c ends the waiting: the pool would upload on to the last file


def _put_file(s3: Any, submission: Submission, file: File) -> None:
    consequence = "the manifest was not written, so no job began; repeat the command"
    try:
        with file.path.open("rb") as body:
            s3.put_object(Bucket=submission.bucket, Key=submission.key(file), Body=body, ContentType="application/json")
    except OSError as error:
        raise UploadFailed(f"cannot read {file.path}: {error.strerror}; {consequence}") from error
    except (ClientError, BotoCoreError) as error:
        raise UploadFailed(f"{file.name} did not arrive: {from_aws(error)}; {consequence}") from error


def write_manifest(s3: Any, submission: Submission) -> datetime:
    """Write the manifest, which starts the job; return S3's own time of it, rounded down to the second."""
    answer = s3.put_object(
        Bucket=submission.bucket,
        Key=submission.manifest_key,
        Body=json.dumps(submission.manifest, ensure_ascii=False, indent=2).encode("utf-8"),
        ContentType="application/json",
    )
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(said) if said else datetime.now(UTC).replace(microsecond=0)


def find_manifest(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    """The manifest that lies there until its job has finished: {} where it cannot be read, None where none is."""
    body = find_object(s3, bucket, key)
    if body is None:
        return None
    try:
        manifest = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
