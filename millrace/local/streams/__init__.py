"""DynamoDB streams as sources of functions, as Lambda treats them.

`service` is MiniStack's stream with records of AWS's shape, `mappings` knows what is asked of a mapping and what is
refused, `batches` decides what becomes of a batch, `destination` words what is given up, `polling` takes batches to the
functions.

MiniStack serves all streams one after the other, believes any answer, tries a batch that fails for ever, asks no
policy, and has records without a size, with leading zeros in their sequence numbers.

Known limits: a stream is one shard, so a mapping works one batch at a time (ParallelizationFactor above 1 and tumbling
windows are refused by name); a destination is a standard queue; items that expire leave no record; a mapping's first
look at a stream is at once, where AWS takes up to some minutes.
"""

from __future__ import annotations

from millrace.local.acting import Acting
from millrace.local.event_source_mappings import Mappings
from millrace.local.streams.event_sources import StreamMappings
from millrace.local.streams.polling import Poller
from millrace.local.streams.service import Streams
from millrace.local.targets import Targets

__all__ = ["Poller", "install"]


def install(mappings: Mappings, acting: Acting, targets: Targets, *, retry_seconds: float) -> Poller:
    """Serve MiniStack's streams and the functions that are mapped to them. `retry_seconds` is the first pause before a
    batch that failed is tried again. Raises anchors.AnchorMoved.
    """
    streams = Streams()
    mapped = StreamMappings(streams, mappings)
    poller = Poller(acting, targets, mapped.sources, retry_seconds=retry_seconds)
    streams.install(poller.wake)
    mapped.install(poller.wake)
    poller.start()
    return poller
