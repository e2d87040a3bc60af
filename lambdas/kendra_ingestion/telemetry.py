"""One logger, one tracer and one set of metrics for all functions. Logs carry ids and counts, never document
text."""

from __future__ import annotations

import warnings

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

SERVICE = "kendra_ingestion"
NAMESPACE = "Millrace"

logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)

warnings.filterwarnings("ignore", "No application metrics to publish")
"""A run that ends before it counted anything has nothing to publish, and no fault."""


def count(name: str, number: int) -> None:
    """Add to a counter: DocumentsPlanned, DocumentsUnchanged, DocumentsSent, DocumentsFailed, DocumentsVerified,
    RequestsThrottled."""
    if number:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)


def duration(name: str, seconds: float) -> None:
    """Add to one of the durations: SendDuration, of one request to the sink."""
    metrics.add_metric(name=name, unit=MetricUnit.Milliseconds, value=seconds * 1000)
