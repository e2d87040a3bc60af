"""The ECS consumer of the queue of exports: `python -m vector_store.embed`.

It works one message after the other while it has the lease, and receives nothing without it. At SIGTERM it begins
nothing new, ends the part that is under way or leaves it, gives the lease back and exits with 0, all within
STOP_SECONDS."""

from __future__ import annotations

import os
import random
import signal
import socket
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from shared.clock import Clock, SystemClock
from vector_store import embed_assembly as assembly
from vector_store.embed_queue import Hold, Letter, Queue, attempt
from vector_store.embed_watch import Stop, Watch
from vector_store.embed_worker import Worker
from vector_store.errors import StoreUnavailable
from vector_store.lease import Holder, Lease, LeaseHeld, LeaseLost
from vector_store.settings import number
from vector_store.telemetry import logger

HIDE_SECONDS = 120
"""How long a message stays hidden after a death."""

POLL_SECONDS_MAX = 20
"""The longest that SQS lets a receive wait (API model)."""

LEASE_ASKED_SECONDS = 15.0
"""How often the lease is asked for while another consumer has it."""

TROUBLE_SECONDS = 5.0
NAP_SECONDS = 0.5
"""A signal does not wake a sleeper."""

STOP_SECONDS = 30.0
"""ECS's own stopTimeout, after which it kills (task definition parameters)."""


class Service:
    """One process. `poll_seconds` is how long a receive waits; an order to stop waits for it. `random` gives numbers
    from 0 to 1."""

    def __init__(
        self,
        queue: Queue,
        lease: Lease,
        worker: Worker,
        stop: Stop,
        *,
        clock: Clock,
        poll_seconds: int = POLL_SECONDS_MAX,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._queue = queue
        self._lease = lease
        self._worker = worker
        self._stop = stop
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._random = random

    def run(self) -> None:
        """Work the queue until the order to stop."""
        try:
            while not self._stop.asked:
                self.turn()
        finally:
            self._lease.give_back()

    def turn(self) -> None:
        """Wait for a message and work it; or for the lease."""
        try:
            self._lease.take()
            letter = self._queue.receive(wait_seconds=self._poll_seconds, hide_seconds=HIDE_SECONDS)
        except LeaseHeld as error:
            logger.warning("embed queue has another consumer", holder=error.holder._asdict(), reason=str(error))
            self._rest(min(LEASE_ASKED_SECONDS, error.seconds + 1))
        except StoreUnavailable as error:
            logger.warning("the queue cannot be worked now", reason=str(error))
            self._rest(TROUBLE_SECONDS)
        else:
            if letter is not None:
                self._work(letter)

    def _work(self, letter: Letter) -> None:
        hold = Hold(self._queue, letter, seconds=HIDE_SECONDS, clock=self._clock)
        try:
            watch = Watch(self._stop, [self._lease.keep, hold.keep])
            seconds = attempt(self._queue, letter, self._worker, watch, self._random)
        except LeaseLost as error:
            logger.warning("the lease is lost; the message comes back", message_id=letter.message_id, reason=str(error))
            seconds = 0
        if seconds is None:
            self._queue.delete(letter)
        else:
            self._queue.put_off([(letter, seconds)])

    def _rest(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while not self._stop.asked and (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, NAP_SECONDS))


def main() -> None:
    clock = SystemClock()
    stop = Stop(clock)
    stop_seconds = (
        number("STOP_SECONDS", float, "a number of seconds from 3 to 120", lambda seconds: 3 <= seconds <= 120)
        if "STOP_SECONDS" in os.environ
        else STOP_SECONDS
    )
    for order in (signal.SIGTERM, signal.SIGINT):
        signal.signal(order, lambda *_: stop.ask(stop_seconds / 2))
    holder = Holder("ecs", f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}")
    with ThreadPoolExecutor(assembly.concurrency()) as pool:
        Service(
            assembly.queue(),
            assembly.lease(holder, clock),
            assembly.worker(clock, pool),
            stop,
            clock=clock,
            poll_seconds=max(1, min(POLL_SECONDS_MAX, int(stop_seconds / 3))),
        ).run()
    logger.info("stopped", holder=holder.name)


if __name__ == "__main__":
    main()
