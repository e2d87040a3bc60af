"""Event source mappings from streams to functions: their settings, and what Lambda refuses of them.

* InvalidMapping     the root (event_source_mappings): Lambda does not take the mapping
  - NoStream         there is no such stream
  - NoAccess         the function's role may not read the stream
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from millrace.local.event_source_mappings import (
    AlreadyMapped,
    Asked,
    InvalidMapping,
    check_response_types,
    reports_failures,
)
from millrace.local.targets import service_of

READS = ("GetRecords", "GetShardIterator", "DescribeStream")
"""What the function's role must be allowed on the stream, and ListStreams on `*` (Lambda developer guide)."""
BATCH_SIZE, MOST_RECORDS = 100, 10_000
WINDOW_SECONDS = 300
MOST_RETRIES = 10_000
LEAST_AGE_SECONDS, MOST_AGE_SECONDS = 60, 604_800
FOR_EVER = -1
DEFAULTS: dict[str, Any] = {
    "BatchSize": BATCH_SIZE,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "BisectBatchOnFunctionError": False,
    "MaximumRecordAgeInSeconds": FOR_EVER,
    "MaximumRetryAttempts": FOR_EVER,
    "DestinationConfig": {"OnFailure": {}},
}
"""Of a mapping that says nothing (API reference)."""
POSITIONS = ("LATEST", "TRIM_HORIZON")


class NoStream(InvalidMapping):
    def __init__(self, stream: str) -> None:
        super().__init__(f"Stream not found: {stream}")


class NoAccess(InvalidMapping):
    def __init__(self, stream: str) -> None:
        super().__init__(
            f"Cannot access stream {stream}. Please ensure the role can perform the GetRecords, GetShardIterator, "
            "DescribeStream, and ListStreams Actions on your stream in IAM."
        )


@dataclass(frozen=True)
class Settings:
    """`retries` and `age` (seconds) are None where a batch is tried until its records leave the stream; `destination`
    is the ARN of the queue that is told of batches that are given up, if any is.
    """

    size: int = BATCH_SIZE
    window: float = 0
    bisects: bool = False
    reports: bool = False
    retries: int | None = None
    age: float | None = None
    destination: str | None = None

    @classmethod
    def of(cls, mapping: Asked) -> Settings:
        told = {**DEFAULTS, **mapping}
        retries, age = told["MaximumRetryAttempts"], told["MaximumRecordAgeInSeconds"]
        return cls(
            size=int(told["BatchSize"]),
            window=float(told["MaximumBatchingWindowInSeconds"]),
            bisects=bool(told["BisectBatchOnFunctionError"]),
            reports=reports_failures(told),
            retries=None if retries == FOR_EVER else int(retries),
            age=None if age == FOR_EVER else float(age),
            destination=destination_of(told),
        )


def destination_of(mapping: Asked) -> str | None:
    return ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")


def check(mapping: Asked) -> None:
    """Raise InvalidMapping if Lambda does not take these settings for a stream of DynamoDB."""
    source = mapping["EventSourceArn"]
    position = mapping.get("StartingPosition")
    if position is None:
        raise _constraint("null", "startingPosition", "Member must not be null")
    if position not in POSITIONS:
        raise InvalidMapping(f"Unsupported starting position for arn type: {source}")
    check_response_types(mapping)
    _check_range(mapping, "BatchSize", 1, MOST_RECORDS)
    _check_range(mapping, "MaximumBatchingWindowInSeconds", 0, WINDOW_SECONDS)
    _check_range(mapping, "MaximumRetryAttempts", FOR_EVER, MOST_RETRIES)
    _check_range(mapping, "MaximumRecordAgeInSeconds", FOR_EVER, MOST_AGE_SECONDS)
    if FOR_EVER < mapping["MaximumRecordAgeInSeconds"] < LEAST_AGE_SECONDS:
        raise InvalidMapping(
            f"MaximumRecordAgeInSeconds must be {FOR_EVER} or between {LEAST_AGE_SECONDS} and {MOST_AGE_SECONDS}."
        )
    for name, known in (("ParallelizationFactor", 1), ("TumblingWindowInSeconds", 0)):
        if (mapping.get(name) or known) != known:
            raise InvalidMapping(f"The embedded AWS does not emulate {name} of a stream's mapping above {known}.")
    destination = destination_of(mapping)
    if destination and (service_of(destination) != "sqs" or destination.endswith(".fifo")):
        raise InvalidMapping(f"The embedded AWS's failure destinations are standard queues; {destination} is none.")


def _check_range(mapping: Asked, name: str, least: int, most: int) -> None:
    value = mapping[name]
    member = name[0].lower() + name[1:]
    if value < least:
        raise _constraint(f"'{value}'", member, f"Member must have value greater than or equal to {least}")
    if value > most:
        raise _constraint(f"'{value}'", member, f"Member must have value less than or equal to {most}")


def _constraint(value: str, member: str, rule: str) -> InvalidMapping:
    return InvalidMapping(
        f"1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {rule}"
    )


def already(stream: str, function: str, mapping: str) -> AlreadyMapped:
    return AlreadyMapped(
        f'The event source arn (" {stream} ") and function (" {function} ") provided mapping already exists. '
        f"Please update or delete the existing mapping with UUID {mapping}"
    )
