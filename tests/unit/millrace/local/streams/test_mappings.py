from __future__ import annotations

from typing import Any

import pytest

from millrace.local.event_source_mappings import InvalidMapping
from millrace.local.streams.mappings import DEFAULTS, Settings, check

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-22T13:00:00.000"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:dead"


def mapping(**settings: Any) -> dict[str, Any]:
    return {**DEFAULTS, "EventSourceArn": STREAM, "StartingPosition": "LATEST", **settings}


def to(destination: str) -> dict[str, Any]:
    return {"OnFailure": {"Destination": destination}}


def test_a_mapping_that_says_nothing_tries_for_ever() -> None:
    assert Settings.of(mapping()) == Settings(size=100, retries=None, age=None, destination=None)


def test_settings_are_what_the_mapping_says() -> None:
    told = mapping(
        BatchSize=5,
        MaximumBatchingWindowInSeconds=1,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=0,
        MaximumRecordAgeInSeconds=21_600,
        DestinationConfig=to(QUEUE),
    )
    check(told)
    assert Settings.of(told) == Settings(5, 1.0, True, True, 0, 21_600.0, QUEUE)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"StartingPosition": None}, "Value null at 'startingPosition' failed to satisfy constraint"),
        ({"StartingPosition": "AT_TIMESTAMP"}, f"Unsupported starting position for arn type: {STREAM}"),
        (
            {"BatchSize": 10_001},
            "Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less",
        ),
        ({"BatchSize": 0}, "Value '0' at 'batchSize' failed to satisfy constraint: Member must have value greater"),
        ({"MaximumBatchingWindowInSeconds": 301}, "at 'maximumBatchingWindowInSeconds'"),
        ({"MaximumRetryAttempts": 10_001}, "at 'maximumRetryAttempts'"),
        ({"MaximumRecordAgeInSeconds": 604_801}, "at 'maximumRecordAgeInSeconds'"),
        ({"MaximumRecordAgeInSeconds": 59}, "must be -1 or between 60 and 604800"),
        ({"FunctionResponseTypes": ["Any"]}, "FunctionResponseTypes may only hold ReportBatchItemFailures"),
        ({"ParallelizationFactor": 2}, "does not emulate ParallelizationFactor"),
        ({"TumblingWindowInSeconds": 30}, "does not emulate TumblingWindowInSeconds"),
        ({"DestinationConfig": to("arn:aws:sns:us-east-1:123456789012:topic")}, "destinations are standard queues"),
        ({"DestinationConfig": to(f"{QUEUE}.fifo")}, "destinations are standard queues"),
    ],
)
def test_what_cannot_be_is_refused_by_name(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidMapping) as refused:
        check(mapping(**settings))
    assert words in str(refused.value)
