"""Direct ingestion: the documents of a request are accepted at once and worked on later, in the order of acceptance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from millrace.local.bedrock.bases import Bases, moment
from millrace.local.bedrock.content import WrongDocument, id_of, id_of_document, identifier_of
from millrace.local.bedrock.store import DataSource, KnowledgeBase, Store
from millrace.local.emulated import ApiError, Operation
from millrace.local.pace import Gate, Pace

PAGE_SIZE = 1000


class Documents:
    """`wake` tells the indexer of new work."""

    def __init__(
        self,
        store: Store,
        bases: Bases,
        pace: Pace,
        gate: Gate,
        *,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._bases = bases
        self._pace = pace
        self._gate = gate
        self._clock = clock
        self._wake = wake

    def operations(self) -> dict[str, Operation]:
        return {
            "IngestKnowledgeBaseDocuments": self.ingest,
            "DeleteKnowledgeBaseDocuments": self.delete,
            "GetKnowledgeBaseDocuments": self.get,
            "ListKnowledgeBaseDocuments": self.list,
        }

    def ingest(self, request: dict[str, Any]) -> dict[str, Any]:
        base, source = self._admitted("IngestKnowledgeBaseDocuments", request)
        documents = request["documents"]
        ids = _ids(id_of_document, documents, source, "documents")
        return self._accept("IngestKnowledgeBaseDocuments", request, base, source, ids, documents)

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        base, source = self._admitted("DeleteKnowledgeBaseDocuments", request)
        ids = _ids(id_of, request["documentIdentifiers"], source, "documentIdentifiers")
        return self._accept("DeleteKnowledgeBaseDocuments", request, base, source, ids, [None] * len(ids))

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        base, source = self._admitted("GetKnowledgeBaseDocuments", request)
        ids = _ids(id_of, request["documentIdentifiers"], source, "documentIdentifiers")
        return {"documentDetails": [self._detail(base, source, document_id) for document_id in ids]}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        base, source = self._admitted("ListKnowledgeBaseDocuments", request)
        size = request.get("maxResults", PAGE_SIZE)
        token = request.get("nextToken")
        ids = self._store.ids(source.id, _text_of_token(token) if token else "", size + 1)
        more = {"nextToken": ids[size - 1].encode().hex()} if len(ids) > size else {}
        return {"documentDetails": [self._detail(base, source, document_id) for document_id in ids[:size]], **more}

    def _admitted(self, operation: str, request: dict[str, Any]) -> tuple[KnowledgeBase, DataSource]:
        base = self._bases.active(request["knowledgeBaseId"])
        source = self._bases.available(base, request["dataSourceId"])
        self._gate.enter(base.region, operation)
        return base, source

    def _accept(
        self,
        operation: str,
        request: Mapping[str, Any],
        base: KnowledgeBase,
        source: DataSource,
        ids: Sequence[str],
        documents: Sequence[dict[str, Any] | None],
    ) -> dict[str, Any]:
        """Put the work in line, unless a request with the same client token did: then answer what it was answered."""
        scope, token = f"{operation} {source.id}", request.get("clientToken")
        now = self._clock()
        due = now + self._pace.indexing_seconds
        with self._store.transaction():
            before = self._store.answered(scope, token) if token else None
            if before is not None:
                return before
            self._store.accept(source.id, ids, documents, base.role_arn, now=now, due=due)
            answer = {"documentDetails": [self._detail(base, source, document_id) for document_id in ids]}
            if token:
                self._store.remember(scope, token, answer)
        self._wake()
        return answer

    def _detail(self, base: KnowledgeBase, source: DataSource, document_id: str) -> dict[str, Any]:
        return {
            "knowledgeBaseId": base.id,
            "dataSourceId": source.id,
            "identifier": identifier_of(document_id, source.type),
            **self._known(source, document_id),
        }

    def _known(self, source: DataSource, document_id: str) -> dict[str, Any]:
        waiting = self._store.waiting(source.id, document_id)
        if waiting is not None:
            begun = self._clock() > (waiting.accepted + waiting.due) / 2
            first, second = ("DELETING", "DELETE_IN_PROGRESS") if waiting.deletes else ("STARTING", "IN_PROGRESS")
            return {"status": second if begun else first, "updatedAt": moment(waiting.accepted)}
        status = self._store.status(source.id, document_id)
        if status is None:
            return {"status": "NOT_FOUND"}
        why = {"statusReason": status.reason} if status.reason else {}
        return {"status": status.status, "updatedAt": moment(status.settled), **why}


def _ids(
    read: Callable[[Mapping[str, Any], str], str],
    items: Sequence[Mapping[str, Any]],
    source: DataSource,
    member: str,
) -> list[str]:
    """The items' ids. Raises ApiError (ValidationException) when one is not whole, or two are the same."""
    ids = []
    for position, item in enumerate(items, start=1):
        try:
            ids.append(read(item, source.type))
        except WrongDocument as error:
            raise ApiError("ValidationException", f"{member}.{position}.member: {error}") from None
    twice = sorted({document_id for document_id in ids if ids.count(document_id) > 1})
    if twice:
        raise ApiError("ValidationException", f"Documents must be unique in a request: {', '.join(twice)[:500]}")
    return ids


def _text_of_token(token: str) -> str:
    try:
        return bytes.fromhex(token).decode()
    except ValueError:
        raise ApiError("ValidationException", "nextToken is not one that this operation gave") from None
