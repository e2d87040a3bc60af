"""The sink that is a Bedrock knowledge base, by direct ingestion into its custom data source. Bedrock's words and error
codes stop here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from kendra_ingestion import bedrock_documents, sink_errors
from kendra_ingestion.documents import Document
from kendra_ingestion.errors import DocumentInvalid, ObjectUnreadable, SinkRefused, SinkThrottled, SinkUnavailable
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.folder import Folder
from kendra_ingestion.metadata import AttributeType
from kendra_ingestion.packing import DOCUMENT_MAX_BYTES, MEGABYTE
from kendra_ingestion.sink import Rejected, State, Status
from kendra_ingestion.sink_errors import Errors, ask, of_those_sent

ERRORS: Errors = sink_errors.ERRORS | {"ServiceQuotaExceededException": SinkThrottled}
"""The errors of the document operations (API model). Bedrock's quota here is of requests, and passes."""

STATES = {
    "NOT_FOUND": State.ABSENT,
    "PENDING": State.PROCESSING,
    "STARTING": State.PROCESSING,
    "IN_PROGRESS": State.PROCESSING,
    "DELETING": State.PROCESSING,
    "DELETE_IN_PROGRESS": State.PROCESSING,
    "INDEXED": State.INDEXED,
    "PARTIALLY_INDEXED": State.FAILED,
    "METADATA_PARTIALLY_INDEXED": State.FAILED,
    "FAILED": State.FAILED,
    "METADATA_UPDATE_FAILED": State.FAILED,
    "IGNORED": State.FAILED,
}
"""A document of which some cannot be found is no success (`docs/decisions/bedrock-statuses.md`)."""

NOT_TAKEN = frozenset({"FAILED", "IGNORED"})
"""The statuses by which a request's answer says that a document was not taken."""

PAYLOAD_MAX_BYTES = 6 * MEGABYTE
"""6 MB a request (Bedrock quotas), in the larger of the two readings: what lies between them is Bedrock's to decide."""

FRAME_BYTES = 1024
"""What a request holds around its documents: names, the token."""

_ask = partial(ask, "Bedrock", ERRORS)


class BedrockSink:
    """One custom data source of one knowledge base. A document's id is its custom document identifier.

    Content goes in line, read from S3 by us, because metadata can only go with content in line; a document without
    metadata goes by its place in S3 where the knowledge base reads its format. Bedrock does not say whether a document
    was new, so one that was indexed is never told as updated.

    `attribute_types` are the attributes that documents may have; where it is empty they may have any. Inside one
    `scope` a request with the same content is the same request. It must be new for each invocation: Bedrock would
    silently ignore the second upload of a document that was deleted in between.
    """

    def __init__(
        self,
        client: Any,
        folder: Folder,
        *,
        knowledge_base_id: str,
        data_source_id: str,
        attribute_types: Mapping[str, AttributeType],
        scope: str,
    ) -> None:
        self._client = client
        self._folder = folder
        self._where = {"knowledgeBaseId": knowledge_base_id, "dataSourceId": data_source_id}
        self._types = attribute_types
        self._scope = scope

    def attribute_types(self) -> Mapping[str, AttributeType] | None:
        return self._types or None

    def put(self, documents: Sequence[Document]) -> list[Rejected]:
        translated: dict[str, dict[str, Any]] = {}
        rejected = []
        for document in documents:
            try:
                translated[document["documentId"]] = self._to_bedrock(document)
            except DocumentInvalid as error:
                rejected.append(Rejected(document["documentId"], error.code, error.message, passing=False))
        if translated:
            ingest = self._client.ingest_knowledge_base_documents
            rejected += self._change(ingest, set(translated), documents=list(translated.values()))
        return rejected

    def delete(self, document_ids: Sequence[str]) -> list[Rejected]:
        delete = self._client.delete_knowledge_base_documents
        return self._change(delete, set(document_ids), documentIdentifiers=_identifiers(document_ids))

    def status(self, document_ids: Sequence[str]) -> Mapping[str, Status]:
        reply = _ask(
            self._client.get_knowledge_base_documents, **self._where, documentIdentifiers=_identifiers(document_ids)
        )
        return {_id(item): _status(item) for item in reply.get("documentDetails", [])}

    def _change(self, operation: Callable[..., Any], sent: set[str], **items: list[dict[str, Any]]) -> list[Rejected]:
        token = self._token(items)
        return _rejected(_ask(operation, **self._where, clientToken=token, **items), sent)

    def _token(self, items: Mapping[str, Any]) -> str:
        """What makes a retried request the same request. Raises SinkRefused where one cannot carry the items."""
        payload = _as_sent(items)
        size = len(payload) + FRAME_BYTES
        if size > PAYLOAD_MAX_BYTES:
            raise SinkRefused(
                f"the request would have {size:,} bytes, with its documents in line; "
                f"a knowledge base takes {PAYLOAD_MAX_BYTES:,}"
            )
        return sha256(self._scope.encode("utf-8") + payload).hexdigest()

    def _to_bedrock(self, document: Document) -> dict[str, Any]:
        bedrock_documents.check_format(document)
        known = bedrock_documents.metadata(document, self._types)
        content = bedrock_documents.location(document, self._folder.bucket, known)
        if content is None:
            content = bedrock_documents.in_line(document["contentType"], self._read(document["key"]))
        identifier = {"customDocumentIdentifier": {"id": document["documentId"]}}
        translated: dict[str, Any] = {"content": {"dataSourceType": "CUSTOM", "custom": identifier | content}}
        if known is not None:
            translated["metadata"] = known
        return translated

    def _read(self, key: str) -> bytes:
        try:
            return self._folder.read(key, DOCUMENT_MAX_BYTES)
        except ObjectUnreadable as error:
            raise DocumentInvalid(FailureCode.UNREADABLE, str(error)) from error
        except (ClientError, BotoCoreError) as error:
            raise SinkUnavailable(f"S3 did not give {key}, which was to be sent: {error}") from error


def _identifiers(document_ids: Sequence[str]) -> list[dict[str, Any]]:
    return [{"dataSourceType": "CUSTOM", "custom": {"id": document_id}} for document_id in document_ids]


def _id(item: Mapping[str, Any]) -> str:
    return item["identifier"].get("custom", {}).get("id", "")


def _as_sent(items: Mapping[str, Any]) -> bytes:
    """The items as the client writes them (`aws.bedrock_agent`)."""
    return json.dumps(items, ensure_ascii=False, default=lambda body: base64.b64encode(body).decode("ascii")).encode()


def _rejected(reply: Mapping[str, Any], sent: set[str]) -> list[Rejected]:
    rejected = [
        Rejected(_id(item), FailureCode.INDEXING_FAILED, _reason(item), passing=False)
        for item in reply.get("documentDetails", [])
        if item["status"] in NOT_TAKEN
    ]
    return of_those_sent("Bedrock", rejected, sent)


def _status(item: Mapping[str, Any]) -> Status:
    state = STATES[item["status"]]
    return Status(state, FailureCode.INDEXING_FAILED, _reason(item)) if state is State.FAILED else Status(state)


def _reason(item: Mapping[str, Any]) -> str:
    return f"{item['status']}: {item.get('statusReason') or 'Bedrock gave no reason'}"
