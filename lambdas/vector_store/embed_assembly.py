"""The embedding worker's parts, as environment variables describe them; Terraform sets these. Clients are made once a
container."""

from __future__ import annotations

import math
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache
from typing import Any

from shared.clients import client, patient
from shared.clock import Clock
from shared.settings import setting
from vector_store.embed_files import Exports, Folder
from vector_store.embed_queue import Queue
from vector_store.embed_runs import Runs
from vector_store.embed_worker import Means, Worker
from vector_store.lease import Holder, Lease
from vector_store.places import vectors_prefix
from vector_store.settings import number
from vector_store.titan import DIMENSIONS, HASTY, Rate, Titan

CONCURRENCY_MAX = 64
ANSWER_SECONDS = 10
"""Titan embeds a text within a second; what is under way at the end of a grace period ends within this."""


def concurrency() -> int:
    """How many calls to Bedrock may be under way at once."""
    return number(
        "EMBED_CONCURRENCY",
        int,
        f"a whole number from 1 to {CONCURRENCY_MAX}",
        range(1, CONCURRENCY_MAX + 1).__contains__,
    )


def dimension() -> int:
    """Numbers of a vector."""
    return number("EMBED_DIMENSION", int, f"one of {DIMENSIONS}", DIMENSIONS.__contains__)


def worker(clock: Clock, pool: Executor) -> Worker:
    """The worker, whose calls to Bedrock go through the pool."""
    rate = number("EMBED_REQUESTS_PER_SECOND", float, "a number from 1", lambda value: 1 <= value < math.inf)
    bucket, numbers = setting("STORE_BUCKET"), dimension()
    return Worker(
        Means(
            Exports(s3()),
            lambda collection, run_id: Folder(s3(), bucket, vectors_prefix(collection, run_id), dimension=numbers),
            Runs(dynamodb(), setting("RECEIPTS_TABLE")),
            Titan(bedrock_runtime(), dimension=numbers, rate=Rate(rate, clock), pool=pool, clock=clock),
            clock,
        )
    )


def asking_titan(clock: Clock) -> Titan:
    """The model as it is asked for one text at a time, by somebody who waits."""
    return Titan(
        bedrock_runtime(),
        dimension=dimension(),
        rate=Rate(math.inf, clock),
        pool=ThreadPoolExecutor(1),
        clock=clock,
        backoff=HASTY,
    )


def lease(holder: Holder, clock: Clock) -> Lease:
    """The right to work the queue."""
    return Lease(dynamodb(), setting("VECTOR_STORE_TABLE"), holder, clock=clock)


def queue() -> Queue:
    """The queue of exports."""
    return Queue(sqs(), setting("EMBED_NDJSON_QUEUE_URL"), setting("EMBED_DEAD_LETTERS_URL"))


@cache
def s3() -> Any:
    """S3, retried by the SDK."""
    return patient("s3")


@cache
def sqs() -> Any:
    """SQS, retried by the SDK."""
    return patient("sqs")


@cache
def dynamodb() -> Any:
    """DynamoDB, which gives up while a lease still lasts."""
    return client("dynamodb", retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=3, read_timeout=5)


@cache
def bedrock_runtime() -> Any:
    """Bedrock, never retried by the SDK: each try goes through the rate."""
    return client(
        "bedrock-runtime",
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=CONCURRENCY_MAX,
        connect_timeout=5,
        read_timeout=ANSWER_SECONDS,
    )
