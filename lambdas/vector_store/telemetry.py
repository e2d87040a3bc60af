"""One logger and one tracer. Logs carry ids, never document text."""

from __future__ import annotations

import os

from aws_lambda_powertools import Logger, Tracer

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "vector_store")
"""Terraform names it: two deployments in one account must not hear each other's alarms."""

NAMESPACE = "Millrace"

logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
