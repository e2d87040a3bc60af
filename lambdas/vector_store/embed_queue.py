"""The adapter for the queue of exports: receiving, hiding, handing back and deleting messages. And one message's try,
which is the same for both consumers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from shared.backoff import jittered
from shared.batching import cut
from shared.clock import Clock
from shared.store_errors import ask_for_all
from vector_store.embed_request import read_request
from vector_store.embed_watch import Interrupted, Watch
from vector_store.embed_worker import Worker
from vector_store.errors import MessageInvalid, StoreUnavailable
from vector_store.lease import LeaseLost
from vector_store.telemetry import logger

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0

SENSELESS_RECEIVES = 5
"""How often a message may be received that makes no sense. Its export may be on its way still; later it only keeps its
receipt's group from going on, and the queue itself is patient, because waiting for the lease is receiving, too."""

AT_ONCE = 10
"""Entries of a ChangeMessageVisibilityBatch (API model)."""


class Letter(NamedTuple):
    """A message as the queue delivered it; `receives` counts how often, from 1."""

    message_id: str
    receipt: str
    receives: int
    group: str
    body: str


class Queue:
    """The FIFO queue, and that of its dead letters."""

    def __init__(self, client: Any, url: str, dead_letters_url: str) -> None:
        self._client = client
        self._url = url
        self._dead_letters_url = dead_letters_url

    def receive(self, *, wait_seconds: int, hide_seconds: int) -> Letter | None:
        """The next message, or None when there was none for so long. It is hidden from others for `hide_seconds`.
        Raises StoreUnavailable."""
        reply = ask_for_all(
            "the queue",
            self._client.receive_message,
            QueueUrl=self._url,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=hide_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId"],
        )
        found = [
            _letter(it["MessageId"], it["ReceiptHandle"], it["Attributes"], it["Body"])
            for it in reply.get("Messages", [])
        ]
        return found[0] if found else None

    def delete(self, letter: Letter) -> None:
        """The message is done with. Where that cannot be said it comes back, and its run is found written."""
        try:
            ask_for_all("the queue", self._client.delete_message, QueueUrl=self._url, ReceiptHandle=letter.receipt)
        except StoreUnavailable as error:
            logger.warning("could not delete a message", message_id=letter.message_id, reason=str(error))

    def bury(self, letter: Letter) -> bool:
        """Copy a message to the dead letters; whether that was done, after which it can be deleted."""
        try:
            ask_for_all(
                "the dead letters",
                self._client.send_message,
                QueueUrl=self._dead_letters_url,
                MessageBody=letter.body,
                MessageGroupId=letter.group,
                MessageDeduplicationId=letter.message_id,
            )
        except StoreUnavailable as error:
            logger.warning("could not bury a message", message_id=letter.message_id, reason=str(error))
            return False
        return True

    def put_off(self, waits: Iterable[tuple[Letter, int]]) -> None:
        """Let messages come back after so many seconds each. Where that cannot be said they come back when they are
        hidden no longer, so a failure here is only logged."""
        for some in cut(waits, AT_ONCE):
            self._put_off(some)

    def _put_off(self, waits: list[tuple[Letter, int]]) -> None:
        entries = [
            {"Id": str(place), "ReceiptHandle": letter.receipt, "VisibilityTimeout": seconds}
            for place, (letter, seconds) in enumerate(waits)
        ]
        try:
            reply = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            logger.warning("could not put messages off", reason=str(error))
        else:
            for item in reply.get("Failed", []):
                message_id = waits[int(item["Id"])][0].message_id
                logger.warning("could not put a message off", message_id=message_id, reason=item["Code"])


class Hold:
    """Keeps a message hidden while it is worked: for `seconds` more, once half of them are over. Safe to use from
    several threads."""

    def __init__(self, queue: Queue, letter: Letter, *, seconds: int, clock: Clock) -> None:
        self._queue = queue
        self._letter = letter
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._since = clock.monotonic()

    def keep(self) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if now < self._since + self._seconds / 2:
                return
            self._since = now
            self._queue.put_off([(self._letter, self._seconds)])


def letters_of(event: Mapping[str, Any]) -> list[Letter]:
    """The messages of an event of SQS, in their order."""
    return [_letter(it["messageId"], it["receiptHandle"], it["attributes"], it["body"]) for it in event["Records"]]


def pause(receives: int, random: Callable[[], float]) -> int:
    """Whole seconds until a message comes back that has failed so often: full jitter over 5, 10, 20 ... 300 s, and at
    least one. `random` gives numbers from 0 to 1."""
    return max(1, math.ceil(jittered(receives, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, random)))


def attempt(queue: Queue, letter: Letter, worker: Worker, watch: Watch, random: Callable[[], float]) -> int | None:
    """Work a message. None when it is done with; or else the seconds after which it should come back.

    What makes no sense comes back a few times, and is a dead letter then. Raises LeaseLost: then no other message may
    be worked either."""
    about = {"message_id": letter.message_id, "receives": letter.receives}
    try:
        worker.work(read_request(letter.body), watch)
    except Interrupted as error:
        logger.info("a message is left for the next try", extra={**about, "reason": str(error)})
        return 0
    except LeaseLost:
        raise
    except MessageInvalid as error:
        logger.error("a message makes no sense", extra={**about, "reason": str(error)})
        if letter.receives >= SENSELESS_RECEIVES and queue.bury(letter):
            return None
    except StoreUnavailable as error:
        logger.warning("a message comes back later", extra={**about, "reason": str(error)})
    except Exception:
        logger.exception("a message failed", extra=about)
    else:
        return None
    return pause(letter.receives, random)


def _letter(message_id: str, receipt: str, attributes: Mapping[str, str], body: str) -> Letter:
    return Letter(message_id, receipt, int(attributes["ApproximateReceiveCount"]), attributes["MessageGroupId"], body)
