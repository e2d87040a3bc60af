from __future__ import annotations

import io
import re
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from kendra_ingestion import bedrock
from kendra_ingestion.bedrock import BedrockSink
from kendra_ingestion.calling import Means, Piece
from kendra_ingestion.documents import Document
from kendra_ingestion.errors import (
    SinkError,
    SinkMisconfigured,
    SinkRefused,
    SinkThrottled,
    SinkUnavailable,
)
from kendra_ingestion.folder import Folder
from kendra_ingestion.metadata import AttributeType
from kendra_ingestion.outcomes import Outcome
from kendra_ingestion.pacing import Pacer
from kendra_ingestion.sending import Sending
from kendra_ingestion.sink import Rejected, State, Status
from shared.backoff import Backoff
from tests.fakes.api_model import service_model
from tests.fakes.bedrock import DATA_SOURCE_ID, KNOWLEDGE_BASE_ID, SERVICE, FakeBedrock
from tests.fakes.clock import FakeClock
from tests.fakes.pool import InlinePool
from tests.fakes.s3 import FakeS3, client_error

BUCKET = "ingestion"
OPERATIONS = ("IngestKnowledgeBaseDocuments", "GetKnowledgeBaseDocuments", "DeleteKnowledgeBaseDocuments")


@pytest.fixture
def bedrock_client() -> FakeBedrock:
    return FakeBedrock()


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3(BUCKET)


def sink_on(
    client: Any, s3: Any, *, types: dict[str, AttributeType] | None = None, scope: str = "invocation-1"
) -> BedrockSink:
    return BedrockSink(
        client,
        Folder(s3, BUCKET),
        knowledge_base_id=KNOWLEDGE_BASE_ID,
        data_source_id=DATA_SOURCE_ID,
        attribute_types=types or {},
        scope=scope,
    )


def stored(s3: FakeS3, document_id: str = "emp-1", body: bytes = b'{"name": "Ada"}', **change: Any) -> Document:
    """A document whose content is in the folder."""
    document: Document = {
        "documentId": document_id,
        "key": f"p/batches/{document_id}.json",
        "contentType": "JSON",
        "attributes": {},
        "accessControlList": [],
        "size": len(body),
    }
    document |= change  # type: ignore[typeddict-item]
    s3[f"{BUCKET}/{document['key']}"] = body
    return document


def content_of(client: FakeBedrock, document_id: str) -> dict[str, Any]:
    return client.documents[document_id]["content"]["custom"]


