"""What a failure destination is told of a batch that was given up: where it is in the stream, not what is in it
(developer guide, "Using a dead-letter queue with DynamoDB event sources").
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from millrace.local.event_source_mappings import Record
from millrace.local.streams.batches import arrival_of, number_of
from millrace.local.streams.service import SHARD

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"


def told(
    records: tuple[Record, ...],
    *,
    stream: str,
    function: str,
    condition: str,
    invocations: int,
    error: str | None,
    now: float,
) -> dict[str, Any]:
    """`error` is the function error of the last invocation; None where it answered, or was not run at all."""
    answered = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": error}
    return {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": function,
            "condition": condition,
            "approximateInvokeCount": invocations,
        },
        **({"responseContext": answered} if invocations else {}),
        "version": "1.0",
        "timestamp": _instant(now, "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": number_of(records[0]),
            "endSequenceNumber": number_of(records[-1]),
            "approximateArrivalOfFirstRecord": _instant(arrival_of(records[0]), "seconds"),
            "approximateArrivalOfLastRecord": _instant(arrival_of(records[-1]), "seconds"),
            "batchSize": len(records),
            "streamArn": stream,
        },
    }


def _instant(seconds: float, precision: str) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
