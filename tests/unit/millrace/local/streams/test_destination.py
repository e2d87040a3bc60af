from __future__ import annotations

from typing import Any

from millrace.local.streams import destination

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-22T13:00:00.000"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:changes"
RECORDS = tuple(
    {"dynamodb": {"SequenceNumber": str(number), "ApproximateCreationDateTime": at, "NewImage": {"secret": {"S": "x"}}}}
    for number, at in ((111, 1_795_352_400), (222, 1_795_352_460))
)


def told(**more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"condition": destination.RETRIES_EXHAUSTED, "invocations": 3, "error": "Unhandled"}
    return destination.told(RECORDS, stream=STREAM, function=FUNCTION, now=1_795_352_500.25, **{**given, **more})


def test_a_destination_is_told_where_the_batch_is_and_not_what_is_in_it() -> None:
    message = told()
    assert len(message["requestContext"].pop("requestId")) == 36
    assert message == {
        "requestContext": {
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-11-22T13:01:40.250Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000000000000000000-00000000",
            "startSequenceNumber": "111",
            "endSequenceNumber": "222",
            "approximateArrivalOfFirstRecord": "2026-11-22T13:00:00Z",
            "approximateArrivalOfLastRecord": "2026-11-22T13:01:00Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }


def test_records_that_were_too_old_to_be_tried_have_no_response() -> None:
    message = told(condition=destination.TOO_OLD, invocations=0, error=None)
    assert "responseContext" not in message
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
