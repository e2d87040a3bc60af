"""DeadLetterWorker: account for messages that were received too often without being finished.

Each document of such a message keeps the outcome that a worker wrote before it died, or becomes the row that one
without an outcome gets in any case. So the report is the same whichever way a job was run, and the machine does not
wait for a message that nobody will finish."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from kendra_ingestion import aws
from kendra_ingestion.account import Account, ids
from kendra_ingestion.assembly import account_of
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.inbox import Inbox, Letter, answer
from kendra_ingestion.messages import Message
from kendra_ingestion.outcomes import NOT_PROCESSED, failed, latest
from kendra_ingestion.settings import read_queue_settings, read_settings
from kendra_ingestion.telemetry import logger, metrics, tracer
from shared.clock import SystemClock


def work(
    event: dict[str, Any], *, inbox: Inbox, account_of: Callable[[Message], Account], pool: Executor
) -> dict[str, Any]:
    """Account for an event's messages, and answer which of them have to come back."""
    letters, stuck = inbox.open(event)
    finished = pool.map(lambda letter: _finish(letter, account_of(letter.message)), letters)
    unfinished = [letter.delivery for letter, done in zip(letters, finished, strict=True) if not done]
    return answer(unfinished + stuck)


def bury(message: Message, account: Account) -> None:
    """Account for one message, unless that is somebody else's: it was counted before, its job was stopped and is to
    send it again, or a later attempt has sent it again."""
    if account.is_settled(message):
        account.close()
    elif account.workspace.stopped():
        account.close_early()
    elif account.progress.own_token() is None:
        logger.info("left to the attempt that has taken over", extra=ids(message))
    else:
        logger.error("gave a message up", extra=ids(message))
        saved = account.workspace.sends(message.chunk, message.request)
        known = latest(message.document_ids, saved, verdicts=())
        account.settle(
            message,
            [found or failed(name, FailureCode.NOT_PROCESSED, NOT_PROCESSED) for name, found in known.items()],
        )


def _finish(letter: Letter, account: Account) -> bool:
    try:
        bury(letter.message, account)
    except Exception:
        logger.exception("a message failed", extra=ids(letter.message))
        return False
    return True


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    settings, queues, clock = read_settings(os.environ), read_queue_settings(os.environ), SystemClock()
    with ThreadPoolExecutor(aws.CONNECTIONS) as pool:
        return work(
            event,
            inbox=Inbox(aws.sqs(), actions=("put", "delete"), dead_letter_queue_url=queues.dead_letter_queue_url),
            account_of=lambda message: account_of(settings, queues, message.job, clock),
            pool=pool,
        )
