"""Metrics, written to the log in CloudWatch's embedded format."""

from __future__ import annotations

from collections.abc import Iterable

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

Value = tuple[str, MetricUnit, float]
"""A metric's name, its unit, and one value of it. The same name may come several times."""


def emit(values: Iterable[Value], *, namespace: str, service: str, **dimensions: str) -> None:
    """Write the values as metrics of a service, with these dimensions beside it."""
    metrics = EphemeralMetrics(namespace=namespace, service=service)
    if dimensions:
        metrics.add_dimensions(service=service, **dimensions)
    for name, unit, value in values:
        metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()
