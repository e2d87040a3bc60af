"""What SQS refuses of a queue's attributes that MiniStack lets through."""

from __future__ import annotations

import json
from collections.abc import Mapping

FIFO_ONLY = ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
VALUES = {
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
MOST_SOURCES = 10
"""Source queues that a redrive allow policy may name (SQS developer guide)."""


class InvalidAttribute(ValueError):
    """`code` is the API's error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check(arn: str, attributes: Mapping[str, str], dead_letters: Mapping[str, str] | None) -> None:
    """Raise InvalidAttribute for the attributes that the queue would have.

    `dead_letters` are the attributes of the queue that its redrive policy names; None where it names none.
    """
    fifo = arn.endswith(".fifo")
    for name in FIFO_ONLY:
        if name not in attributes:
            continue
        if not fifo:
            raise InvalidAttribute("InvalidAttributeName", f"Unknown Attribute {name}.")
        if attributes[name] not in VALUES[name]:
            raise InvalidAttribute("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
    by_group = attributes.get("FifoThroughputLimit") == "perMessageGroupId"
    if by_group and attributes.get("DeduplicationScope") != "messageGroup":
        raise InvalidAttribute(
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoThroughputLimit. Reason: perMessageGroupId is allowed only when "
            "DeduplicationScope is messageGroup.",
        )
    if dead_letters is not None:
        _check_redrive(arn, attributes["RedrivePolicy"], dead_letters)


def _check_redrive(arn: str, policy: str, dead_letters: Mapping[str, str]) -> None:
    if arn.endswith(".fifo") != dead_letters["QueueArn"].endswith(".fifo"):
        raise _refused_policy(policy, "Dead-letter queue must be same type of queue as the source.")
    allowed = json.loads(dead_letters.get("RedriveAllowPolicy") or "{}")
    permission = allowed.get("redrivePermission", "allowAll")
    if permission == "denyAll" or (permission == "byQueue" and arn not in allowed.get("sourceQueueArns", [])):
        raise _refused_policy(policy, "Dead letter target does not allow redrive from this source queue.")


def _refused_policy(policy: str, reason: str) -> InvalidAttribute:
    return InvalidAttribute(
        "InvalidParameterValue", f"Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}"
    )
