"""One logger and one tracer. Logs carry ids, never document text."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Tracer

SERVICE = "kb_sync"
NAMESPACE = "Millrace"

logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
