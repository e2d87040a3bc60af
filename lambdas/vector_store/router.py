"""Router: what the stream of the table of receipts tells goes to the queues of the collections, as changes.

A message that was sent may be sent again, and in another order: order lives in the changes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from shared.clients import patient
from shared.clock import SystemClock
from shared.outbox import BATCH_MAX_BYTES, Envelope, Outbox, Untaken, in_batches
from shared.settings import setting
from shared.stream_records import RecordInvalid, ViewInvalid, answer, ids, read_record
from vector_store.errors import ConfigurationInvalid, EventInvalid
from vector_store.messages import Message, body_of
from vector_store.receipts import told_by
from vector_store.settings import QUEUES, choice
from vector_store.telemetry import logger, tracer

STANDARD, FIFO = "standard", "fifo"
MODES = (STANDARD, FIFO)

Record = Mapping[str, Any]


class Sent(NamedTuple):
    """A message, and the place of its record among those that were delivered."""

    place: int
    envelope: Envelope


def route(records: Sequence[Record], outboxes: Mapping[str, Outbox], *, fifo: bool) -> Record | None:
    """Send what the records tell each collection; the first record that a queue did not take, None if all were taken.

    What makes no sense is logged and done with: delivered again, it would make no more. Raises ConfigurationInvalid
    where the stream does not carry both images."""
    letters: dict[str, list[Sent]] = {collection: [] for collection in outboxes}
    for place, record in enumerate(records):
        for collection, message in _told(record).items():
            envelope = sealed(message, collection, fifo=fifo)
            if len(envelope.body.encode()) > BATCH_MAX_BYTES:
                logger.error("change not routed", reason="it is larger than a message of SQS can be", **ids(record))
            else:
                letters[collection].append(Sent(place, envelope))
    failed = min((place for name, sent in letters.items() for place in _send(sent, outboxes[name])), default=None)
    return None if failed is None else records[failed]


def sealed(message: Message, collection: str, *, fifo: bool) -> Envelope:
    """A message as the queue takes it. A FIFO queue drops the same change for five minutes, and keeps one group a
    collection."""
    body = body_of(message)
    if not fifo:
        return Envelope(body)
    return Envelope(body, f"compaction:{collection}", hashlib.sha256(body.encode()).hexdigest())


def _told(record: Record) -> dict[str, Message]:
    try:
        return told_by(read_record(record))
    except (RecordInvalid, EventInvalid) as error:
        logger.error("record not routed", reason=str(error), **ids(record))
        return {}
    except ViewInvalid as error:
        raise ConfigurationInvalid(str(error)) from error


def _send(letters: Sequence[Sent], outbox: Outbox) -> Iterator[int]:
    """Send in the records' order; the place of the first record whose message was not taken. What follows the batch
    with it comes again with it."""
    start = 0
    for batch in in_batches(letter.envelope for letter in letters):
        try:
            outbox.send(batch)
        except Untaken as error:
            logger.error("messages not taken; the stream delivers them again", reason=str(error))
            yield letters[start + min(error.places)].place
            return
        start += len(batch)


@cache
def _outboxes() -> dict[str, Outbox]:
    client = patient("sqs")
    return {
        collection: Outbox(client, setting(name), clock=SystemClock(), random=random.random)
        for collection, name in QUEUES.items()
    }


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    fifo = choice("QUEUE_MODE", MODES) == FIFO
    return answer(route(event["Records"], _outboxes(), fifo=fifo))
