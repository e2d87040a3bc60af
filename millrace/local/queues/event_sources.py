"""The functions that are mapped to queues, and what is refused of such a mapping."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from millrace.local.anchors import patch
from millrace.local.event_source_mappings import AlreadyMapped, Asked, Mapped, Mappings, Role
from millrace.local.iam import in_scope
from millrace.local.queues import mappings
from millrace.local.queues.functions import FunctionSource
from millrace.local.queues.mappings import ACTIONS, NoPermission, NoQueue
from millrace.local.queues.service import Queues

DEFAULT_TIMEOUT_SECONDS = 3


class QueueMappings:
    """`changed` is called when a mapping is made or changed."""

    service = "sqs"

    def __init__(self, queues: Queues, all_mappings: Mappings, changed: Callable[[], None]) -> None:
        self._queues = queues
        self._mappings = all_mappings
        self._changed = changed

    def install(self) -> None:
        from ministack.services import lambda_svc

        patch(lambda_svc, "_poll_sqs", lambda _: lambda: False, "_sqs._receive_messages_for_esm(queue_url, batch_size)")
        self._mappings.add(self, self._changed)

    def sources(self) -> Iterator[FunctionSource]:
        """The enabled mappings whose queue and function exist."""
        for mapped in self._mappings.enabled(self.service):
            look = functools.partial(self._source, mapped)
            found = in_scope(mapped.actor.region, mapped.actor.account, look)
            if found is not None:
                yield found

    def _source(self, mapped: Mapped) -> FunctionSource | None:
        queue = self._queues.find(mapped.source)
        return FunctionSource(mapped, queue) if queue is not None else None

    def completed(self, asked: Asked) -> dict[str, Any]:
        return dict(asked)

    def check(self, wanted: Asked, function: Mapping[str, Any], role: Role) -> None:
        arn = wanted["EventSourceArn"]
        queue = self._queues.find(arn)
        if queue is None:
            raise NoQueue
        for action in ACTIONS:
            if not role.may(f"sqs:{action}", arn):
                raise NoPermission(action)
        mappings.check(
            wanted,
            fifo=queue["is_fifo"],
            visibility=float(queue["attributes"]["VisibilityTimeout"]),
            timeout=float(function.get("Timeout") or DEFAULT_TIMEOUT_SECONDS),
        )

    def already(self, source: str, function: str, mapping: str) -> AlreadyMapped:
        return mappings.already(source, function, mapping)
