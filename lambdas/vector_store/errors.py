"""What can go wrong. StoreUnavailable is what the state machine's Retry matches on; any other is a failed job.

* VectorStoreError
  - EventInvalid          the event, or a record of the stream, has no shape that a function knows; retrying cannot help
  - MessageInvalid        one message of a queue makes no sense, or names what is not there; retrying cannot help
  - ChangeInvalid         one change or vector makes no sense; it becomes a row of the run's record, the others go on
  - DeltaUnreadable       a delta is missing or cut off; after three attempts it is set aside
  - SnapshotInvalid       a snapshot is not what its manifest says; nothing is published on top of it
    - StateInvalid        its merged state is damaged, of another version, or at odds with Chroma
  - PointerMoved          another compaction has published meanwhile; this one's work is discarded
  - ConsumerBusy          another consumer of the queue has the lease
  - CheckIncomplete       a check's time has ended before it had seen everything; what it found is repaired where
                          that was asked for
  - EmbeddingRefused      Bedrock refuses one text for good; it becomes a bad row, the others go on
* ConfigurationInvalid    an environment variable is missing or makes no sense; retrying cannot help
                          (shared/settings.py)
* StoreUnavailable        a table, the bucket, a queue or Bedrock did not do what was asked, for no fault of the data;
                          retry with backoff (shared/store_errors.py)
"""

from __future__ import annotations

from shared.settings import ConfigurationInvalid
from shared.store_errors import StoreUnavailable

__all__ = [
    "ChangeInvalid",
    "CheckIncomplete",
    "ConfigurationInvalid",
    "ConsumerBusy",
    "DeltaUnreadable",
    "EmbeddingRefused",
    "EventInvalid",
    "MessageInvalid",
    "PointerMoved",
    "SnapshotInvalid",
    "StateInvalid",
    "StoreUnavailable",
    "VectorStoreError",
]


class VectorStoreError(Exception):
    """Anything that the workflow knows by name."""


class EventInvalid(VectorStoreError):
    """The event, or a record of the stream, has no shape that a function knows."""


class MessageInvalid(VectorStoreError):
    """One message of a queue makes no sense, or names what is not there. The message says which, and what to do."""


class ChangeInvalid(VectorStoreError):
    """One change or vector makes no sense, and trying again cannot help.

    The message names the member, says what is allowed, and holds no document's text: people read it in the run's
    record, and logs carry it."""


class DeltaUnreadable(VectorStoreError):
    """A delta is missing or cut off. The message names the object and where reading it ended."""


class SnapshotInvalid(VectorStoreError):
    """A snapshot is not what its manifest says."""


class StateInvalid(SnapshotInvalid):
    """The merged state is damaged, of another version, or at odds with Chroma. The message says which."""


class PointerMoved(VectorStoreError):
    """Another compaction has published since the pointer was read."""


class ConsumerBusy(VectorStoreError):
    """Another consumer of the queue has the lease. The message names the holder."""


class CheckIncomplete(VectorStoreError):
    """A check's time has ended before it had seen everything. The message says how far it came, and what to do."""


class EmbeddingRefused(VectorStoreError):
    """Bedrock refuses a text for good. The message holds Bedrock's reason and none of the text."""
