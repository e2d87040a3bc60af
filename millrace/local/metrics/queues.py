"""How full queues are, measured when alarms are evaluated; on AWS each minute, for queues that somebody uses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from millrace.local.anchors import hold
from millrace.local.metrics.store import Store

NAMESPACE = "AWS/SQS"
MEASURES: Mapping[str, str] = {
    "ApproximateNumberOfMessagesVisible": "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
}
"""Metrics, and the attributes of a queue that they are."""
AGE = "ApproximateAgeOfOldestMessage"
"""Seconds; 0 where the queue is empty."""


def measure_queues(store: Store) -> None:
    """Measure the queues of the running scope."""
    from ministack.services import sqs

    hold(sqs, "_refresh_counts")
    service: Any = sqs
    for queue in list(service._queues.values()):
        service._refresh_counts(queue)
        attributes = queue["attributes"]
        of_queue = {"QueueName": attributes["QueueArn"].rsplit(":", 1)[-1]}
        for name, attribute in MEASURES.items():
            store.record(NAMESPACE, name, float(attributes[attribute]), "Count", of_queue)
        oldest = queue["messages"].oldest()
        store.record(NAMESPACE, AGE, time.time() - oldest if oldest else 0.0, "Seconds", of_queue)
