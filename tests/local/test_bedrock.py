"""Knowledge bases over HTTP: what needs the wire, S3, IAM and time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, eventually, name, policy, role

pytestmark = pytest.mark.network

MODEL = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
STORAGE = {
    "type": "OPENSEARCH_SERVERLESS",
    "opensearchServerlessConfiguration": {
        "collectionArn": "arn:aws:aoss:us-east-1:123456789012:collection/abcdefghij0123456789",
        "vectorIndexName": "index",
        "fieldMapping": {"vectorField": "vector", "textField": "text", "metadataField": "metadata"},
    },
}


class Base:
    """A knowledge base that reads with the role, and its custom data source."""

    def __init__(self, aws: Instance, reader: str) -> None:
        self.agent = aws.client("bedrock-agent")
        self.runtime = aws.client("bedrock-agent-runtime")
        made = self.agent.create_knowledge_base(
            name=name("base"),
            roleArn=reader,
            knowledgeBaseConfiguration={
                "type": "VECTOR",
                "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": MODEL},
            },
            storageConfiguration=STORAGE,
        )["knowledgeBase"]
        self.id, self.arn = made["knowledgeBaseId"], made["knowledgeBaseArn"]
        ask = self.agent.get_knowledge_base
        eventually(lambda: ask(knowledgeBaseId=self.id)["knowledgeBase"]["status"] == "ACTIVE")
        source = self.agent.create_data_source(
            knowledgeBaseId=self.id, name="custom", dataSourceConfiguration={"type": "CUSTOM"}
        )["dataSource"]
        self.names = {"knowledgeBaseId": self.id, "dataSourceId": source["dataSourceId"]}

    def ingest(self, document_id: str, source: dict[str, Any], **more: Any) -> dict[str, Any]:
        content = {"customDocumentIdentifier": {"id": document_id}, **source}
        documents = [{"content": {"dataSourceType": "CUSTOM", "custom": content}, **more}]
        return self.agent.ingest_knowledge_base_documents(**self.names, documents=documents)

    def settled(self, document_id: str) -> dict[str, Any]:
        identifiers = [identifier(document_id)]

        def ask() -> dict[str, Any] | None:
            answer = self.agent.get_knowledge_base_documents(**self.names, documentIdentifiers=identifiers)
            (detail,) = answer["documentDetails"]
            return None if detail["status"] in ("STARTING", "IN_PROGRESS", "DELETING", "DELETE_IN_PROGRESS") else detail

        return eventually(ask)

    def find(self, text: str, **search: Any) -> list[str]:
        configuration = {"vectorSearchConfiguration": search} if search else {}
        answer = self.runtime.retrieve(
            knowledgeBaseId=self.id, retrievalQuery={"text": text}, retrievalConfiguration=configuration
        )
        return [result["location"]["customDocumentLocation"]["id"] for result in answer["retrievalResults"]]


def identifier(document_id: str) -> dict[str, Any]:
    return {"dataSourceType": "CUSTOM", "custom": {"id": document_id}}


def text(words: str) -> dict[str, Any]:
    return {"sourceType": "IN_LINE", "inlineContent": {"type": "TEXT", "textContent": {"data": words}}}


def stored(bucket: str, key: str) -> dict[str, Any]:
    return {"sourceType": "S3_LOCATION", "s3Location": {"uri": f"s3://{bucket}/{key}"}}


@pytest.fixture(scope="module")
def bucket(embedded_aws: Instance) -> str:
    s3, called = embedded_aws.client("s3"), name("documents")
    s3.create_bucket(Bucket=called)
    s3.put_object(Bucket=called, Key="a.txt", Body=b"How to reset a password")
    s3.put_object(Bucket=called, Key="a.json", Body=json.dumps({"text": "How to reset a password"}))
    return called


@pytest.fixture(scope="module")
def base(embedded_aws: Instance, bucket: str) -> Base:
    return Base(embedded_aws, role(embedded_aws, "bedrock", allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*")))


def test_a_document_goes_from_the_request_into_an_answer_and_away_again(base: Base):
    year = [{"key": "year", "value": {"type": "NUMBER", "numberValue": 2024}}]
    answer = base.ingest(
        "emp-1",
        text("Vacation is asked for in advance"),
        metadata={"type": "IN_LINE_ATTRIBUTE", "inlineAttributes": year},
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["documentDetails"][0]["status"] == "STARTING"
    assert base.settled("emp-1")["status"] == "INDEXED"
    assert base.find("asking for vacations") == ["emp-1"]
    assert base.find("vacation", filter={"lessThan": {"key": "year", "value": 2000}}) == []
    base.agent.delete_knowledge_base_documents(**base.names, documentIdentifiers=[identifier("emp-1")])
    assert base.settled("emp-1")["status"] == "NOT_FOUND"
    assert base.find("vacation") == []


def test_bytes_arrive_as_they_were_sent(base: Base):
    content = {"type": "BYTE", "byteContent": {"mimeType": "text/plain", "data": "Überstunden".encode()}}
    base.ingest("bytes", {"sourceType": "IN_LINE", "inlineContent": content})
    assert base.settled("bytes")["status"] == "INDEXED"
    assert base.find("Überstunden") == ["bytes"]


def test_the_largest_document_passes_and_a_payload_over_the_limit_does_not(base: Base):
    base.ingest("large", text("x" * 5 * 1024 * 1024))
    base.settled("large")
    content = {"customDocumentIdentifier": {"id": "half"}, **text("x" * 3 * 1024 * 1024)}
    halves = [
        {"content": {"dataSourceType": "CUSTOM", "custom": {**content, "customDocumentIdentifier": {"id": half}}}}
        for half in ("one", "two")
    ]
    with pytest.raises(ClientError, match=r"ValidationException.*the limit is 6291456"):
        base.agent.ingest_knowledge_base_documents(**base.names, documents=halves)


def test_an_object_is_read_with_the_role_of_the_knowledge_base(base: Base, bucket: str):
    base.ingest("stored", stored(bucket, "a.txt"))
    assert base.settled("stored")["status"] == "INDEXED"
    base.ingest("ignored", stored(bucket, "a.json"))
    assert base.settled("ignored")["status"] == "IGNORED"
    base.ingest("missing", stored(bucket, "missing.txt"))
    assert base.settled("missing")["status"] == "FAILED"


def test_a_role_reads_what_it_may_and_nothing_more(embedded_aws: Instance, bucket: str):
    elsewhere = role(embedded_aws, "bedrock", allow("s3:GetObject", on="arn:aws:s3:::another/*"))
    distrusted = role(embedded_aws, "lambda", allow("s3:GetObject"))
    for reader, said in ((elsewhere, "s3:GetObject"), (distrusted, "does not trust bedrock")):
        base = Base(embedded_aws, reader)
        base.ingest("denied", stored(bucket, "a.txt"))
        detail = base.settled("denied")
        assert detail["status"] == "FAILED"
        assert said in detail["statusReason"]


def test_a_trust_policys_conditions_hold(embedded_aws: Instance, bucket: str):
    statuses = []
    for account in (embedded_aws.account, "999999999999"):
        condition = {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:*:{account}:knowledge-base/*"},
        }
        base = Base(embedded_aws, role(embedded_aws, "bedrock", allow("s3:GetObject"), condition=condition))
        base.ingest("a", stored(bucket, "a.txt"))
        statuses.append(base.settled("a")["status"])
    assert statuses == ["INDEXED", "FAILED"]


def test_a_knowledge_base_is_called_only_by_who_may_and_the_calls_are_on_record(embedded_aws: Instance, base: Base):
    caller = role(embedded_aws, "lambda", allow("bedrock:GetKnowledgeBaseDocuments", "bedrock:Retrieve", on=base.arn))
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    called = caller.rsplit("/", 1)[-1]
    embedded_aws.client("iam").update_assume_role_policy(RoleName=called, PolicyDocument=policy(trust))
    agent = embedded_aws.client("bedrock-agent", role=caller)
    runtime = embedded_aws.client("bedrock-agent-runtime", role=caller)
    agent.get_knowledge_base_documents(**base.names, documentIdentifiers=[identifier("a")])
    runtime.retrieve(knowledgeBaseId=base.id, retrievalQuery={"text": "password"})
    document = {"customDocumentIdentifier": {"id": "a"}, **text("words")}
    with pytest.raises(agent.exceptions.AccessDeniedException):
        agent.ingest_knowledge_base_documents(
            **base.names, documents=[{"content": {"dataSourceType": "CUSTOM", "custom": document}}]
        )
    with pytest.raises(agent.exceptions.AccessDeniedException):
        agent.delete_knowledge_base_documents(**base.names, documentIdentifiers=[identifier("a")])
    calls = {
        call["action"]: (call["resource"], call["allowed"])
        for call in embedded_aws.calls()
        if call["principal"] == called
    }
    assert calls == {
        "bedrock:GetKnowledgeBaseDocuments": (base.arn, True),
        "bedrock:Retrieve": (base.arn, True),
        "bedrock:IngestKnowledgeBaseDocuments": (base.arn, False),
        "bedrock:DeleteKnowledgeBaseDocuments": (base.arn, False),
    }


def test_errors_arrive_as_the_api_has_them(base: Base):
    agent, runtime = base.agent, base.runtime
    unknown = {**base.names, "dataSourceId": "ABCDEFGHIJ"}
    with pytest.raises(agent.exceptions.ResourceNotFoundException) as raised:
        agent.get_knowledge_base_documents(**unknown, documentIdentifiers=[identifier("a")])
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(runtime.exceptions.ResourceNotFoundException):
        runtime.retrieve(knowledgeBaseId="ABCDEFGHIJ", retrievalQuery={"text": "x"})
    ids = [identifier(str(number)) for number in range(11)]
    with pytest.raises(agent.exceptions.ValidationException, match="length less than or equal to 10"):
        agent.get_knowledge_base_documents(**base.names, documentIdentifiers=ids)
    with pytest.raises(ClientError, match="does not emulate bedrock-agent ListAgents"):
        agent.list_agents()


def test_throttled_calls_are_counted(embedded_aws: Instance, base: Base):
    embedded_aws.set_bedrock_pace(requests_per_second=1)
    codes = []
    try:
        for _ in range(4):
            try:
                base.agent.delete_knowledge_base_documents(**base.names, documentIdentifiers=[identifier("nothing")])
            except ClientError as error:
                codes.append((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))
    finally:
        embedded_aws.set_bedrock_pace(requests_per_second=1000)
    assert set(codes) == {("ThrottlingException", 429)}
    counts = embedded_aws.bedrock_statistics()["regions"][embedded_aws.region]["DeleteKnowledgeBaseDocuments"]
    assert counts["throttled"] == len(codes)


def test_a_fault_can_be_ordered_for_a_call(embedded_aws: Instance, base: Base):
    embedded_aws.order_fault("bedrock:IngestKnowledgeBaseDocuments", code="InternalServerException", status=500)
    try:
        with pytest.raises(base.agent.exceptions.InternalServerException):
            base.ingest("a", text("words"))
    finally:
        embedded_aws.forget_faults()
