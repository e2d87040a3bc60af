"""What can go wrong.

* MetricsError
  - EventInvalid  the event, or the data of its execution, is none that this workflow makes; retrying cannot help
  - ItemInvalid   an item of the table has no sense; the others are measured all the same
"""

from __future__ import annotations


class MetricsError(Exception):
    """Anything that the function knows by name."""


class EventInvalid(MetricsError):
    """The event, or the data of its execution, is none that this workflow makes."""


class ItemInvalid(MetricsError):
    """An item of the table has no sense. The message names its key."""
