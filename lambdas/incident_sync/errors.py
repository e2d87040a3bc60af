"""What can go wrong. PassBusy and StoreUnavailable are what the state machine's Retry matches on.

* IncidentSyncError
  - EventInvalid          the event, or a record of the stream, has no shape that a function knows; retrying cannot help
  - IncidentInvalid       one incident cannot become a document as it is; it is set aside, the others go on
  - PassBusy              another pass is at work; ask again when it has ended
* ConfigurationInvalid    an environment variable is missing or makes no sense; retrying cannot help (`shared.settings`)
* StoreUnavailable        a table, the bucket or Bedrock did not do what was asked, for no fault of an incident; retry
                          with backoff (`shared.store_errors`)
"""

from __future__ import annotations

from shared.settings import ConfigurationInvalid
from shared.store_errors import StoreUnavailable

__all__ = [
    "ConfigurationInvalid",
    "EventInvalid",
    "IncidentInvalid",
    "IncidentSyncError",
    "PassBusy",
    "StoreUnavailable",
]


class IncidentSyncError(Exception):
    """Anything that the workflow knows by name."""


class EventInvalid(IncidentSyncError):
    """The event, or a record of the stream, has no shape that a function knows."""


class IncidentInvalid(IncidentSyncError):
    """One incident cannot become a document as it is, and trying again cannot help.

    The message names the field, says what is allowed, and holds none of the incident's text: people read it in the
    table's `reason`, and logs carry it."""


class PassBusy(IncidentSyncError):
    """Another pass is at work."""
