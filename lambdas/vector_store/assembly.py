"""The store's adapters, as Terraform's environment variables describe them. Clients are made once a container."""

from __future__ import annotations

import os
import random
from concurrent.futures import Executor
from datetime import timedelta
from functools import cache
from typing import Any

from shared.clients import patient
from shared.clock import Clock
from shared.outbox import Outbox
from shared.settings import setting
from vector_store.deltas import Deltas
from vector_store.machine import Machine
from vector_store.pointer import Pointers
from vector_store.receipts_table import ReceiptsTable
from vector_store.repair_exports import RepairExports
from vector_store.run_records import RunRecords
from vector_store.settings import whole
from vector_store.snapshots import Snapshots


def deltas(collection: str) -> Deltas:
    """What waits for a collection."""
    table, bucket = setting("VECTOR_STORE_TABLE"), setting("STORE_BUCKET")
    return Deltas(dynamodb(), s3(), table=table, bucket=bucket, collection=collection)


def snapshots(collection: str) -> Snapshots:
    """A collection's snapshots."""
    return Snapshots(s3(), setting("STORE_BUCKET"), collection)


def pointers() -> Pointers:
    """Which of them are published."""
    return Pointers(dynamodb(), setting("VECTOR_STORE_TABLE"))


def run_records() -> RunRecords:
    """What runs have done."""
    return RunRecords(s3(), setting("STORE_BUCKET"))


def machine() -> Machine:
    """Who compacts."""
    return Machine(step_functions(), setting("COMPACTION_MACHINE_ARN"))


def receipts_table() -> ReceiptsTable:
    """The receipts as they are."""
    return ReceiptsTable(dynamodb(), setting("RECEIPTS_TABLE"))


def repair_exports(pool: Executor, clock: Clock) -> RepairExports:
    """The way to the embedding worker."""
    outbox = Outbox(sqs(), setting("EMBED_NDJSON_QUEUE_URL"), clock=clock, random=random.random)
    return RepairExports(s3(), setting("STORE_BUCKET"), outbox, pool)


def dimension() -> int:
    """Numbers of a vector."""
    return whole("EMBED_DIMENSION")


def retention() -> timedelta:
    """How long a snapshot is kept."""
    return timedelta(days=whole("SNAPSHOT_RETENTION_DAYS"))


def overdue_after() -> timedelta:
    """How long a delta may wait before its collection is asked for again."""
    return timedelta(seconds=whole("OVERDUE_SECONDS"))


def settle_seconds() -> int:
    """How long a change may be on its way from the table to a delta. Without the variable a check waits for none."""
    return whole("SETTLE_SECONDS") if "SETTLE_SECONDS" in os.environ else 0


@cache
def dynamodb() -> Any:
    """DynamoDB."""
    return patient("dynamodb")


@cache
def s3() -> Any:
    """S3."""
    return patient("s3")


@cache
def sqs() -> Any:
    """SQS."""
    return patient("sqs")


@cache
def step_functions() -> Any:
    """Step Functions."""
    return patient("stepfunctions")
