"""What an ingestion job has to do: the bucket's objects, as they were listed, against what the index holds of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

SIDECAR = ".metadata.json"


@dataclass(frozen=True)
class Known:
    """What is known of a document. Without an ETag it came by direct ingestion, or it was never indexed."""

    indexed: bool
    etag: str | None = None
    metadata_etag: str | None = None


class Kind(Enum):
    NEW = "new"
    MODIFIED = "modified"
    METADATA = "only its metadata is modified"


@dataclass(frozen=True)
class Task:
    """A document to index. `metadata_modified`: the index has it with another metadata file, with none, or without the
    one that it has now."""

    id: str
    kind: Kind
    metadata_modified: bool
    etag: str
    metadata_etag: str | None


@dataclass(frozen=True)
class Changes:
    """`gone` are the ids that are known and no longer listed; `deleted` says how many of them the index holds, and
    `metadata_deleted` how many of those with a metadata file."""

    documents: int
    metadata_files: int
    tasks: list[Task]
    gone: list[str]
    deleted: int
    metadata_deleted: int


def is_document(uri: str) -> bool:
    """Whether the object is a document of the data source, and neither a metadata file nor a folder's marker."""
    return not uri.endswith((SIDECAR, "/"))


def compare(etags: Mapping[str, str], known: Mapping[str, Known]) -> Changes:
    """The changes, by the ETags of the listed objects and by what is known of the documents, both by `s3://bucket/key`.

    Content and metadata are the same as long as their ETags are. What failed the last time is tried again.
    """
    documents = [uri for uri in sorted(etags) if is_document(uri)]
    tasks = [_task(uri, etags[uri], etags.get(uri + SIDECAR), known.get(uri)) for uri in documents]
    gone = [uri for uri in known if uri not in etags]
    return Changes(
        documents=len(documents),
        metadata_files=sum(uri.endswith(SIDECAR) for uri in etags),
        tasks=[task for task in tasks if task is not None],
        gone=gone,
        deleted=sum(known[uri].indexed for uri in gone),
        metadata_deleted=sum(known[uri].metadata_etag is not None for uri in gone),
    )


def _task(uri: str, etag: str, metadata_etag: str | None, known: Known | None) -> Task | None:
    """What there is to do for a listed document; None if the index has it as it is."""
    if known is None or not known.indexed:
        return Task(uri, Kind.NEW, False, etag, metadata_etag)
    metadata_modified = known.etag is not None and known.metadata_etag != metadata_etag
    if known.etag != etag:
        return Task(uri, Kind.MODIFIED, metadata_modified, etag, metadata_etag)
    return Task(uri, Kind.METADATA, True, etag, metadata_etag) if metadata_modified else None
