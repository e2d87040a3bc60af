from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.local.queues.attributes import InvalidAttribute, check

FIFO, STANDARD = "arn:aws:sqs:us-east-1:123456789012:put.fifo", "arn:aws:sqs:us-east-1:123456789012:put"
DEAD = "arn:aws:sqs:us-east-1:123456789012:dead.fifo"
BY_GROUP = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}


def redrive(dead: str = DEAD) -> dict[str, str]:
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3})}


def allowing(**policy: Any) -> dict[str, str]:
    return {"QueueArn": DEAD, "RedriveAllowPolicy": json.dumps(policy)}


@pytest.mark.parametrize("given", [{}, BY_GROUP, {"ContentBasedDeduplication": "true"}])
def test_settings_of_a_fifo_queue_that_go_together_are_taken(given):
    check(FIFO, given, None)


@pytest.mark.parametrize(
    ("arn", "given", "code"),
    [
        (STANDARD, {"DeduplicationScope": "queue"}, "InvalidAttributeName"),
        (FIFO, {"DeduplicationScope": "group"}, "InvalidAttributeValue"),
        (FIFO, {"FifoThroughputLimit": "perMessageGroupId"}, "InvalidAttributeValue"),
        (FIFO, {**BY_GROUP, "DeduplicationScope": "queue"}, "InvalidAttributeValue"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(arn, given, code):
    with pytest.raises(InvalidAttribute) as error:
        check(arn, given, None)
    assert error.value.code == code


@pytest.mark.parametrize(
    "dead", [{"QueueArn": DEAD}, allowing(redrivePermission="byQueue", sourceQueueArns=[FIFO])], ids=["any", "by name"]
)
def test_a_dead_letter_queue_that_allows_it_is_taken(dead):
    check(FIFO, redrive(), dead)


@pytest.mark.parametrize(
    ("arn", "dead"),
    [
        (STANDARD, {"QueueArn": DEAD}),
        (FIFO, {"QueueArn": STANDARD}),
        (FIFO, allowing(redrivePermission="denyAll")),
        (FIFO, allowing(redrivePermission="byQueue", sourceQueueArns=[STANDARD])),
    ],
    ids=["standard to fifo", "fifo to standard", "deny", "another"],
)
def test_a_dead_letter_queue_of_another_kind_or_that_does_not_allow_it_is_refused(arn, dead):
    with pytest.raises(InvalidAttribute, match="RedrivePolicy"):
        check(arn, redrive(), dead)
