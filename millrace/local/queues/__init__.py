"""Queues, and the functions that are mapped to them, as SQS and Lambda treat them.

`messages` decides what a queue delivers, `service` puts it behind MiniStack's SQS, `polling` takes batches to whoever
reads a queue, `functions` is one who does, `event_sources` are the functions that are mapped to queues, `mappings` and
`attributes` know what AWS refuses.

MiniStack keeps one batch of a FIFO queue at a time in the air, whatever MaximumConcurrency says, takes at most ten
messages, believes any answer, asks no policy, and loses messages that are sent while others are deleted.

Known limits: a mapping does not add or take away concurrency with the load (it has what MaximumConcurrency says, else
five batches at once); messages wait in the queue, visible to others, while a batching window is open.
"""

from __future__ import annotations

from millrace.local.acting import Acting
from millrace.local.event_source_mappings import Mappings
from millrace.local.faults import Faults
from millrace.local.queues.event_sources import QueueMappings
from millrace.local.queues.polling import Poller

__all__ = ["Poller", "install"]


def install(mappings: Mappings, acting: Acting, faults: Faults) -> Poller:
    """Serve MiniStack's queues and the functions that are mapped to them. Raises anchors.AnchorMoved."""
    poller = Poller(acting)
    mapped = QueueMappings(poller.queues, mappings, poller.wake)
    poller.queues.install()
    mapped.install()
    poller.serve(mapped.sources)
    poller.start()
    faults.redeliver = poller.redeliver
    return poller
