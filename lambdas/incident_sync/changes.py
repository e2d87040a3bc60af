"""Changes: each record of the incidents' stream that asks for a sync makes its incident wait for one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from incident_sync.errors import EventInvalid, StoreUnavailable
from incident_sync.fields import Fields, read_fields
from incident_sync.intake import Intake
from incident_sync.records import of_record
from incident_sync.telemetry import logger, tracer
from shared import clients
from shared.settings import setting
from shared.stream_records import answer, ids


def take_in(
    records: Sequence[Mapping[str, Any]], *, fields: Fields, intake: Intake, now: datetime
) -> Mapping[str, Any] | None:
    """Carry out what the records ask, in their order; the first one that the table did not take, None if it took all.

    What makes no sense is logged and done with: delivered again, it would make no more."""
    for record in records:
        try:
            change = of_record(record, fields)
        except EventInvalid as error:
            logger.error("record not taken in", reason=str(error), **ids(record))
            continue
        if change is None:
            continue
        try:
            taken = intake.ask(change, now)
        except StoreUnavailable as error:
            logger.error("change not taken in; the stream delivers it again", reason=str(error), **ids(record))
            return record
        if taken:
            logger.info("incident waits for a sync", incident_id=change.incident_id, change=change.sequence)
    return None


@cache
def _fields() -> Fields:
    return read_fields(os.environ)


@cache
def _intake() -> Intake:
    return Intake(clients.patient("dynamodb"), setting("INCIDENT_SYNC_TABLE"))


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return answer(take_in(event["Records"], fields=_fields(), intake=_intake(), now=datetime.now(UTC)))
