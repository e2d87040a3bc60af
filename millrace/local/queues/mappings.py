"""Event source mappings from queues to functions: their settings, and what Lambda refuses of them.

* InvalidMapping     the root (event_source_mappings): Lambda does not take the mapping
  - NoPermission     the function's role may not do with the queue what the mapping has to do
  - NoQueue          there is no such queue
"""

from __future__ import annotations

from millrace.local.event_source_mappings import AlreadyMapped, Asked, InvalidMapping, check_response_types
from millrace.local.queues.polling import Batching

ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
"""What the function's role must be allowed on the queue (Lambda developer guide)."""
FIFO_BATCH, STANDARD_BATCH = 10, 10_000
BATCH_WITHOUT_WINDOW = 10
WINDOW_SECONDS = 300
BATCHES_AT_ONCE = 5
"""With how many batches Lambda begins where no MaximumConcurrency is given; here it stays at that."""


class NoPermission(InvalidMapping):
    def __init__(self, action: str) -> None:
        super().__init__(f"The provided execution role does not have permissions to call {action} on SQS")


class NoQueue(InvalidMapping):
    def __init__(self) -> None:
        super().__init__(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist for this wsdl version."
        )


def already(queue: str, function: str, mapping: str) -> AlreadyMapped:
    return AlreadyMapped(
        f'An event source mapping with SQS arn (" {queue} ") and function (" {function} ") already exists. '
        f"Please update or delete the existing mapping with UUID {mapping}"
    )


def batching_of(mapping: Asked) -> Batching:
    """What a mapping (or the parameters of a pipe's queue) says of batches."""
    return Batching(
        size=int(mapping.get("BatchSize") or FIFO_BATCH),
        window=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
        at_once=int((mapping.get("ScalingConfig") or {}).get("MaximumConcurrency") or BATCHES_AT_ONCE),
    )


def check(mapping: Asked, *, fifo: bool, visibility: float, timeout: float) -> None:
    """Raise InvalidMapping if Lambda does not take these settings for this queue and function; seconds."""
    check_response_types(mapping)
    check_batching(batching_of(mapping), fifo=fifo)
    if visibility < timeout:
        raise InvalidMapping(
            f"Queue visibility timeout: {visibility:.0f} seconds is less than Function timeout: {timeout:.0f} seconds"
        )


def check_batching(batching: Batching, *, fifo: bool) -> None:
    """Raise InvalidMapping if a queue of this kind is not read in such batches."""
    most = FIFO_BATCH if fifo else STANDARD_BATCH
    if not 1 <= batching.size <= most:
        raise InvalidMapping(f"Batch size must be between 1 and {most} for a {'FIFO' if fifo else 'standard'} queue.")
    if fifo and batching.window:
        raise InvalidMapping("Batching window is not supported for FIFO queues.")
    if not 0 <= batching.window <= WINDOW_SECONDS:
        raise InvalidMapping(f"Maximum batch window in seconds must be between 0 and {WINDOW_SECONDS}.")
    if batching.size > BATCH_WITHOUT_WINDOW and not batching.window:
        raise InvalidMapping(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than "
            f"{BATCH_WITHOUT_WINDOW}"
        )
