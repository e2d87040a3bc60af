"""A function that is mapped to a queue, as one who reads the queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from millrace.local.acting import Actor
from millrace.local.queues import answers
from millrace.local.queues.mappings import batching_of, reports_failures
from millrace.local.queues.polling import Batching, Record
from millrace.local.queues.service import Queue

THROTTLED_SECONDS = 0.5
"""Pause before a batch is offered again to a function that has no concurrency left."""


@dataclass(frozen=True)
class FunctionSource:
    """`mapping` is MiniStack's own record; `invoke` gives MiniStack's outcome: `{"body"?, "error"?, "throttle"?}`."""

    mapping: dict[str, Any]
    queue: Queue
    actor: Actor
    invoke: Callable[[list[Record]], dict[str, Any]]

    @property
    def id(self) -> str:
        return str(self.mapping["UUID"])

    @property
    def batching(self) -> Batching:
        return batching_of(self.mapping)

    def work(self, records: list[Record]) -> Collection[str]:
        until = time.time() + float(self.queue["attributes"]["VisibilityTimeout"])
        outcome = self.invoke(records)
        while outcome.get("throttle") and time.time() + THROTTLED_SECONDS < until:
            time.sleep(THROTTLED_SECONDS)
            outcome = self.invoke(records)
        if outcome.get("error"):
            self.tell("PROBLEM: Function call failed")
            return ()
        ids = [record["messageId"] for record in records]
        failed = set(answers.failed(outcome.get("body"), ids)) if reports_failures(self.mapping) else set()
        self.tell("OK")
        return [message for message in ids if message not in failed]

    def tell(self, outcome: str) -> None:
        self.mapping["LastProcessingResult"] = outcome
