"""Measure: a run's own counts as metrics, and how many incidents wait for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from incident_sync import assembly
from incident_sync.errors import EventInvalid, StoreUnavailable
from incident_sync.events import moment
from incident_sync.items import PERSON
from incident_sync.queue import Queue
from incident_sync.telemetry import NAMESPACE, SERVICE, logger, tracer
from shared.emission import Value, emit


def measure(event: Mapping[str, Any], *, queue: Queue, now: datetime) -> tuple[list[Value], float]:
    """A run's metrics, and how many seconds it took.

    Where the table cannot be asked how many wait for a person, the run is measured without. Raises EventInvalid."""
    values = list(of_run(event, now))
    try:
        values.append(("IncidentsSetAside", MetricUnit.Count, queue.count(PERSON)))
    except StoreUnavailable as error:
        logger.error("incidents set aside not counted", reason=str(error))
    return values, seconds_of(event, now)


def of_run(event: Mapping[str, Any], now: datetime) -> Iterator[Value]:
    """What a run says of itself; zeros too, so that an alarm can tell a good run from none. Raises EventInvalid."""
    try:
        sync, ingestion = event["sync"], event["ingestion"]
        errors = sync["failed"] + ingestion["failed"] + (event["status"] != "completed")
        yield "IncidentsSynced", MetricUnit.Count, sync["synced"] + sync["removed"]
        yield "SyncErrors", MetricUnit.Count, errors
        yield "SyncDuration", MetricUnit.Seconds, seconds_of(event, now)
        yield "IngestionJobsStarted", MetricUnit.Count, int(ingestion["requested"])
        yield "IngestionJobsCompleted", MetricUnit.Count, int(ingestion["job"] is not None)
    except (KeyError, TypeError) as error:
        raise EventInvalid(f"the event is not one of a run: {error!r}") from error


def seconds_of(event: Mapping[str, Any], now: datetime) -> float:
    """How long the run has taken, with milliseconds. Raises EventInvalid."""
    return max(round((now - moment(event, "startedAt")).total_seconds(), 3), 0.0)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    values, seconds = measure(event, queue=assembly.queue(), now=datetime.now(UTC))
    emit(values, namespace=NAMESPACE, service=SERVICE)
    return {"seconds": seconds}
