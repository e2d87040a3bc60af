"""Dates as incidents have them, and as documents and tables do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FORM = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    r"(?:T(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>Z|(?P<sign>[+-])(?P<hours>\d{2})(?::?(?P<minutes>[0-5]\d))?)?)?",
    re.ASCII,
)
"""ISO 8601's calendar dates in extended format, alone or with a time of day. `datetime.fromisoformat` takes more, and
other things with each version of Python."""

UNITS = ("year", "month", "day", "hour", "minute", "second")

ALLOWED = "2025-10-05, 2025-10-05T12:00:00Z, or with an offset such as +02:00"


class Date(NamedTuple):
    """A moment twice: ISO 8601 in UTC with `Z`, and whole seconds since 1970, because filters compare numbers."""

    text: str
    seconds: int


def read(text: str) -> Date:
    """Read an ISO 8601 date; without a time of day it is midnight, without an offset UTC. What is finer than a
    microsecond is cut off. Raises ValueError, which says what is allowed and nothing of the text."""
    found = FORM.fullmatch(text)
    if not found:
        raise ValueError(f"is no date in ISO 8601; allowed: {ALLOWED}")
    year, month, day, hour, minute, second = (int(found[name] or 0) for name in UNITS)
    microsecond = int((found["fraction"] or "").ljust(6, "0")[:6])
    try:
        local = datetime(year, month, day, hour, minute, second, microsecond, _zone(found))
        moment = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"is a date that no calendar has between the years 1 and 9999; allowed: {ALLOWED}") from None
    return Date(moment.replace(tzinfo=None).isoformat() + "Z", (moment - EPOCH) // timedelta(seconds=1))


def _zone(found: re.Match[str]) -> timezone:
    if found["sign"] is None:
        return UTC
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return timezone(-offset if found["sign"] == "-" else offset)
