"""EventBridge Pipes from queues, in place of MiniStack's, which reads DynamoDB streams only and drops most parameters.

`service` answers the API, `pipe` knows what is asked of a pipe and what is refused, `delivery` takes batches of a queue
(`queues.polling`) to the target, `template` and `filters` are what happens to them on the way.

Known limits: sources are queues; targets are state machines, functions and queues; no enrichment and no logs. All of
that is refused by name.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

from millrace.local.acting import Acting
from millrace.local.anchors import hold
from millrace.local.emulated import Emulated, replace
from millrace.local.iam import in_scope
from millrace.local.pipes.delivery import READS, Reader, actor_of
from millrace.local.pipes.pipe import Pipe
from millrace.local.pipes.service import NotStarted, Pipes
from millrace.local.queues import Poller
from millrace.local.queues.service import Queue
from millrace.local.targets import Targets

__all__ = ["install"]


def install(substrate: ModuleType, poller: Poller, acting: Acting, targets: Targets) -> None:
    """Put the pipes in place of MiniStack's own, and let the poller serve them. Raises anchors.AnchorMoved."""
    from ministack.core import iam_actions, responses

    hold(responses, "get_region")
    hold(responses, "get_account_id")
    hold(iam_actions, "extract_resource_arn", 'if service == "pipes":')
    # One thread: a pipe's changes are made in the order in which they were asked for.
    changes = ThreadPoolExecutor(1, thread_name_prefix="pipes")

    def queue_of(pipe: Pipe) -> Queue | None:
        return in_scope(pipe.region, pipe.account, lambda: poller.queues.find(pipe.source))

    def readable(pipe: Pipe) -> None:
        for action in READS:
            acting.check(actor_of(pipe), action, pipe.source)
        if queue_of(pipe) is None:
            raise NotStarted(f"The queue {pipe.source} does not exist.")

    pipes = Pipes(
        scope=lambda: (responses.get_region(), responses.get_account_id()),
        clock=time.time,
        readable=readable,
        later=changes.submit,
        moved=poller.wake,
    )

    def readers() -> Iterable[Reader]:
        for pipe in pipes.running():
            queue = queue_of(pipe)
            if queue is not None:
                yield Reader(pipe, queue, acting, targets)

    replace(substrate, "pipes", Emulated("pipes", pipes.operations()))
    poller.serve(readers)
