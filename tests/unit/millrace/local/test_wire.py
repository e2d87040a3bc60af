from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.local.model import Model
from millrace.local.wire import ApiError, JsonRpc, Received, RestJson, wire_of

AGENT = Model("bedrock-agent")
BASE = "/knowledgebases/ABCDEFGHIJ"
SOURCE = f"{BASE}/datasources/KLMNOPQRST"


def rest(*operations: str) -> RestJson:
    return RestJson(AGENT, operations)


def received(method: str, path: str, body: bytes = b"", **query: list[str]) -> Received:
    return Received(method, path, {}, body, query)


def read(wire: RestJson, asked: Received) -> tuple[str, Any]:
    operation = wire.operation(asked)
    return operation, wire.request(operation, asked)


def test_an_arn_in_a_path_keeps_its_slashes():
    arn = "arn:aws:pipes:us-east-1:123456789012:pipe/p"
    wire = RestJson(Model("pipes"), ["TagResource", "DescribePipe"])
    assert read(wire, received("POST", f"/tags/{arn}", b'{"tags": {}}')) == (
        "TagResource",
        {"resourceArn": arn, "tags": {}},
    )
    assert read(wire, received("GET", "/v1/pipes/p")) == ("DescribePipe", {"Name": "p"})


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("PUT", "/knowledgebases/", "CreateKnowledgeBase"),
        ("PUT", "/knowledgebases", "CreateKnowledgeBase"),
        ("POST", "/knowledgebases/", "ListKnowledgeBases"),
        ("GET", BASE, "GetKnowledgeBase"),
        ("DELETE", SOURCE, "DeleteDataSource"),
        ("PUT", f"{SOURCE}/documents", "IngestKnowledgeBaseDocuments"),
        ("POST", f"{SOURCE}/documents", "ListKnowledgeBaseDocuments"),
        ("POST", f"{SOURCE}/documents/getDocuments", "GetKnowledgeBaseDocuments"),
    ],
)
def test_a_rest_operation_is_found_by_method_and_path(method, path, operation):
    assert rest().operation(received(method, path)) == operation


@pytest.mark.parametrize(("method", "path"), [("PATCH", BASE), ("GET", "/nothing"), ("GET", f"{BASE}/a/b/c/d")])
def test_a_path_that_the_api_does_not_have_is_a_404(method, path):
    with pytest.raises(ApiError, match=path) as raised:
        rest().operation(received(method, path))
    assert raised.value.status == 404


def test_a_request_is_of_the_path_and_the_body():
    asked = received("PUT", f"{SOURCE}/documents", b'{"documents": [], "dataSourceId": "another"}')
    assert read(rest(), asked) == (
        "IngestKnowledgeBaseDocuments",
        {"documents": [], "knowledgeBaseId": "ABCDEFGHIJ", "dataSourceId": "KLMNOPQRST"},
    )


@pytest.mark.parametrize(("given", "read_as"), [("true", True), ("false", False), ("yes", "yes")])
def test_a_query_is_read_as_the_kind_of_its_member(given, read_as):
    asked = received("DELETE", "/agents/ABCDEFGHIJ/", skipResourceInUseCheck=[given], unknown=["x"])
    assert read(rest(), asked) == ("DeleteAgent", {"agentId": "ABCDEFGHIJ", "skipResourceInUseCheck": read_as})


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_cannot_be_read(body):
    with pytest.raises(ApiError) as raised:
        read(rest(), received("POST", "/knowledgebases/", body))
    assert raised.value.code == "SerializationException"


def test_an_answer_has_the_status_of_its_operation():
    assert rest().reply("CreateKnowledgeBase", {"a": "ü"}) == (
        202,
        {"Content-Type": "application/json"},
        '{"a": "ü"}'.encode(),
    )
    assert rest().reply("GetKnowledgeBase", {})[0] == 200


def test_a_refusal_has_the_status_that_the_api_gives_its_code():
    status, headers, body = rest().refusal(ApiError("ThrottlingException", "slowly"))
    assert (status, headers["x-amzn-ErrorType"]) == (429, "ThrottlingException")
    assert json.loads(body)["message"] == "slowly"
    assert rest().refusal(ApiError("Strange", "x"))[0] == 400
    assert rest().refusal(ApiError("ThrottlingException", "x", 503))[0] == 503


def test_an_operation_whose_members_are_elsewhere_cannot_be_offered():
    with pytest.raises(ValueError, match=r"GetObject: .*Last-Modified"):
        RestJson(Model("s3"), ["GetObject"])


def test_the_wire_is_of_the_services_protocol():
    assert isinstance(wire_of(Model("kendra"), []), JsonRpc)
    assert isinstance(wire_of(AGENT, []), RestJson)
    with pytest.raises(ValueError, match="rest-xml"):
        wire_of(Model("s3"), [])


def test_a_body_that_is_one_blob_travels_as_it_is_beside_its_headers():
    wire = RestJson(Model("bedrock-runtime"), ["InvokeModel"])
    headers = {"content-type": "application/json", "accept": "*/*", "user-agent": "sdk"}
    asked = Received("POST", "/model/amazon.titan-embed-text-v2:0/invoke", headers, b"\x00{")
    assert read(wire, asked) == (
        "InvokeModel",
        {
            "modelId": "amazon.titan-embed-text-v2:0",
            "body": "AHs=",
            "Content-Type": "application/json",
            "Accept": "*/*",
        },
    )
    answer = {"body": "AHs=", "Content-Type": "application/json"}
    assert wire.reply("InvokeModel", answer) == (200, {"Content-Type": "application/json"}, b"\x00{")
