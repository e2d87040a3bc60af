"""A Kendra client in memory. It takes and gives only what the service model knows, indexes after a while, and
rejects, fails and throttles as it is told to."""

from __future__ import annotations

from typing import Any

from tests.fakes.api_model import check_parameters, check_request, checked_answer
from tests.fakes.clock import FakeClock
from tests.fakes.quota import TokenBucket
from tests.fakes.s3 import client_error

ATTRIBUTE_TYPES = {
    "_category": "STRING_VALUE",
    "_source_uri": "STRING_VALUE",
    "_created_at": "DATE_VALUE",
    "_view_count": "LONG_VALUE",
    "department": "STRING_VALUE",
    "topics": "STRING_LIST_VALUE",
}


class FakeKendra:
    """One index. Documents become INDEXED `indexing_seconds` after they were sent, and deletes take as long.

    `rejections` gives a document's answers in FailedDocuments, one (code, message) a time it is sent;
    `poison` ids make the whole request a ValidationException; `asynchronous` gives the (code, reason) that
    indexing ends with; `errors` are codes for the next calls of an operation, None for one that goes well.
    """

    def __init__(self, clock: FakeClock | None = None, *, indexing_seconds: float = 0.0) -> None:
        self.clock = clock or FakeClock()
        self.indexing_seconds = indexing_seconds
        self.documents: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, list[str]]] = []
        self.throttled = 0
        self.rejections: dict[str, list[tuple[str, str]]] = {}
        self.poison: set[str] = set()
        self.asynchronous: dict[str, tuple[str | None, str]] = {}
        self.errors: dict[str, list[str | None]] = {}
        self.attribute_types = dict(ATTRIBUTE_TYPES)
        self.quota: TokenBucket | None = None
        self.call_seconds = 0.0
        self._ready_at: dict[str, float] = {}
        self._gone_at: dict[str, float] = {}
        self._known_before: set[str] = set()

    def describe_index(self, **parameters: Any) -> dict[str, Any]:
        self._receive("DescribeIndex", parameters)
        types = [{"Name": name, "Type": kind} for name, kind in self.attribute_types.items()]
        return checked_answer("kendra", "DescribeIndex", {"Status": "ACTIVE", "DocumentMetadataConfigurations": types})

    def batch_put_document(self, **parameters: Any) -> dict[str, Any]:
        self._receive("BatchPutDocument", parameters)
        ids = [document["Id"] for document in parameters["Documents"]]
        self._refuse_whole("BatchPutDocument", ids)
        failed = self._failed(ids)
        for document in parameters["Documents"]:
            document_id = document["Id"]
            if document_id not in {item["Id"] for item in failed}:
                if document_id in self.documents:
                    self._known_before.add(document_id)
                self.documents[document_id] = document
                self._ready_at[document_id] = self.clock.now + self.indexing_seconds
        return checked_answer("kendra", "BatchPutDocument", {"FailedDocuments": failed})

    def batch_delete_document(self, **parameters: Any) -> dict[str, Any]:
        self._receive("BatchDeleteDocument", parameters)
        ids = parameters["DocumentIdList"]
        self._refuse_whole("BatchDeleteDocument", ids)
        failed = self._failed(ids)
        for document_id in set(ids) - {item["Id"] for item in failed}:
            self._gone_at[document_id] = self.clock.now + self.indexing_seconds
        return checked_answer("kendra", "BatchDeleteDocument", {"FailedDocuments": failed})

    def batch_get_document_status(self, **parameters: Any) -> dict[str, Any]:
        self._receive("BatchGetDocumentStatus", parameters)
        ids = [item["DocumentId"] for item in parameters["DocumentInfoList"]]
        self._refuse_whole("BatchGetDocumentStatus", ids)
        return checked_answer(
            "kendra",
            "BatchGetDocumentStatus",
            {"DocumentStatusList": [self._status(document_id) for document_id in ids], "Errors": []},
        )

    def sent(self, operation: str = "BatchPutDocument") -> list[str]:
        """The ids of all requests of an operation, in order."""
        return [document_id for name, ids in self.requests if name == operation for document_id in ids]

    def _receive(self, operation: str, parameters: dict[str, Any]) -> None:
        self.clock.now += self.call_seconds
        check_parameters("kendra", operation, parameters)
        code = (self.errors.get(operation) or [None]).pop(0)
        if code is None and self.quota and not self.quota.take(self.clock.now):
            code = "ThrottlingException"
        if code is not None:
            self.throttled += code == "ThrottlingException"
            raise client_error(operation, code, f"{code} for the test")
        check_request("kendra", operation, parameters)

    def _refuse_whole(self, operation: str, ids: list[str]) -> None:
        self.requests.append((operation, list(ids)))
        if not 1 <= len(ids) <= 10:
            raise client_error(operation, "ValidationException", "between 1 and 10 items")
        if len(set(ids)) < len(ids):
            raise client_error(operation, "ValidationException", "an id is given twice")
        if bad := self.poison.intersection(ids):
            raise client_error(operation, "ValidationException", f"not a valid document: {sorted(bad)[0]}")

    def _failed(self, ids: list[str]) -> list[dict[str, str]]:
        return [
            dict(zip(("ErrorCode", "ErrorMessage"), answers.pop(0), strict=True)) | {"Id": document_id}
            for document_id in ids
            if (answers := self.rejections.get(document_id))
        ]

    def _status(self, document_id: str) -> dict[str, Any]:
        now = self.clock.now
        status: dict[str, Any] = {"DocumentId": document_id}
        gone_at = self._gone_at.get(document_id)
        if document_id not in self.documents or (gone_at is not None and gone_at <= now):
            return status | {"DocumentStatus": "NOT_FOUND"}
        if self._ready_at[document_id] > now:
            return status | {"DocumentStatus": "PROCESSING"}
        updated = document_id in self._known_before
        if document_id in self.asynchronous:
            code, reason = self.asynchronous[document_id]
            status |= {"DocumentStatus": "UPDATE_FAILED" if updated else "FAILED", "FailureReason": reason}
            return status | ({"FailureCode": code} if code else {})
        return status | {"DocumentStatus": "UPDATED" if updated else "INDEXED"}
