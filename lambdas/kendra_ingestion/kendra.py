"""The sink that is an Amazon Kendra index. Kendra's words and error codes stop here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from kendra_ingestion import sink_errors
from kendra_ingestion.documents import Document
from kendra_ingestion.errors import SinkQuotaExceeded
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.metadata import AttributeType, as_date
from kendra_ingestion.sink import Rejected, State, Status
from kendra_ingestion.sink_errors import Errors, ask, of_those_sent

ERRORS: Errors = sink_errors.ERRORS | {"ServiceQuotaExceededException": SinkQuotaExceeded}
"""The errors of the batch operations (API model). Kendra's quota is of documents: the index is full."""

STATES = {
    "NOT_FOUND": State.ABSENT,
    "PROCESSING": State.PROCESSING,
    "INDEXED": State.INDEXED,
    "UPDATED": State.UPDATED,
    "FAILED": State.FAILED,
    "UPDATE_FAILED": State.FAILED,
}

VALUE_FIELD = {
    AttributeType.STRING: "StringValue",
    AttributeType.STRING_LIST: "StringListValue",
    AttributeType.LONG: "LongValue",
    AttributeType.DATE: "DateValue",
}

INTERNAL_ERROR = "InternalError"
"""FailedDocuments' ErrorCode for a fault of Kendra's own; the other one is INVALID_REQUEST."""

_ask = partial(ask, "Kendra", ERRORS)


class KendraSink:
    """One index. Documents go by `S3Path`: Kendra reads them itself, with the role given here, which allows
    50 MB a request where inline documents are held to 5 MB."""

    def __init__(self, client: Any, *, index_id: str, role_arn: str, bucket: str) -> None:
        self._client = client
        self._index_id = index_id
        self._role_arn = role_arn
        self._bucket = bucket

    def attribute_types(self) -> Mapping[str, AttributeType]:
        return self._types

    def put(self, documents: Sequence[Document]) -> list[Rejected]:
        reply = _ask(
            self._client.batch_put_document,
            IndexId=self._index_id,
            RoleArn=self._role_arn,
            Documents=[self._to_kendra(document) for document in documents],
        )
        return _rejected(reply, {document["documentId"] for document in documents})

    def delete(self, document_ids: Sequence[str]) -> list[Rejected]:
        reply = _ask(self._client.batch_delete_document, IndexId=self._index_id, DocumentIdList=list(document_ids))
        return _rejected(reply, set(document_ids))

    def status(self, document_ids: Sequence[str]) -> Mapping[str, Status]:
        reply = _ask(
            self._client.batch_get_document_status,
            IndexId=self._index_id,
            DocumentInfoList=[{"DocumentId": document_id} for document_id in document_ids],
        )
        return {item["DocumentId"]: _status(item) for item in reply.get("DocumentStatusList", [])}

    @cached_property
    def _types(self) -> dict[str, AttributeType]:
        reply = _ask(self._client.describe_index, Id=self._index_id)
        return {item["Name"]: AttributeType(item["Type"]) for item in reply.get("DocumentMetadataConfigurations", [])}

    def _to_kendra(self, document: Document) -> dict[str, Any]:
        translated: dict[str, Any] = {
            "Id": document["documentId"],
            "S3Path": {"Bucket": self._bucket, "Key": document["key"]},
            "ContentType": document["contentType"],
        }
        if "title" in document:
            translated["Title"] = document["title"]
        if document["attributes"]:
            translated["Attributes"] = [
                {"Key": key, "Value": _value(value, self._types[key])} for key, value in document["attributes"].items()
            ]
        if document["accessControlList"]:
            translated["AccessControlList"] = [
                {"Name": entry["name"], "Type": entry["type"], "Access": entry["access"]}
                for entry in document["accessControlList"]
            ]
        return translated


def _value(value: Any, kind: AttributeType) -> dict[str, Any]:
    return {VALUE_FIELD[kind]: as_date(value) if kind is AttributeType.DATE else value}


def _rejected(reply: Mapping[str, Any], sent: set[str]) -> list[Rejected]:
    rejected = [
        Rejected(
            item.get("Id", ""),
            item.get("ErrorCode", INTERNAL_ERROR),
            item.get("ErrorMessage", "Kendra gave no reason"),
            item.get("ErrorCode", INTERNAL_ERROR) == INTERNAL_ERROR,
        )
        for item in reply.get("FailedDocuments", [])
    ]
    return of_those_sent("Kendra", rejected, sent)


def _status(item: Mapping[str, Any]) -> Status:
    state = STATES[item["DocumentStatus"]]
    if state is not State.FAILED:
        return Status(state)
    reason = item.get("FailureReason", f"Kendra gave no reason for {item['DocumentStatus']}")
    return Status(state, item.get("FailureCode", FailureCode.INDEXING_FAILED), reason)
