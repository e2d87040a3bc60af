"""The Lambda consumer of the queue of exports. It works a batch only if it gets the lease; otherwise the batch comes
back."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.clock import Clock, SystemClock, seconds_left, stop_at
from vector_store import embed_assembly as assembly
from vector_store.embed_queue import Letter, Queue, attempt, letters_of, pause
from vector_store.embed_watch import Stop, Watch
from vector_store.embed_worker import Worker
from vector_store.errors import StoreUnavailable
from vector_store.lease import Holder, Lease, LeaseHeld, LeaseLost
from vector_store.telemetry import logger, tracer

HOLD_MARGIN_SECONDS = 10
"""A queue hides messages for six times the function's time, because Lambda may make them wait for a place. Once they
are worked, the time that is left and this are enough: a group does not wait for long after a death."""

LEAVE_SECONDS = 15.0
"""A part that is under way is left so long before the end: its calls are answered within 10 s."""


class Consumer:
    """One invocation's. `random` gives numbers from 0 to 1."""

    def __init__(self, queue: Queue, lease: Lease, worker: Worker, stop: Stop, *, random: Callable[[], float]) -> None:
        self._queue = queue
        self._lease = lease
        self._worker = worker
        self._stop = stop
        self._random = random

    def consume(self, event: dict[str, Any], *, hold_seconds: int) -> dict[str, Any]:
        """Work the messages of an event, and answer which of them have to come back.

        Of a group nothing is worked behind one that comes back, so its order is kept. All of them come back after
        `hold_seconds`, if this process dies."""
        letters = letters_of(event)
        self._queue.put_off((letter, hold_seconds) for letter in letters)
        try:
            self._lease.take()
            waits = self._work(letters)
        except LeaseHeld as error:
            logger.warning("embed queue has another consumer", holder=error.holder._asdict(), reason=str(error))
            waits = [(letter, pause(letter.receives, self._random)) for letter in letters]
        except StoreUnavailable as error:
            logger.warning("the lease could not be taken", reason=str(error))
            waits = [(letter, pause(letter.receives, self._random)) for letter in letters]
        finally:
            self._lease.give_back()
        self._queue.put_off(waits)
        return {"batchItemFailures": [{"itemIdentifier": letter.message_id} for letter, _ in waits]}

    def _work(self, letters: list[Letter]) -> list[tuple[Letter, int]]:
        """The messages that have to come back, with the seconds after which they do."""
        watch = Watch(self._stop, [self._lease.keep])
        waits: dict[str, int] = {}
        back: list[tuple[Letter, int]] = []
        for place, letter in enumerate(letters):
            if letter.group not in waits:
                try:
                    seconds = attempt(self._queue, letter, self._worker, watch, self._random)
                except LeaseLost as error:
                    logger.warning("the lease is lost; what is left comes back", reason=str(error))
                    return back + [(left, waits.get(left.group, 0)) for left in letters[place:]]
                if seconds is None:
                    continue
                waits[letter.group] = seconds
            back.append((letter, waits[letter.group]))
        return back


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    clock: Clock = SystemClock()
    left = seconds_left(context)
    stop = Stop(
        clock,
        begin_nothing_at=stop_at(context, clock),
        leave_at=clock.monotonic() + left - min(LEAVE_SECONDS, left / 8),
    )
    lease = assembly.lease(Holder("lambda", f"{context.function_name}/{context.aws_request_id}"), clock)
    with ThreadPoolExecutor(assembly.concurrency()) as pool:
        consumer = Consumer(assembly.queue(), lease, assembly.worker(clock, pool), stop, random=random.random)
        return consumer.consume(event, hold_seconds=math.ceil(left) + HOLD_MARGIN_SECONDS)
