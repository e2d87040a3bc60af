"""The shapes of what the tools answer (docs/incident_sync.md, "MCP tools"): these keys and no others.

What is not known yet is null: nobody waited for it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Count = Annotated[int, Field(ge=0)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SyncCounts(Shape):
    """Incidents, counted over all passes. One that changed while it was worked is in none: it still waits."""

    successfully_synced: Count = Field(description="Written to S3, or taken away from it, and marked.")
    failed: Count = Field(description="Neither; tried again by the next sync, or set aside with a reason.")
    total_processed: Count


class LambdaExecution(Shape):
    function_name: str
    status_code: int = Field(description="HTTP status of the last Invoke: 200 done, 202 accepted.")


class ForceKbSync(Shape):
    status: Literal["completed", "started"]
    lambda_execution: LambdaExecution
    sync_results: SyncCounts | None


class IngestionStatistics(Shape):
    """Documents of the data source, as Bedrock counts them; incidents are among them."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    number_of_documents_scanned: Count
    number_of_new_documents_indexed: Count
    number_of_modified_documents_indexed: Count
    number_of_documents_deleted: Count
    number_of_documents_failed: Count


class IngestionPhase(Shape):
    """The ingestion job that covers what was written, whoever started it."""

    job_id: str
    status: str
    statistics: IngestionStatistics


class SyncAndIngest(Shape):
    status: Literal["completed", "ingesting", "started"]
    sync_phase: SyncCounts | None
    ingestion_phase: IngestionPhase | None = Field(description="Null as well where there was nothing to ingest.")
    total_duration_seconds: float | None


class Waits(Shape):
    incidents: Count
    since: str | None = Field(description="Since when the first of them waits, ISO 8601 in UTC.")


class WaitingIncidents(Shape):
    """What incidents wait for, one after the other; one that waits for nothing is in none of them."""

    sync: Waits = Field(description="To be written to S3, or taken away from it.")
    ingestion: Waits = Field(description="Written; an ingestion job has to cover it.")
    person: Waits = Field(description="Set aside: it cannot be written as it is.")


class SetAside(Shape):
    incident_id: str
    since: str
    reason: str


class SourceRequests(Shape):
    """Requests for ingestion jobs, from all who ask for the data source that the incidents are in."""

    source: str
    pending: Count = Field(description="Requests that no job has covered yet.")
    pending_since: str | None
    running_job: str | None
    last_job: str | None = Field(description="The last job that was complete.")


class Run(Shape):
    """An execution of a state machine."""

    workflow: str
    name: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float
    execution: str = Field(description="Its ARN.")


class KbSyncStatus(Shape):
    waiting: WaitingIncidents
    set_aside: list[SetAside] = Field(description="The first of those that wait for a person.")
    requests: SourceRequests
    last_run: Run | None = Field(description="The newest run of incident_sync.")


class Runs(Shape):
    runs: list[Run] = Field(description="Newest first.")
