"""The shapes that go through the work area: documents and chunks. They belong to Millrace, not to the
sink."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypedDict

Action = Literal["put", "delete"]


class JobKey(NamedTuple):
    """Whose work it is: a job, the run of one upload of its manifest, and the execution that works on it."""

    job_id: str
    run: str
    attempt: str


class Principal(TypedDict):
    """One entry of an access list: `type` is USER or GROUP, `access` is ALLOW or DENY."""

    name: str
    type: str
    access: str


class Document(TypedDict, total=False):
    """A document in a chunk; one to delete has its `documentId` alone. `size` is in bytes, `key` is the S3
    key, `digest` tells one state of the document's two files from another.

    An attribute's value is a string (also for a date, in ISO 8601), a list of strings, or a whole number.
    """

    documentId: str
    key: str
    title: str
    contentType: str
    attributes: dict[str, Any]
    accessControlList: list[Principal]
    size: int
    digest: str


class Chunk(TypedDict):
    """What one ProcessBatch works through: requests in order, each a list of documents."""

    chunk: int
    action: Action
    requests: list[list[Document]]
