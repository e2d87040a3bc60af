"""Producer: put a run's plan into the queues, one message a request, and note how many there are.

ProcessBatches waits with a token until every message is accounted for. The token is noted first and the number last:
whoever counts the last message finds both, and if that was before the number was known, the producer itself answers.
Called again, by a retry, a redrive or a later attempt, it sends what is not accounted for and ends the same."""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from kendra_ingestion import aws
from kendra_ingestion.account import Account
from kendra_ingestion.assembly import account_of, job_of
from kendra_ingestion.brake import Brake
from kendra_ingestion.documents import Action, JobKey
from kendra_ingestion.errors import QueueingUnfinished
from kendra_ingestion.messages import messages_of, sealed
from kendra_ingestion.outbox import Outbox
from kendra_ingestion.settings import read_queue_settings, read_settings
from kendra_ingestion.telemetry import logger, metrics, tracer
from shared.clock import Clock, SystemClock, stop_at
from shared.outbox import Envelope, in_batches

CALLS_UNDER_WAY = 8
"""More would pass the 300 calls a second that a FIFO queue takes without high throughput (SQS quotas)."""


def produce(
    job: JobKey,
    *,
    bucket: str,
    token: str,
    account: Account,
    outboxes: Mapping[Action, Outbox],
    shards: Mapping[Action, int],
    pool: Executor,
    clock: Clock,
    stop_at: float,
) -> None:
    """Send every request of the plan that is not accounted for. Raises QueueingUnfinished, QueueUnavailable or
    MessageRefused; what was sent stays sent."""
    workspace, progress = account.workspace, account.progress
    progress.open(token)
    brake = Brake(workspace.stopped, clock)
    done = progress.counted()
    planned = sent = 0
    under_way: deque[Future[None]] = deque()
    for number in range(len(workspace.plan()["chunks"])):
        if brake.pulled():
            break
        chunk = workspace.chunk(number)
        planned += len(chunk["requests"])
        messages = (item for item in messages_of(chunk, job, bucket) if (item.chunk, item.request) not in done)
        envelopes: Iterator[Envelope] = (sealed(item, shards[chunk["action"]]) for item in messages)
        for batch in in_batches(envelopes):
            if clock.monotonic() >= stop_at:
                raise QueueingUnfinished(f"{sent:,} messages are sent, up to chunk {number}; the time is up")
            if len(under_way) == CALLS_UNDER_WAY:
                under_way.popleft().result()
            under_way.append(pool.submit(outboxes[chunk["action"]].send, batch))
            sent += len(batch)
    for call in under_way:
        call.result()
    if brake.pulled():
        logger.info("the job was stopped", sent=sent)
        account.close_early()
        return
    progress.expect(planned)
    logger.info("queued", sent=sent, countedBefore=len(done), messages=planned)
    account.close()


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    settings, queues, clock = read_settings(os.environ), read_queue_settings(os.environ), SystemClock()
    job = job_of(event)
    means: dict[str, Any] = {"clock": clock, "random": random.random}
    with ThreadPoolExecutor(CALLS_UNDER_WAY) as pool:
        produce(
            job,
            bucket=event["bucket"],
            token=event["token"],
            account=account_of(settings, queues, job, clock),
            outboxes={
                "put": Outbox(aws.sqs(), queues.put_queue_url, **means),
                "delete": Outbox(aws.sqs(), queues.delete_queue_url, **means),
            },
            shards={"put": queues.shards_put, "delete": queues.shards_delete},
            pool=pool,
            clock=clock,
            stop_at=stop_at(context, clock),
        )
