"""What other services are told of an execution's status: the detail of EventBridge's "Step Functions Execution Status
Change", and the metrics of CloudWatch (Step Functions developer guide).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from millrace.local.states.executions import ABORTED, FAILED, RUNNING, SUCCEEDED, TIMED_OUT, Execution

DATA_BYTES = 256_000
"""Input or output beyond this is left out: an event may have 256 KiB in all."""


ENDINGS = {
    SUCCEEDED: "ExecutionsSucceeded",
    FAILED: "ExecutionsFailed",
    ABORTED: "ExecutionsAborted",
    TIMED_OUT: "ExecutionsTimedOut",
}


def measures(execution: Execution) -> list[tuple[str, float, str]]:
    """Names, values and units of the metrics that an execution has with its present status."""
    with execution.still():
        if execution.status == RUNNING:
            return [] if execution.redrives else [("ExecutionsStarted", 1, "Count")]
        assert execution.stopped_at is not None
        seconds = (execution.stopped_at - execution.started_at).total_seconds()
        return [(ENDINGS[execution.status], 1, "Count"), ("ExecutionTime", seconds * 1000, "Milliseconds")]


def status_event(execution: Execution) -> dict[str, Any]:
    with execution.still():
        return _told(execution)


def _told(execution: Execution) -> dict[str, Any]:
    order = execution.order
    given, given_details = _data(order.input)
    output, output_details = _data(execution.output) if execution.status == SUCCEEDED else (None, None)
    refusal = execution.redrive_refusal(dt.datetime.now(dt.UTC))
    return {
        "executionArn": order.arn,
        "stateMachineArn": order.machine_arn,
        "stateMachineVersionArn": order.version_arn,
        "stateMachineAliasArn": None,
        "name": order.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.started_at),
        "stopDate": _milliseconds(execution.stopped_at),
        "input": given,
        "inputDetails": given_details,
        "output": output,
        "outputDetails": output_details,
        "error": execution.error,
        "cause": execution.cause,
        "redriveCount": execution.redrives,
        "redriveDate": _milliseconds(execution.redriven_at),
        "redriveStatus": "REDRIVABLE" if refusal is None else "NOT_REDRIVABLE",
        "redriveStatusReason": refusal,
    }


def _data(text: str | None) -> tuple[str | None, dict[str, bool]]:
    fits = text is not None and len(text.encode()) <= DATA_BYTES
    return (text if fits else None), {"included": fits}


def _milliseconds(moment: dt.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