def test_a_document_goes_in_line_with_its_metadata(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    sent = stored(
        s3,
        title="Ada",
        attributes={"department": "R&D", "topics": ["a"], "_view_count": 7, "_created_at": "2025-10-05"},
        accessControlList=[{"name": "ada", "type": "USER", "access": "ALLOW"}],
    )
    assert sink_on(bedrock_client, s3, types={"_created_at": AttributeType.DATE}).put([sent]) == []
    assert bedrock_client.documents["emp-1"] == {
        "content": {
            "dataSourceType": "CUSTOM",
            "custom": {
                "customDocumentIdentifier": {"id": "emp-1"},
                "sourceType": "IN_LINE",
                "inlineContent": {"type": "TEXT", "textContent": {"data": '{"name": "Ada"}'}},
            },
        },
        "metadata": {
            "type": "IN_LINE_ATTRIBUTE",
            "inlineAttributes": [
                {"key": "department", "value": {"type": "STRING", "stringValue": "R&D"}},
                {"key": "topics", "value": {"type": "STRING_LIST", "stringListValue": ["a"]}},
                {"key": "_view_count", "value": {"type": "NUMBER", "numberValue": 7.0}},
                {"key": "_created_at", "value": {"type": "NUMBER", "numberValue": 1_759_622_400.0}},
                {"key": "_document_title", "value": {"type": "STRING", "stringValue": "Ada"}},
            ],
            "accessControlList": [{"name": "ada", "type": "USER", "access": "ALLOW"}],
        },
    }


def test_a_document_without_metadata_that_the_service_reads_itself_is_not_read_by_us(
    bedrock_client: FakeBedrock, s3: FakeS3
) -> None:
    paper = stored(s3, "paper", b"%PDF", key="p/batches/paper.pdf", contentType="PDF")
    assert sink_on(bedrock_client, s3).put([paper]) == []
    assert content_of(bedrock_client, "paper")["s3Location"] == {"uri": "s3://ingestion/p/batches/paper.pdf"}
    assert s3.reads == []


def test_a_document_with_metadata_is_sent_whole_because_both_must_go_the_same_way(
    bedrock_client: FakeBedrock, s3: FakeS3
) -> None:
    paper = stored(s3, "paper", b"%PDF", key="p/batches/paper.pdf", contentType="PDF", title="On computable numbers")
    assert sink_on(bedrock_client, s3).put([paper]) == []
    assert content_of(bedrock_client, "paper")["inlineContent"] == {
        "type": "BYTE",
        "byteContent": {"mimeType": "application/pdf", "data": b"%PDF"},
    }


@pytest.mark.parametrize(
    ("body", "fields", "code", "reason"),
    [
        (b'{"name": "\xff"}', {}, "InvalidRequest", "not UTF-8: byte 0xff at offset 10"),
        (b"", {}, "InvalidRequest", "empty"),
        (b"\xef\xbb\xbf", {}, "InvalidRequest", "empty"),
        (b"PK", {"contentType": "PPT"}, "InvalidRequest", "PPT, which a knowledge base does not read"),
        (b"{\\rtf1}", {"contentType": "RTF"}, "InvalidRequest", "RTF, which a knowledge base does not read"),
        (b"{}", {"attributes": {"topics": ["a"] * 11}}, "InvalidRequest", "/Attributes/topics has 11 values"),
        (b" " * (5 * 1024 * 1024 + 1), {"size": 3}, "DocumentTooLarge", "grown since it was listed"),
    ],
)
def test_a_document_that_cannot_be_taken_is_rejected_and_the_others_go(
    bedrock_client: FakeBedrock, s3: FakeS3, body: bytes, fields: dict[str, Any], code: str, reason: str
) -> None:
    documents = [stored(s3, "first"), stored(s3, "bad", body, **fields), stored(s3, "last")]
    [rejected] = sink_on(bedrock_client, s3).put(documents)
    assert (rejected.document_id, rejected.code, rejected.passing) == ("bad", code, False)
    assert reason in rejected.message
    assert bedrock_client.requests == [("IngestKnowledgeBaseDocuments", ["first", "last"])]


def test_an_object_that_vanished_is_rejected_and_the_others_go(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    documents = [stored(s3, "gone"), stored(s3, "forbidden"), stored(s3, "there")]
    del s3["ingestion/p/batches/gone.json"]
    s3.forbidden.add("p/batches/forbidden.json")
    rejected = sink_on(bedrock_client, s3).put(documents)
    assert [(item.document_id, item.code, item.passing) for item in rejected] == [
        ("gone", "Unreadable", False),
        ("forbidden", "Unreadable", False),
    ]
    assert list(bedrock_client.documents) == ["there"]


def test_a_request_with_nothing_left_in_it_is_not_sent(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    assert len(sink_on(bedrock_client, s3).put([stored(s3, body=b"")])) == 1
    assert bedrock_client.requests == []


@pytest.mark.parametrize(
    "error",
    [client_error("GetObject", "SlowDown", status=503), ReadTimeoutError(endpoint_url="https://s3")],
)
def test_an_outage_of_s3_is_tried_again_and_charged_to_no_document(
    bedrock_client: FakeBedrock, s3: FakeS3, error: Exception
) -> None:
    document = stored(s3)

    class Slow:
        def get_object(self, **_: Any) -> Any:
            raise error

    with pytest.raises(SinkUnavailable, match=r"S3 did not give p/batches/emp-1\.json"):
        sink_on(bedrock_client, Slow()).put([document])


def test_a_request_over_the_payload_is_refused_before_it_is_sent(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    large = [stored(s3, f"emp-{number}", b'"' * 1_000_000) for number in range(4)]
    with pytest.raises(SinkRefused, match=r"8,00\d,\d{3} bytes, with its documents in line; .* takes 6,291,456"):
        sink_on(bedrock_client, s3).put(large)
    assert bedrock_client.requests == []


def test_a_request_over_the_payload_is_cut_until_its_documents_are_sent(
    bedrock_client: FakeBedrock, s3: FakeS3
) -> None:
    large = [stored(s3, f"emp-{number}", b'"' * 1_000_000) for number in range(4)]
    clock = FakeClock()
    means = Means(Pacer(10), clock, InlinePool(), lambda: 1.0, Backoff())
    sending = Sending("put", sink_on(bedrock_client, s3), means, mark=lambda _: None)
    outcomes = [outcome for _, found in sending.send([Piece(0, tuple(large))], stop_at=1e9) for outcome in found]
    assert sorted(outcomes) == [Outcome(f"emp-{number}", "sent") for number in range(4)]
    assert [len(ids) for _, ids in bedrock_client.requests] == [2, 2]


@pytest.mark.usefixtures("new_clients")
def test_a_request_is_counted_as_the_client_writes_it(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """For text in several scripts and for bytes."""
    documents = [
        stored(s3, "ä", 'ñandú "日本語" 🙂\n'.encode(), title="ñ"),
        stored(s3, "b", bytes(range(256)), contentType="PDF", key="p/batches/b.pdf", title="b"),
    ]
    written = written_by_the_client(documents, s3)
    assert "ñandú" in written.decode()
    monkeypatch.setattr(bedrock, "PAYLOAD_MAX_BYTES", 0)
    with pytest.raises(SinkRefused) as raised:
        sink_on(FakeBedrock(), s3).put(documents)
    [counted] = re.findall(r"would have ([\d,]+) bytes", str(raised.value))
    assert 0 <= int(counted.replace(",", "")) - len(written) <= bedrock.FRAME_BYTES


def written_by_the_client(documents: list[Document], s3: FakeS3) -> bytes:
    """The body of the request that the real client of `aws.bedrock_agent` makes."""
    from botocore.awsrequest import AWSResponse

    from kendra_ingestion import aws

    bodies: list[bytes] = []

    class Raw(io.BytesIO):
        def stream(self, **_: Any) -> Any:
            yield self.read()

    def answer(request: Any, **_: Any) -> AWSResponse:
        assert request.headers["Content-Length"] == str(len(request.body))
        bodies.append(request.body)
        return AWSResponse(request.url, 202, {}, Raw(b'{"documentDetails": []}'))

    client = aws.bedrock_agent()
    client.meta.events.register("before-send.bedrock-agent", answer)
    assert sink_on(client, s3).put(documents) == []
    return bodies[0]


def test_documents_that_the_answer_names_as_failed_or_ignored_are_rejected(
    bedrock_client: FakeBedrock, s3: FakeS3
) -> None:
    bedrock_client.rejections = {"emp-1": ("FAILED", "no text in it"), "emp-3": ("IGNORED", "unsupported")}
    assert sink_on(bedrock_client, s3).put([stored(s3, f"emp-{number}") for number in range(5)]) == [
        Rejected("emp-1", "IndexingFailed", "FAILED: no text in it", passing=False),
        Rejected("emp-3", "IndexingFailed", "IGNORED: unsupported", passing=False),
    ]


def test_deletes_tell_their_rejections_too(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    bedrock_client.rejections = {"b": ("FAILED", "no")}
    assert sink_on(bedrock_client, s3).delete(["a", "b"]) == [
        Rejected("b", "IndexingFailed", "FAILED: no", passing=False)
    ]


def test_a_failure_of_a_stranger_is_never_charged_to_anyone(s3: FakeS3) -> None:
    class Confused(FakeBedrock):
        def delete_knowledge_base_documents(self, **parameters: Any) -> dict[str, Any]:
            reply = super().delete_knowledge_base_documents(**parameters)
            reply["documentDetails"][0] |= {
                "identifier": {"dataSourceType": "S3", "s3": {"uri": "s3://else"}},
                "status": "FAILED",
            }
            return reply

    with pytest.raises(SinkUnavailable, match="documents that it was not sent"):
        sink_on(Confused(), s3).delete(["a"])


def test_every_status_of_the_api_has_a_meaning() -> None:
    assert set(bedrock.STATES) == set(service_model(SERVICE).shape_for("DocumentStatus").enum)


def test_statuses_come_with_their_reasons(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    sink = sink_on(bedrock_client, s3)
    sink.put([stored(s3, document_id) for document_id in ("good", "half", "mute", "old")])
    sink.put([stored(s3, "good", b'{"name": "Grace"}')])
    sink.delete(["old"])
    bedrock_client.asynchronous = {"half": ("PARTIALLY_INDEXED", "2 of 3 chunks"), "mute": ("FAILED", None)}
    assert sink.status(["good", "half", "mute", "old", "stranger"]) == {
        "good": Status(State.INDEXED),
        "half": Status(State.FAILED, "IndexingFailed", "PARTIALLY_INDEXED: 2 of 3 chunks"),
        "mute": Status(State.FAILED, "IndexingFailed", "FAILED: Bedrock gave no reason"),
        "old": Status(State.ABSENT),
        "stranger": Status(State.ABSENT),
    }


def test_a_document_is_processing_until_it_is_indexed_or_gone(s3: FakeS3) -> None:
    client = FakeBedrock(indexing_seconds=5)
    sink = sink_on(client, s3)
    sink.put([stored(s3)])
    assert sink.status(["emp-1"]) == {"emp-1": Status(State.PROCESSING)}
    client.clock.now = 5
    sink.delete(["emp-1"])
    assert sink.status(["emp-1"]) == {"emp-1": Status(State.PROCESSING)}


def test_a_retried_request_is_the_same_request(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    """The answer to the first was lost."""
    sink, documents = sink_on(bedrock_client, s3), [stored(s3), stored(s3, "emp-2")]
    sink.put(documents)
    sink.put(documents)
    assert bedrock_client.ignored == 1
    assert 33 <= len(bedrock_client.tokens[0]) <= 256


def test_the_same_document_in_another_invocation_is_another_request(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    """Sent, deleted and sent again, it is there."""
    document = stored(s3)
    sink_on(bedrock_client, s3, scope="invocation-1").put([document])
    sink_on(bedrock_client, s3, scope="invocation-2").delete(["emp-1"])
    sink = sink_on(bedrock_client, s3, scope="invocation-3")
    sink.put([document])
    assert sink.status(["emp-1"]) == {"emp-1": Status(State.INDEXED)}


@pytest.mark.parametrize("change", [{"body": b"{}"}, {"title": "Grace"}, {"document_id": "emp-2"}])
def test_a_changed_document_is_another_request(bedrock_client: FakeBedrock, s3: FakeS3, change: Any) -> None:
    sink = sink_on(bedrock_client, s3)
    sink.put([stored(s3)])
    sink.put([stored(s3, **change)])
    assert bedrock_client.ignored == 0


def test_any_attribute_is_taken_where_none_are_configured(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    assert sink_on(bedrock_client, s3).attribute_types() is None
    types = {"department": AttributeType.STRING}
    assert sink_on(bedrock_client, s3, types=types).attribute_types() == types


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", SinkThrottled),
        ("ServiceQuotaExceededException", SinkThrottled),
        ("InternalServerException", SinkUnavailable),
        ("ConflictException", SinkUnavailable),
        ("ValidationException", SinkRefused),
        ("AccessDeniedException", SinkMisconfigured),
        ("ResourceNotFoundException", SinkMisconfigured),
    ],
)
def test_the_apis_error_codes_become_the_sinks(
    bedrock_client: FakeBedrock, s3: FakeS3, code: str, error: type[SinkError]
) -> None:
    bedrock_client.errors = {operation: [code] for operation in OPERATIONS}
    sink = sink_on(bedrock_client, s3)
    for call in (lambda: sink.put([stored(s3)]), lambda: sink.status(["a"]), lambda: sink.delete(["a"])):
        with pytest.raises(SinkError) as raised:
            call()
        assert type(raised.value) is error
        assert code in str(raised.value)


def test_every_error_of_the_document_operations_is_known() -> None:
    shapes = (service_model(SERVICE).operation_model(name).error_shapes for name in OPERATIONS)
    assert {shape.name for found in shapes for shape in found} <= set(bedrock.ERRORS)


def test_what_the_service_refuses_is_a_refusal(bedrock_client: FakeBedrock, s3: FakeS3) -> None:
    with pytest.raises(SinkRefused, match="2048"):
        sink_on(bedrock_client, s3).delete(["x" * 2049])
