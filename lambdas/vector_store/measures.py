"""What the functions measure, as metrics of CloudWatch. docs/vector_store.md has the list.

One call of `publish` is one line of the log, from a Lambda function and from the ECS task alike."""

from __future__ import annotations

from collections.abc import Iterable

from aws_lambda_powertools.metrics import MetricUnit

from shared.emission import Value, emit
from vector_store.telemetry import NAMESPACE, SERVICE

COUNT = MetricUnit.Count
SECONDS = MetricUnit.Seconds


def publish(values: Iterable[Value], *, collection: str = "") -> None:
    """Write the values as metrics, by collection where one is given."""
    dimensions = {"collection": collection} if collection else {}
    emit(values, namespace=NAMESPACE, service=SERVICE, **dimensions)
