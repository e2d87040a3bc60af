"""DeltaWriter: the messages of a collection's queue become deltas, and a compaction is asked for.

Order: the file, its registration, the request. A death anywhere leaves messages that come again: the same messages make
the same delta, what is registered stays as it is, and a request more costs little."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from shared.clock import Clock, SystemClock, stop_at, utc_now
from shared.settings import setting
from vector_store import assembly
from vector_store.changes import Change
from vector_store.deltas import Delta, Deltas, Unread
from vector_store.errors import ConfigurationInvalid, MessageInvalid, StoreUnavailable
from vector_store.machine import Machine
from vector_store.messages import VectorsReady, read_message
from vector_store.settings import QUEUES
from vector_store.telemetry import logger, tracer

BODY_SHOWN_CHARACTERS = 1_000
"""How much of a message that nobody understood is kept beside the reason."""

Delivery = Mapping[str, Any]


class Batch(NamedTuple):
    """What a delivery says, each part by the ids of its messages."""

    rows: dict[str, Change | Unread]
    ready: dict[str, VectorsReady]


class Writer:
    """Writes one collection's deltas."""

    def __init__(self, collection: str, deltas: Deltas, machine: Machine, clock: Clock) -> None:
        self._collection = collection
        self._deltas = deltas
        self._machine = machine
        self._clock = clock

    def write(self, deliveries: Iterable[Delivery], *, stop_at: float) -> set[str]:
        """Turn messages into deltas, and register no more vectors after `stop_at` (by `clock.monotonic`); the ids of
        those that have to come again."""
        batch = read_batch(deliveries)
        again: set[str] = set()
        if batch.rows and not self._register_changes(batch.rows):
            again |= batch.rows.keys()
        for ready, message_ids in _by_run(batch.ready):
            if self._clock.monotonic() >= stop_at or not self._register_vectors(ready):
                again |= message_ids
        if len(again) < len(batch.rows) + len(batch.ready) and not self._request():
            return {*batch.rows, *batch.ready}
        return again

    def _register_changes(self, rows: Mapping[str, Change | Unread]) -> bool:
        name = name_of(rows)
        try:
            delta = self._deltas.write(name, rows.values())
            self._register(delta)
        except StoreUnavailable as error:
            logger.error("changes not written; the queue delivers them again", delta=name, reason=str(error))
            return False
        return True

    def _register_vectors(self, ready: VectorsReady) -> bool:
        try:
            self._register(self._deltas.vectors(ready.run_id, ready.records, ready.at))
        except StoreUnavailable as error:
            logger.error("vectors not registered; the queue delivers them again", run=ready.run_id, reason=str(error))
            return False
        return True

    def _register(self, delta: Delta) -> None:
        new = self._deltas.register(delta, utc_now(self._clock))
        logger.info(
            "delta registered" if new else "delta is known",
            collection=self._collection,
            delta=delta.name,
            kind=delta.kind,
            records=delta.records,
        )

    def _request(self) -> bool:
        try:
            self._machine.request(self._collection)
        except StoreUnavailable as error:
            logger.error(
                "compaction not asked for; the queue delivers its messages again",
                collection=self._collection,
                reason=str(error),
            )
            return False
        return True


def read_batch(deliveries: Iterable[Delivery]) -> Batch:
    """Read messages. One that nobody understands becomes a row of its own: delivered again, it would make no more."""
    batch = Batch({}, {})
    for delivery in deliveries:
        message_id, body = delivery["messageId"], delivery["body"]
        try:
            message = read_message(body)
        except MessageInvalid as error:
            logger.error("message not understood", message_id=message_id, reason=str(error))
            batch.rows[message_id] = Unread(message_id, str(error), body[:BODY_SHOWN_CHARACTERS])
        else:
            if isinstance(message, VectorsReady):
                batch.ready[message_id] = message
            else:
                batch.rows[message_id] = message
    return batch


def name_of(message_ids: Iterable[str]) -> str:
    """The delta that these messages make, in whatever order they come."""
    return hashlib.sha256("\n".join(sorted(message_ids)).encode()).hexdigest()


def collection_of(queue_arn: str, queue_urls: Mapping[str, str]) -> str:
    """The collection whose queue delivers. Raises ConfigurationInvalid."""
    name = queue_arn.rpartition(":")[2]
    for collection, url in queue_urls.items():
        if url.rpartition("/")[2] == name:
            return collection
    raise ConfigurationInvalid(
        f"the queue {name} is no collection's; those that are stand in {' and '.join(QUEUES.values())}"
    )


def _by_run(ready: Mapping[str, VectorsReady]) -> list[tuple[VectorsReady, set[str]]]:
    """What was told, and by which messages: twice told is one delta."""
    found: dict[VectorsReady, set[str]] = {}
    for message_id, message in ready.items():
        found.setdefault(message, set()).add(message_id)
    return list(found.items())


def _of_queues(records: Sequence[Delivery]) -> dict[str, list[Delivery]]:
    """The deliveries of each collection."""
    urls = {collection: setting(name) for collection, name in QUEUES.items()}
    found: dict[str, list[Delivery]] = {}
    for record in records:
        found.setdefault(collection_of(record["eventSourceARN"], urls), []).append(record)
    return found


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    clock = SystemClock()
    until = stop_at(context, clock)
    again: set[str] = set()
    for collection, deliveries in _of_queues(event["Records"]).items():
        writer = Writer(collection, assembly.deltas(collection), assembly.machine(), clock)
        again |= writer.write(deliveries, stop_at=until)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(again)]}
