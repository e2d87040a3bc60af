"""The adapter for putting messages into a queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from kendra_ingestion.errors import MessageRefused, QueueUnavailable
from kendra_ingestion.messages import Envelope
from shared.backoff import Backoff, Patience
from shared.clock import Clock

TRIES = Backoff(first_seconds=0.1, most_seconds=5.0, attempts=8, budget_seconds=20.0)
"""Ends well inside the time that an invocation keeps in reserve."""

THROTTLED = frozenset({"RequestThrottled", "Throttling", "ThrottlingException", "KmsThrottled"})
SERVER_ERROR = 500
"""What the SDK has tried again in vain may succeed later (API model; API reference, "Common error types")."""


class Outbox:
    """One FIFO queue. `random` gives numbers from 0 to 1. Safe to use from several threads."""

    def __init__(self, client: Any, queue_url: str, *, clock: Clock, random: Callable[[], float]) -> None:
        self._client = client
        self._queue_url = queue_url
        self._clock = clock
        self._random = random

    def send(self, batch: Sequence[Envelope]) -> None:
        """Send at most 10 messages, again those that the queue did not take: SendMessageBatch answers for each entry,
        also where the call as a whole went well. Raises MessageRefused or QueueUnavailable."""
        patience = Patience(TRIES, self._clock, self._random)
        left = {str(place): envelope for place, envelope in enumerate(batch)}
        while True:
            reply = self._ask([_entry(place, envelope) for place, envelope in left.items()])
            failed = reply.get("Failed", [])
            for item in failed:
                if item["SenderFault"]:
                    raise MessageRefused(f"{self._queue_url} refuses a message: {_reason(item)}")
            left = {item["Id"]: left[item["Id"]] for item in failed}
            if not left:
                return
            if not patience.wait():
                raise QueueUnavailable(f"{self._queue_url} did not take {len(left)} messages: {_reason(failed[0])}")

    def _ask(self, entries: list[dict[str, str]]) -> dict[str, Any]:
        try:
            return self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status < SERVER_ERROR and error.response["Error"]["Code"] not in THROTTLED:
                raise
            trouble: Exception = error
        except BotoCoreError as error:
            trouble = error
        raise QueueUnavailable(f"{self._queue_url} did not answer: {trouble}") from trouble


def _entry(place: str, envelope: Envelope) -> dict[str, str]:
    return {
        "Id": place,
        "MessageBody": envelope.body,
        "MessageGroupId": envelope.group,
        "MessageDeduplicationId": envelope.deduplication_id,
    }


def _reason(item: dict[str, Any]) -> str:
    return f"{item['Code']}: {item.get('Message') or 'SQS gave no message'}"
