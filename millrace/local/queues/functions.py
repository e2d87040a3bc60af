"""A function that is mapped to a queue, as one who reads the queue."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from millrace.local import batch_answers
from millrace.local.acting import Actor
from millrace.local.event_source_mappings import THROTTLED_SECONDS, Mapped, Record, reports_failures
from millrace.local.queues.mappings import batching_of
from millrace.local.queues.polling import Batching
from millrace.local.queues.service import Queue


@dataclass(frozen=True)
class FunctionSource:
    mapped: Mapped
    queue: Queue

    @property
    def id(self) -> str:
        return self.mapped.id

    @property
    def actor(self) -> Actor:
        return self.mapped.actor

    @property
    def batching(self) -> Batching:
        return batching_of(self.mapped.mapping)

    def work(self, records: list[Record]) -> Collection[str]:
        until = time.time() + float(self.queue["attributes"]["VisibilityTimeout"])
        kept = self.mapped.filtered(records)
        outcome = self.mapped.invoke(kept) if kept else {}
        while outcome.get("throttle") and time.time() + THROTTLED_SECONDS < until:
            time.sleep(THROTTLED_SECONDS)
            outcome = self.mapped.invoke(kept)
        if outcome.get("error"):
            self.tell("PROBLEM: Function call failed")
            return ()
        ids = [record["messageId"] for record in records]
        failed = set(batch_answers.failed(outcome.get("body"), ids)) if reports_failures(self.mapped.mapping) else set()
        self.tell("OK")
        return [message for message in ids if message not in failed]

    def tell(self, outcome: str) -> None:
        self.mapped.tell(outcome)
