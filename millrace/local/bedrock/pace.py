"""How fast Bedrock lets calls through: those about ingestion jobs, and those of a model, have quotas of their own."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.local import pace

STARTS = frozenset({"StartIngestionJob"})
READS = frozenset({"GetIngestionJob", "ListIngestionJobs"})
INVOCATIONS = frozenset({"InvokeModel"})


@dataclass
class Pace(pace.Pace):
    """`ingestion_seconds` is how long an ingestion job takes at least; starts and reads are of all jobs of a region,
    and so are invocations of a model."""

    ingestion_seconds: float
    ingestion_starts_per_second: float
    ingestion_reads_per_second: float
    invocations_per_second: float

    def requests_per_second_of(self, operation: str) -> float:
        if operation in STARTS:
            return self.ingestion_starts_per_second
        if operation in READS:
            return self.ingestion_reads_per_second
        if operation in INVOCATIONS:
            return self.invocations_per_second
        return self.requests_per_second
