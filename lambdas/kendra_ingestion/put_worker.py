"""PutWorker: send the documents that messages refer to.

A message names files; what their metadata says is read now. A document that has changed since it was planned is sent as
it is now, and one that can no longer be sent becomes a row of the report."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Any

from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.folder import Folder
from kendra_ingestion.messages import Message, Reference
from kendra_ingestion.outcomes import failed
from kendra_ingestion.reading import read_document
from kendra_ingestion.strict_json import shown
from kendra_ingestion.telemetry import logger, metrics, tracer
from kendra_ingestion.working import Found, Prepare, handle


def fetch(reference: Reference, folder: Folder) -> Found:
    """The document that a message refers to, as it is now, or the failure of one that cannot be sent any more."""
    document = read_document(
        folder,
        key=reference.key,
        metadata_key=reference.metadata_key,
        size=reference.size,
        digest=reference.digest,
    )
    if isinstance(document, DocumentInvalid):
        return failed(reference.document_id, document.code, document.message)
    if document["documentId"] != reference.document_id:
        return failed(
            reference.document_id,
            FailureCode.UNREADABLE,
            f"{reference.metadata_key} gave this id when the folder was listed, and gives "
            f"{shown(document['documentId'])} now; submit the folder again",
        )
    return document


def preparation(pool: Executor, s3: Any) -> Prepare:
    """Reads the metadata of all documents of a message at once."""

    def prepare(message: Message) -> Iterator[Found]:
        folder = Folder(s3, message.references[0].bucket)
        return pool.map(partial(fetch, folder=folder), message.references)

    return prepare


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "put", preparation)
