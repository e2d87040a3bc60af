"""The seam to what keeps the documents searchable. Kendra is the first sink, not the only one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from kendra_ingestion.documents import Document
from kendra_ingestion.metadata import AttributeType

INVALID_REQUEST = "InvalidRequest"
"""The code of a document that a sink will never take as it is: Kendra's own word, and ours for sinks without one."""


class Rejected(NamedTuple):
    """A document that the sink did not take, in a request that it did take."""

    document_id: str
    code: str
    message: str
    passing: bool
    """The fault was the sink's own: the same document may be taken a moment later."""


class State(Enum):
    """What the index says of a document."""

    ABSENT = "absent"
    PROCESSING = "processing"
    INDEXED = "indexed"
    UPDATED = "updated"
    FAILED = "failed"


class Status(NamedTuple):
    """A document's state, with the reason where it failed."""

    state: State
    code: str | None = None
    message: str | None = None


class Sink(Protocol):
    """Each call takes 1 to 10 documents or ids, and raises SinkThrottled, SinkUnavailable, SinkRefused (also
    SinkQuotaExceeded) or SinkMisconfigured for the call as a whole. Safe to call from several threads."""

    def attribute_types(self) -> Mapping[str, AttributeType] | None:
        """The attributes that the index defines; None where it takes any."""
        ...

    def put(self, documents: Sequence[Document]) -> list[Rejected]:
        """Send documents, whose attributes fit `attribute_types`; those that are not rejected were accepted, and will
        be indexed later."""
        ...

    def delete(self, document_ids: Sequence[str]) -> list[Rejected]:
        """Delete ids; those that are not rejected were accepted, and will be gone later."""
        ...

    def status(self, document_ids: Sequence[str]) -> Mapping[str, Status]:
        """What the index says of each id that it says something of."""
        ...
