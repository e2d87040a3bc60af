"""What can go wrong. The class names are what the state machine's Retry and Catch match on.

* IngestionError
  - ConfigurationInvalid  an environment variable is missing or makes no sense; retrying cannot help
  - ManifestInvalid       the execution's input or the manifest breaks its rules; retrying cannot help
  - ManifestGone          the event named a manifest that is no longer there; ends quietly
  - PlanTooLarge          more documents than a run's 1,000 chunks hold; split the folder
  - WorkMissing           a file of the work area that must exist does not
  - LawBroken             the outcomes do not add up to what was planned; nothing is reported
  - DocumentInvalid       one document cannot be sent; becomes its row in the report
  - ObjectUnreadable      one object of the folder cannot be read; becomes a row in the report
  * QueueError
    - QueueUnavailable    a queue, or the table that counts its messages, did not answer in time; retry with backoff
    - QueueingUnfinished  the producer's time ran out; called again, it goes on with what is not accounted for
    - MessageRefused      a queue refuses a message for what it is; retrying cannot help
  * SinkError
    - SinkThrottled       the sink asked us to slow down; retry with backoff
    - SinkUnavailable     the sink failed or did not answer; retry with backoff
    - SinkMisconfigured   the index, the role or the permission is wrong; retrying cannot help
    * SinkRefused         the sink refused a request as a whole, because of a document in it
      - SinkQuotaExceeded the index is full
"""

from __future__ import annotations


class IngestionError(Exception):
    """Anything that the workflow knows by name."""


class ConfigurationInvalid(IngestionError):
    """An environment variable is missing or makes no sense."""


class ManifestInvalid(IngestionError):
    """The execution's input or the manifest breaks its rules. The message names the field."""


class ManifestGone(IngestionError):
    """The manifest is no longer where the event saw it."""


class PlanTooLarge(IngestionError):
    """The folder holds more documents than one run can carry."""


class WorkMissing(IngestionError):
    """A file of the work area that must exist does not."""


class LawBroken(IngestionError):
    """The outcomes do not add up to what was planned."""


class DocumentInvalid(IngestionError):
    """One document cannot be sent.

    `code` is the report's errorCode; `document_id` is the id that the metadata gives, where it gives a usable
    one."""

    def __init__(self, code: str, message: str, document_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.document_id = document_id


class ObjectUnreadable(IngestionError):
    """One object of the folder cannot be read: it has vanished, is archived, or is forbidden."""


class QueueError(IngestionError):
    """Not every request of the plan became a message."""


class QueueUnavailable(QueueError):
    """A queue, or the table that counts its messages, did not answer in time."""


class QueueingUnfinished(QueueError):
    """The invocation's time ran out before every message was sent."""


class MessageRefused(QueueError):
    """A queue refuses a message for what it is."""


class SinkError(IngestionError):
    """The sink did not do what it was asked."""


class SinkThrottled(SinkError):
    """The sink asked us to slow down."""


class SinkUnavailable(SinkError):
    """The sink failed or did not answer in time."""


class SinkMisconfigured(SinkError):
    """No request can succeed before somebody mends the configuration."""


class SinkRefused(SinkError):
    """The sink refused a request as a whole, because of a document in it."""


class SinkQuotaExceeded(SinkRefused):
    """The index has no room for a document of the request."""
