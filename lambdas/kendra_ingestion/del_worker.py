"""DelWorker: delete the documents that a message names."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from kendra_ingestion.documents import Document
from kendra_ingestion.messages import Message
from kendra_ingestion.telemetry import logger, metrics, tracer
from kendra_ingestion.working import Prepare, handle


def to_delete(message: Message) -> list[Document]:
    """The ids as documents; nothing more is known of them, or needed."""
    return [{"documentId": document_id} for document_id in message.to_delete]


def preparation(pool: Executor, s3: Any) -> Prepare:
    """Nothing has to be read."""
    return to_delete


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "delete", preparation)
