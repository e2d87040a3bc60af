from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from kendra_ingestion.documents import Document
from kendra_ingestion.errors import (
    SinkError,
    SinkMisconfigured,
    SinkQuotaExceeded,
    SinkRefused,
    SinkThrottled,
    SinkUnavailable,
)
from kendra_ingestion.kendra import STATES, KendraSink
from kendra_ingestion.metadata import AttributeType
from kendra_ingestion.sink import Rejected, State, Status
from tests.fakes.api_model import service_model
from tests.fakes.kendra import FakeKendra
from tests.fakes.pipeline import INDEX_ID, ROLE_ARN
from tests.fakes.s3 import client_error


def document(document_id: str = "emp-1", **change: Any) -> Document:
    plain: Document = {
        "documentId": document_id,
        "key": f"p/batches/{document_id}.json",
        "contentType": "JSON",
        "attributes": {},
        "accessControlList": [],
        "size": 10,
    }
    return plain | change  # type: ignore[return-value]


@pytest.fixture
def kendra() -> FakeKendra:
    return FakeKendra()


def sink_on(client: Any) -> KendraSink:
    return KendraSink(client, index_id=INDEX_ID, role_arn=ROLE_ARN, bucket="ingestion")


def test_a_document_goes_by_its_place_in_s3_with_typed_attributes(kendra: FakeKendra) -> None:
    sent = document(
        title="Ada",
        attributes={"department": "R&D", "topics": ["a"], "_view_count": 7, "_created_at": "2025-10-05"},
        accessControlList=[{"name": "staff", "type": "GROUP", "access": "ALLOW"}],
    )
    assert sink_on(kendra).put([sent]) == []
    assert kendra.documents["emp-1"] == {
        "Id": "emp-1",
        "Title": "Ada",
        "S3Path": {"Bucket": "ingestion", "Key": "p/batches/emp-1.json"},
        "ContentType": "JSON",
        "Attributes": [
            {"Key": "department", "Value": {"StringValue": "R&D"}},
            {"Key": "topics", "Value": {"StringListValue": ["a"]}},
            {"Key": "_view_count", "Value": {"LongValue": 7}},
            {"Key": "_created_at", "Value": {"DateValue": datetime(2025, 10, 5, tzinfo=UTC)}},
        ],
        "AccessControlList": [{"Name": "staff", "Type": "GROUP", "Access": "ALLOW"}],
    }


def test_rejected_documents_are_told_by_their_id(kendra: FakeKendra) -> None:
    kendra.rejections = {"emp-2": [("InvalidRequest", "empty")], "emp-3": [("InternalError", "oops")]}
    assert sink_on(kendra).put([document(f"emp-{number}") for number in range(5)]) == [
        Rejected("emp-2", "InvalidRequest", "empty", passing=False),
        Rejected("emp-3", "InternalError", "oops", passing=True),
    ]


def test_deletes_tell_their_rejections_too(kendra: FakeKendra) -> None:
    kendra.rejections = {"b": [("InvalidRequest", "no")]}
    assert sink_on(kendra).delete(["a", "b"]) == [Rejected("b", "InvalidRequest", "no", passing=False)]


def test_every_status_of_the_api_has_a_meaning() -> None:
    assert set(STATES) == set(service_model("kendra").shape_for("DocumentStatus").enum)


def test_statuses_come_with_their_reasons(kendra: FakeKendra) -> None:
    sink = sink_on(kendra)
    sink.put([document("good"), document("bad"), document("mute")])
    sink.put([document("good")])
    kendra.asynchronous = {"bad": ("DocumentTooLarge", "too much text"), "mute": (None, "unreadable")}
    assert sink.status(["good", "bad", "mute", "stranger"]) == {
        "good": Status(State.UPDATED),
        "bad": Status(State.FAILED, "DocumentTooLarge", "too much text"),
        "mute": Status(State.FAILED, "IndexingFailed", "unreadable"),
        "stranger": Status(State.ABSENT),
    }


def test_the_indexs_attributes_are_asked_for_once(kendra: FakeKendra) -> None:
    sink = sink_on(kendra)
    assert sink.attribute_types()["topics"] is AttributeType.STRING_LIST
    kendra.errors["DescribeIndex"] = ["ThrottlingException"]
    assert sink.attribute_types()["_created_at"] is AttributeType.DATE


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", SinkThrottled),
        ("InternalServerException", SinkUnavailable),
        ("ConflictException", SinkUnavailable),
        ("ValidationException", SinkRefused),
        ("ServiceQuotaExceededException", SinkQuotaExceeded),
        ("AccessDeniedException", SinkMisconfigured),
        ("ResourceNotFoundException", SinkMisconfigured),
        ("UnrecognizedClientException", SinkMisconfigured),
    ],
)
def test_the_apis_error_codes_become_the_sinks(kendra: FakeKendra, code: str, error: type[SinkError]) -> None:
    kendra.errors["BatchPutDocument"] = [code]
    with pytest.raises(SinkError) as raised:
        sink_on(kendra).put([document()])
    assert type(raised.value) is error
    assert code in str(raised.value)


def test_every_error_of_the_batch_operations_is_known() -> None:
    from kendra_ingestion.kendra import ERRORS

    operations = ("BatchPutDocument", "BatchDeleteDocument", "BatchGetDocumentStatus", "DescribeIndex")
    shapes = (service_model("kendra").operation_model(name).error_shapes for name in operations)
    assert {shape.name for found in shapes for shape in found} <= set(ERRORS)


class Broken:
    """A client whose calls end in one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def batch_delete_document(self, **_: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (ReadTimeoutError(endpoint_url="https://kendra"), SinkUnavailable),
        (client_error("BatchDeleteDocument", "Unknown", status=503), SinkUnavailable),
        (client_error("BatchDeleteDocument", "TooManyRequests", status=429), SinkThrottled),
        (client_error("BatchDeleteDocument", "RequestTooLarge", status=413), SinkRefused),
        (ClientError({"Error": {}}, "BatchDeleteDocument"), SinkMisconfigured),
    ],
)
def test_errors_that_no_model_names_are_told_by_their_http_status(error: Exception, becomes: type[SinkError]) -> None:
    with pytest.raises(becomes):
        sink_on(Broken(error)).delete(["a"])


def test_what_boto3_itself_refuses_is_a_refusal(kendra: FakeKendra) -> None:
    with pytest.raises(SinkRefused):
        sink_on(kendra).put([document("")])


def test_what_the_service_refuses_is_a_refusal(kendra: FakeKendra) -> None:
    with pytest.raises(SinkRefused, match="2048"):
        sink_on(kendra).put([document("x" * 2049)])


def test_a_failure_without_a_known_id_is_never_charged_to_anyone() -> None:
    class Forgetful(FakeKendra):
        def batch_delete_document(self, **_: Any) -> dict[str, Any]:
            return {"FailedDocuments": [{"ErrorCode": "InvalidRequest", "ErrorMessage": "which?"}]}

    with pytest.raises(SinkUnavailable, match="documents that it was not sent"):
        sink_on(Forgetful()).delete(["a"])
