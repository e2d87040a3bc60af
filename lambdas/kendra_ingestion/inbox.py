"""The adapter for messages that a queue delivers: reading them, putting them off, and setting those aside that nobody
can read."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from kendra_ingestion.documents import Action
from kendra_ingestion.messages import Message, NotAMessage, read
from kendra_ingestion.telemetry import logger
from shared.backoff import jittered

FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 120.0

FORWARD_MAX_BYTES = 1024 * 1024 - 8 * 1024
"""A message has 1 MiB in all (API model), with its attributes; ours have less than 8 KiB."""

REASON_MAX_CHARACTERS = 1_000


class Delivery(NamedTuple):
    """A message as a queue delivered it; `receives` counts how often, from 1."""

    message_id: str
    receipt: str
    receives: int
    body: str


class Letter(NamedTuple):
    """A delivery that could be read."""

    delivery: Delivery
    message: Message


def pause(receives: int, random: Callable[[], float]) -> int:
    """Whole seconds until a message comes back that was received so often: full jitter over 2, 4, 8 ... 120 s, and at
    least one. `random` gives numbers from 0 to 1."""
    return max(1, math.ceil(jittered(receives, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, random)))


def answer(unfinished: Iterable[Delivery]) -> dict[str, Any]:
    """What an event source mapping with ReportBatchItemFailures is told: these were not finished, the others were."""
    return {"batchItemFailures": [{"itemIdentifier": delivery.message_id} for delivery in unfinished]}


class Inbox:
    """What one function's queues deliver. Messages with another action than `actions` are not for it."""

    def __init__(self, client: Any, *, actions: Collection[Action], dead_letter_queue_url: str) -> None:
        self._client = client
        self._actions = actions
        self._dead_letter_queue_url = dead_letter_queue_url

    def open(self, event: dict[str, Any]) -> tuple[list[Letter], list[Delivery]]:
        """The messages of an event of SQS that can be read, and the deliveries that could neither be read nor set
        aside and have to come back."""
        letters, stuck = [], []
        for delivery in map(_delivery, event["Records"]):
            try:
                letters.append(Letter(delivery, self._read(delivery.body)))
            except NotAMessage as error:
                if not self._set_aside(delivery, str(error)):
                    stuck.append(delivery)
        return letters, stuck

    def put_off(self, queue_url: str, waits: Iterable[tuple[Delivery, int]]) -> None:
        """Let deliveries of this queue, at most 10, come back after so many seconds. Where that cannot be said they
        come back after the queue's visibility timeout, so a failure here is only logged."""
        entries = [
            {"Id": str(place), "ReceiptHandle": delivery.receipt, "VisibilityTimeout": seconds}
            for place, (delivery, seconds) in enumerate(waits)
        ]
        if not entries:
            return
        try:
            reply = self._client.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            logger.warning("could not put messages off", reason=str(error))
        else:
            for item in reply.get("Failed", []):
                logger.warning("could not put a message off", reason=f"{item['Code']}: {item.get('Message', '')}")

    def _read(self, body: str) -> Message:
        message = read(body)
        if message.action not in self._actions:
            raise NotAMessage(f'/action is "{message.action}"; this queue takes {" and ".join(self._actions)}')
        return message

    def _set_aside(self, delivery: Delivery, reason: str) -> bool:
        """Forward what nobody can read to where an operator finds it; False when it could not be."""
        whole = delivery.body.encode("utf-8", "replace")
        attributes = {"reason": reason[:REASON_MAX_CHARACTERS], "messageId": delivery.message_id}
        if len(whole) > FORWARD_MAX_BYTES:
            attributes["truncated"] = f"{len(whole):,} bytes"
        try:
            self._client.send_message(
                QueueUrl=self._dead_letter_queue_url,
                MessageBody=whole[:FORWARD_MAX_BYTES].decode("utf-8", "ignore"),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": _printable(value)} for name, value in attributes.items()
                },
            )
        except (ClientError, BotoCoreError) as error:
            logger.error("could not set aside a message", messageId=delivery.message_id, reason=str(error))
            return False
        logger.error("set aside a message that cannot be read", messageId=delivery.message_id, reason=reason)
        return True


def _delivery(record: dict[str, Any]) -> Delivery:
    receives = int(record["attributes"]["ApproximateReceiveCount"])
    return Delivery(record["messageId"], record["receiptHandle"], receives, record["body"])


def _printable(text: str) -> str:
    """SQS takes no control characters in an attribute."""
    return "".join(character if character.isprintable() else "?" for character in text)
