"""Metrics: makes metrics of the executions that have ended, and of what the clock finds pending."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from kb_sync.errors import EventInvalid, ItemInvalid
from kb_sync.executions import Executions
from kb_sync.readings import Reading, nothing_pending, of_execution, of_item
from kb_sync.table import RequestTable
from kb_sync.telemetry import NAMESPACE, SERVICE, logger, tracer
from shared import clients
from shared.emission import emit


def measure(event: dict[str, Any], *, executions: Executions, table: RequestTable, now: datetime) -> list[Reading]:
    """What the event has to say: each data source's oldest request on a tick, an execution's own counts on its end.

    Raises EventInvalid."""
    if event.get("tick") is True:
        return list(pending(table, now)) or [nothing_pending()]
    return of_execution(executions.of_event(event))


def pending(table: RequestTable, now: datetime) -> Iterator[Reading]:
    """The age of each data source's oldest request."""
    for item in table.items():
        try:
            yield of_item(item, now)
        except ItemInvalid as error:
            logger.error("item not measured", reason=str(error))


def publish(readings: Iterable[Reading]) -> None:
    """Write the readings as metrics, each without the key, for the sum over all of them, and with it."""
    by_key = defaultdict(list)
    for reading in readings:
        by_key[reading.key].append(reading)
    for key, of_key in by_key.items():
        values = [(reading.name, reading.unit, value) for reading in of_key for value in reading.values]
        emit(values, namespace=NAMESPACE, service=SERVICE, **({} if key is None else {"key": key}))


@cache
def _executions() -> Executions:
    return Executions(clients.patient("stepfunctions"))


@cache
def _table() -> RequestTable:
    return RequestTable(clients.patient("dynamodb"), os.environ["SYNC_TABLE"])


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> None:
    """Nobody reads the answer. What makes no sense is logged and done with: called again, it would make no more."""
    try:
        publish(measure(event, executions=_executions(), table=_table(), now=datetime.now(UTC)))
    except EventInvalid as error:
        logger.error(
            "event not measured", reason=str(error), event_id=event.get("id"), resources=event.get("resources")
        )
