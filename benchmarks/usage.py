"""What a run used of AWS, counted from what happened, and what that costs.

Prices are those of US East (N. Virginia) in US dollars, of each service's pricing page in 2026: the first tier, without
what is free each month. Counted are the history's states, Lambda's own log of each invocation (REPORT), and the calls
that the pipeline's roles made. Where the call log says less, the most is taken: each write to a table is one of a
transaction, each read of many items reads a hundred. Items have less than 1 KB, messages of one batch less than 64 KB.
Left out are storage, logs, traces, events, the notification, the polling of empty queues, and the sink's own price.

Lambda's seconds are this machine's, beside an emulated AWS on the same cores.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from millrace.executions.view import RunView


class Resource(StrEnum):
    """What is paid for."""

    TRANSITIONS = "Step Functions, state transitions"
    INVOCATIONS = "Lambda, requests"
    GIGABYTE_SECONDS = "Lambda, GB-seconds"
    QUEUE_REQUESTS = "SQS, requests"
    TABLE_WRITES = "DynamoDB, write units"
    TABLE_READS = "DynamoDB, read units"
    STORE_WRITES = "S3, writes and lists"
    STORE_READS = "S3, reads"

    @property
    def service(self) -> str:
        return self.value.partition(",")[0]


PRICES: Mapping[Resource, float] = {
    Resource.TRANSITIONS: 0.025 / 1_000,  # standard workflows
    Resource.INVOCATIONS: 0.20 / 1_000_000,
    Resource.GIGABYTE_SECONDS: 0.0000133334,  # arm64
    Resource.QUEUE_REQUESTS: 0.50 / 1_000_000,  # FIFO; a request of up to 64 KB, whole batches included
    Resource.TABLE_WRITES: 0.625 / 1_000_000,  # on demand, since November 2024
    Resource.TABLE_READS: 0.125 / 1_000_000,  # the same
    Resource.STORE_WRITES: 0.005 / 1_000,  # PUT, COPY, POST, LIST of the Standard class
    Resource.STORE_READS: 0.0004 / 1_000,  # GET, HEAD
}
"""Dollars for one of each."""

AMOUNTS: Mapping[str, tuple[Resource, float]] = {
    "dynamodb:PutItem": (Resource.TABLE_WRITES, 2),  # two units where it is part of a transaction
    "dynamodb:UpdateItem": (Resource.TABLE_WRITES, 2),
    "dynamodb:DeleteItem": (Resource.TABLE_WRITES, 2),
    "dynamodb:ConditionCheckItem": (Resource.TABLE_WRITES, 2),
    "dynamodb:GetItem": (Resource.TABLE_READS, 1),
    "dynamodb:BatchGetItem": (Resource.TABLE_READS, 100),
    "dynamodb:Query": (Resource.TABLE_READS, 100),
    "sqs:SendMessage": (Resource.QUEUE_REQUESTS, 1),
    "sqs:ReceiveMessage": (Resource.QUEUE_REQUESTS, 1),
    "sqs:DeleteMessage": (Resource.QUEUE_REQUESTS, 1),
    "sqs:ChangeMessageVisibility": (Resource.QUEUE_REQUESTS, 1),
    "s3:PutObject": (Resource.STORE_WRITES, 1),
    "s3:ListBucket": (Resource.STORE_WRITES, 1),
    "s3:GetObject": (Resource.STORE_READS, 1),
}
"""What one call of an action uses, by its name in policies, which is also that of its batches (`sqs:SendMessage`)."""

REPORT = re.compile(r"REPORT RequestId: .*\tBilled Duration: (\d+) ms\tMemory Size: (\d+) MB")


def used(view: RunView, log: Iterable[str], calls: Iterable[Mapping[str, Any]]) -> dict[Resource, float]:
    """What one execution used; `log` has its functions' log lines, `calls` is as `Instance.calls` has it."""
    found: defaultdict[Resource, float] = defaultdict(float)
    found[Resource.TRANSITIONS] += sum(1 + visit.retries for visit in view.visits)
    for report in filter(None, map(REPORT.match, log)):
        milliseconds, megabytes = map(int, report.groups())
        found[Resource.INVOCATIONS] += 1
        found[Resource.GIGABYTE_SECONDS] += milliseconds / 1_000 * megabytes / 1_024
    for call in calls:
        if call["allowed"] and call["action"] in AMOUNTS:
            resource, amount = AMOUNTS[call["action"]]
            found[resource] += amount * call["count"]
    return dict(found)


def costs(found: Mapping[Resource, float]) -> dict[str, float]:
    """Dollars by service."""
    total: defaultdict[str, float] = defaultdict(float)
    for resource, amount in found.items():
        total[resource.service] += amount * PRICES[resource]
    return dict(total)
