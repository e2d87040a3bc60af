"""A client of Bedrock's knowledge bases in memory: one custom data source. It takes and gives only what the service
model knows, and indexes, rejects, fails and throttles as it is told to."""

from __future__ import annotations

from typing import Any

from tests.fakes.api_model import check_parameters, check_request, checked_answer
from tests.fakes.clock import FakeClock
from tests.fakes.s3 import client_error

SERVICE = "bedrock-agent"
KNOWLEDGE_BASE_ID, DATA_SOURCE_ID = "KB12345678", "DS12345678"
WHERE = {"knowledgeBaseId": KNOWLEDGE_BASE_ID, "dataSourceId": DATA_SOURCE_ID}
METADATA_BY_CONTENT = {"IN_LINE": "IN_LINE_ATTRIBUTE", "S3_LOCATION": "S3_LOCATION"}


class FakeBedrock:
    """Documents become INDEXED `indexing_seconds` after they were sent, and deletes take as long.

    `rejections` gives a document's (status, reason) in the answer to a request; `poison` ids make the whole request a
    ValidationException; `asynchronous` gives the (status, reason) that indexing ends with; `errors` are codes for the
    next calls of an operation, None for one that goes well. A request whose token was seen is ignored, as by AWS.
    """

    def __init__(self, clock: FakeClock | None = None, *, indexing_seconds: float = 0.0) -> None:
        self.clock = clock or FakeClock()
        self.indexing_seconds = indexing_seconds
        self.documents: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, list[str]]] = []
        self.tokens: list[str] = []
        self.ignored = 0
        self.rejections: dict[str, tuple[str, str]] = {}
        self.poison: set[str] = set()
        self.asynchronous: dict[str, tuple[str, str | None]] = {}
        self.errors: dict[str, list[str | None]] = {}
        self._ready_at: dict[str, float] = {}
        self._gone_at: dict[str, float] = {}

    def ingest_knowledge_base_documents(self, **parameters: Any) -> dict[str, Any]:
        operation = "IngestKnowledgeBaseDocuments"
        self._receive(operation, parameters)
        given = {item["content"]["custom"]["customDocumentIdentifier"]["id"]: item for item in parameters["documents"]}
        self._refuse_whole(operation, list(given), len(parameters["documents"]))
        for item in given.values():
            if "metadata" in item:
                source = item["content"]["custom"]["sourceType"]
                if item["metadata"]["type"] != METADATA_BY_CONTENT[source]:
                    raise client_error(operation, "ValidationException", "content and metadata differ in their source")
        if self._is_new(parameters["clientToken"]):
            for document_id in given.keys() - self.rejections.keys():
                self.documents[document_id] = given[document_id]
                self._ready_at[document_id] = self.clock.now + self.indexing_seconds
                self._gone_at.pop(document_id, None)
        return checked_answer(SERVICE, operation, {"documentDetails": self._taken(list(given), "STARTING")})

    def delete_knowledge_base_documents(self, **parameters: Any) -> dict[str, Any]:
        operation = "DeleteKnowledgeBaseDocuments"
        self._receive(operation, parameters)
        ids = [item["custom"]["id"] for item in parameters["documentIdentifiers"]]
        self._refuse_whole(operation, ids, len(ids))
        if self._is_new(parameters["clientToken"]):
            for document_id in set(ids) - self.rejections.keys():
                self._gone_at[document_id] = self.clock.now + self.indexing_seconds
        return checked_answer(SERVICE, operation, {"documentDetails": self._taken(ids, "DELETING")})

    def get_knowledge_base_documents(self, **parameters: Any) -> dict[str, Any]:
        operation = "GetKnowledgeBaseDocuments"
        self._receive(operation, parameters)
        ids = [item["custom"]["id"] for item in parameters["documentIdentifiers"]]
        self._refuse_whole(operation, ids, len(ids))
        return checked_answer(
            SERVICE, operation, {"documentDetails": [_detail(item, *self._status(item)) for item in ids]}
        )

    def _receive(self, operation: str, parameters: dict[str, Any]) -> None:
        check_parameters(SERVICE, operation, parameters)
        if code := (self.errors.get(operation) or [None]).pop(0):
            raise client_error(operation, code, f"{code} for the test")
        check_request(SERVICE, operation, parameters)
        if {name: parameters[name] for name in WHERE} != WHERE:
            raise client_error(operation, "ResourceNotFoundException", "no such data source", status=404)

    def _refuse_whole(self, operation: str, ids: list[str], number: int) -> None:
        self.requests.append((operation, list(ids)))
        if len(set(ids)) < number:
            raise client_error(operation, "ValidationException", "an id is given twice")
        if bad := self.poison.intersection(ids):
            raise client_error(operation, "ValidationException", f"not a valid document: {sorted(bad)[0]}")

    def _is_new(self, token: str) -> bool:
        new = token not in self.tokens
        self.ignored += not new
        self.tokens.append(token)
        return new

    def _taken(self, ids: list[str], status: str) -> list[dict[str, Any]]:
        return [_detail(document_id, *self.rejections.get(document_id, (status, None))) for document_id in ids]

    def _status(self, document_id: str) -> tuple[str, str | None]:
        now = self.clock.now
        gone_at = self._gone_at.get(document_id)
        if document_id not in self.documents or (gone_at is not None and gone_at <= now):
            return "NOT_FOUND", None
        if gone_at is not None:
            return "DELETE_IN_PROGRESS", None
        if self._ready_at[document_id] > now:
            return "IN_PROGRESS", None
        return self.asynchronous.get(document_id, ("INDEXED", None))


def _detail(document_id: str, status: str, reason: str | None) -> dict[str, Any]:
    detail: dict[str, Any] = WHERE | {
        "identifier": {"dataSourceType": "CUSTOM", "custom": {"id": document_id}},
        "status": status,
    }
    return detail if reason is None else detail | {"statusReason": reason}
