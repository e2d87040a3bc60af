"""What waits in a table, counted, and times as the tables keep them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Backlog:
    """How many wait for one thing, and since when the oldest of them does (ISO 8601; None: none waits)."""

    number: int
    oldest: str | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def timestamp(now: datetime) -> str:
    """As the tables keep times: ISO 8601 UTC with milliseconds."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
