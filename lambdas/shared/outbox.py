"""The adapter for putting messages into a queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from shared.backoff import Backoff, Patience
from shared.batching import fill
from shared.clock import Clock

BATCH_MAX_MESSAGES = 10
BATCH_MAX_BYTES = 1024 * 1024
"""SendMessageBatch takes 10 entries of 1 MiB in all, and a message has no more alone (API model)."""

TRIES = Backoff(first_seconds=0.1, most_seconds=5.0, attempts=8, budget_seconds=20.0)
"""Ends well inside the time that an invocation keeps in reserve."""

THROTTLED = frozenset({"RequestThrottled", "Throttling", "ThrottlingException", "KmsThrottled"})
SERVER_ERROR = 500
"""What the SDK has tried again in vain may succeed later (API model; API reference, "Common error types")."""


class Envelope(NamedTuple):
    """A message as a queue takes it; group and deduplication id are a FIFO queue's alone."""

    body: str
    group: str = ""
    deduplication_id: str = ""


class Untaken(Exception):
    """A queue did not take these messages of a batch, by their places in it; it may take them later."""

    def __init__(self, message: str, places: frozenset[int]) -> None:
        super().__init__(message)
        self.places = places


class TurnedAway(Untaken):
    """At least one of the messages was refused for a fault of the sender's; trying again cannot help."""


def in_batches(envelopes: Iterable[Envelope]) -> Iterator[list[Envelope]]:
    """Cut into SendMessageBatch calls of at most 10 messages and 1 MiB. A message that is larger than that stands
    alone; SQS refuses it."""
    return fill(
        envelopes, lambda envelope: len(envelope.body.encode()), most=BATCH_MAX_MESSAGES, most_bytes=BATCH_MAX_BYTES
    )


class Outbox:
    """One queue. `random` gives numbers from 0 to 1. Safe to use from several threads."""

    def __init__(self, client: Any, queue_url: str, *, clock: Clock, random: Callable[[], float]) -> None:
        self._client = client
        self._queue_url = queue_url
        self._clock = clock
        self._random = random

    def send(self, batch: Sequence[Envelope]) -> None:
        """Send at most 10 messages, again those that the queue did not take: SendMessageBatch answers for each entry,
        also where the call as a whole went well.

        Raises Untaken, and TurnedAway at once. A queue that may not be used is the SDK's own ClientError."""
        patience = Patience(TRIES, self._clock, self._random)
        left = dict(enumerate(batch))
        while True:
            reply = self._ask(left)
            failed = reply.get("Failed", [])
            left = {int(item["Id"]): left[int(item["Id"])] for item in failed}
            if not left:
                return
            for item in failed:
                if item["SenderFault"]:
                    raise TurnedAway(f"{self._queue_url} refuses a message: {_reason(item)}", frozenset(left))
            if not patience.wait():
                message = f"{self._queue_url} did not take {len(left)} messages: {_reason(failed[0])}"
                raise Untaken(message, frozenset(left))

    def _ask(self, left: dict[int, Envelope]) -> dict[str, Any]:
        entries = [_entry(place, envelope) for place, envelope in left.items()]
        try:
            reply: dict[str, Any] = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status < SERVER_ERROR and error.response["Error"]["Code"] not in THROTTLED:
                raise
            trouble: Exception = error
        except BotoCoreError as error:
            trouble = error
        else:
            return reply
        raise Untaken(f"{self._queue_url} did not answer: {trouble}", frozenset(left)) from trouble


def _entry(place: int, envelope: Envelope) -> dict[str, str]:
    entry = {"Id": str(place), "MessageBody": envelope.body}
    if envelope.group:
        entry |= {"MessageGroupId": envelope.group, "MessageDeduplicationId": envelope.deduplication_id}
    return entry


def _reason(item: dict[str, Any]) -> str:
    return f"{item['Code']}: {item.get('Message') or 'SQS gave no message'}"
