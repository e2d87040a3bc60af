"""State machines, their revisions and their published versions."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

NO_LOGGING = {"level": "OFF", "includeExecutionData": False}
NO_TRACING = {"enabled": False}
OWNED_KEY = {"type": "AWS_OWNED_KEY"}


@dataclass(frozen=True)
class Revision:
    """What an execution runs: it does not change while it runs, and a redrive runs it again."""

    definition: str
    role: str
    logging: dict[str, Any]
    tracing: dict[str, Any]
    encryption: dict[str, Any]
    id: str = ""
    """Empty for the first one: AWS gives an id only once a machine has been updated."""
    updated_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    def changed(self, **fields: Any) -> Revision:
        """The revision that an update makes; itself, but for the time, when nothing differs."""
        given = {name: value for name, value in fields.items() if value is not None}
        now = dt.datetime.now(dt.UTC)
        if all(getattr(self, name) == value for name, value in given.items()):
            return replace(self, updated_at=now)
        return replace(self, **given, id=str(uuid.uuid4()), updated_at=now)


@dataclass(frozen=True)
class Version:
    """A published version: one revision under a number that is never used again."""

    arn: str
    revision: Revision
    description: str | None
    created_at: dt.datetime


@dataclass
class Machine:
    arn: str
    name: str
    type: str
    revision: Revision
    created_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    versions: dict[int, Version] = field(default_factory=dict)
    published: int = 0

    def publish(self, description: str | None) -> Version:
        """The version of the current revision: a new one, unless that revision is published already."""
        latest = self.versions.get(self.published)
        if latest is not None and latest.revision.id == self.revision.id:
            return latest
        self.published += 1
        version = Version(f"{self.arn}:{self.published}", self.revision, description, dt.datetime.now(dt.UTC))
        self.versions[self.published] = version
        return version
