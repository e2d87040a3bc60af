"""The settings of one embedded AWS. They travel in a file, so that no variable of them reaches a Lambda function."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FILE = "options.json"


@dataclass(frozen=True)
class Options:
    """What a started instance is told.

    `kendra_requests_per_second` limits each batch operation of each index (AWS publishes no figure).
    `kendra_indexing_seconds` is how long an accepted document, or a delete, stays PROCESSING;
    `kendra_creating_seconds` how long a new index is CREATING, and a deleted one DELETING. The same of knowledge bases
    is `bedrock_...`; there a region has the quota of an operation (on AWS 5 requests a second, quotas page). An
    ingestion job takes at least `bedrock_ingestion_seconds`; `bedrock_ingestion_starts_per_second` is how many may be
    started and `bedrock_ingestion_reads_per_second` how often they may be got or listed (on AWS 0.1 and 10, quotas
    page); `bedrock_invocations_per_second` how often a model may be invoked (on AWS a quota a minute, another in each
    region). `stream_retry_seconds` is the pause before a stream's batch that a function failed at is tried again; it
    doubles with each failure, up to five times as long (AWS publishes no figure).
    """

    region: str = "us-east-1"
    account: str = "123456789012"
    enforce_iam: bool = True
    kendra_requests_per_second: float = 50.0
    kendra_indexing_seconds: float = 0.2
    kendra_creating_seconds: float = 0.2
    bedrock_requests_per_second: float = 50.0
    bedrock_indexing_seconds: float = 0.2
    bedrock_creating_seconds: float = 0.2
    bedrock_ingestion_seconds: float = 1.0
    bedrock_ingestion_starts_per_second: float = 10.0
    bedrock_ingestion_reads_per_second: float = 100.0
    bedrock_invocations_per_second: float = 200.0
    stream_retry_seconds: float = 0.1
    log_level: str = "WARNING"

    def __post_init__(self) -> None:
        """Raises ValueError for a setting that cannot be."""
        if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", self.region):
            raise ValueError(f"region: {self.region!r} is not the name of an AWS region")
        if not re.fullmatch(r"\d{12}", self.account):
            raise ValueError(f"account: {self.account!r} is not 12 digits")
        for setting, value in asdict(self).items():
            if setting.endswith("_per_second") and value <= 0:
                raise ValueError(f"{setting} must be more than 0")
            if setting.endswith("_seconds") and value < 0:
                raise ValueError(f"{setting} must not be negative")

    def write(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Options:
        """Raises ValueError when the file holds a setting that this version does not know."""
        given = json.loads((folder / FILE).read_text(encoding="utf-8"))
        unknown = given.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"{folder / FILE} holds unknown settings: {', '.join(sorted(unknown))}")
        return cls(**given)
