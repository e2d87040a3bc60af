from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from millrace.local.emulated import ApiError, Concurrency, Emulated, replace

INDEX = "0" * 36


def ask(operation, request: Any = None, name: str = "DeleteIndex") -> tuple[int, dict[str, Any]]:
    """Ask for DeleteIndex of a service that has this operation under the given name."""
    service = Emulated("kendra", {name: operation})
    body = b"{" if request == "broken" else json.dumps(request or {"Id": INDEX}).encode()
    headers = {"x-amz-target": "AWSKendraFrontendService.DeleteIndex"}
    status, sent, answer = asyncio.run(service.handle_request("POST", "/", headers, body, {}))
    assert sent["Content-Type"] == "application/x-amz-json-1.1"
    return status, json.loads(answer)


def test_an_answer_that_the_api_has_goes_out():
    assert ask(lambda _: {}) == (200, {})


def test_an_answer_that_the_api_does_not_have_is_a_loud_500():
    status, answer = ask(lambda _: {"Status": "GONE"})
    assert status == 500
    assert "what the real API cannot" in answer["message"]


def test_a_defect_is_a_500_that_names_the_operation():
    status, answer = ask(lambda request: {"x": request["nowhere"]})
    assert status == 500
    assert "DeleteIndex failed: KeyError('nowhere')" in answer["message"]


def test_a_refusal_carries_its_code():
    def refuse(_: Any) -> Any:
        raise ApiError("ConflictException", "busy")

    assert ask(refuse) == (400, {"__type": "ConflictException", "message": "busy"})


def test_null_members_do_not_reach_an_operation():
    seen: list[Any] = []
    ask(lambda request: seen.append(request) or {}, {"Id": INDEX, "Else": None})
    assert seen == [{"Id": INDEX}]


@pytest.mark.parametrize(
    ("request_", "code"), [("broken", "SerializationException"), ({"Id": "x"}, "ValidationException")]
)
def test_a_request_that_breaks_the_api_does_not_reach_an_operation(request_, code):
    status, answer = ask(pytest.fail, request_)
    assert (status, answer["__type"]) == (400, code)


def test_an_operation_that_is_missing_is_named():
    status, answer = ask(lambda _: {}, name="DescribeIndex")
    assert status == 501
    assert "DeleteIndex" in answer["message"]


def test_an_operation_that_the_api_does_not_have_cannot_be_offered():
    with pytest.raises(ValueError, match="DropIndex"):
        Emulated("kendra", {"DropIndex": lambda _: {}})


BASES = "/knowledgebases/"


def test_a_rest_service_is_asked_by_method_and_path():
    service = Emulated("bedrock-agent", {"ListKnowledgeBases": lambda _: {"knowledgeBaseSummaries": []}})
    status, headers, body = asyncio.run(service.handle_request("POST", BASES, {}, b"", {}))
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"knowledgeBaseSummaries": []}


def test_a_payload_over_the_limit_does_not_reach_an_operation():
    service = Emulated("bedrock-agent", {"ListKnowledgeBases": pytest.fail}, payload_bytes={"ListKnowledgeBases": 20})
    status, _, body = asyncio.run(service.handle_request("POST", BASES, {}, b" " * 21, {}))
    assert status == 400
    assert "is 21 bytes; the limit is 20" in json.loads(body)["message"]


def test_one_request_too_many_at_the_same_time_is_refused_and_the_next_is_not():
    go = threading.Event()

    def wait(_: Any) -> dict[str, Any]:
        assert go.wait(10)
        return {"knowledgeBaseSummaries": []}

    operations = frozenset({"ListKnowledgeBases"})
    service = Emulated("bedrock-agent", {"ListKnowledgeBases": wait}, concurrency=Concurrency(operations, 2))

    async def ask() -> list[int]:
        def one() -> Any:
            return service.handle_request("POST", BASES, {}, b"", {})

        running = [asyncio.ensure_future(one()) for _ in range(2)]
        await asyncio.sleep(0)
        status, headers, _ = await one()
        assert headers["x-amzn-ErrorType"] == "ServiceQuotaExceededException"
        other, _, _ = await service.handle_request("GET", "/nothing", {}, b"", {})
        go.set()
        done = [answer[0] for answer in await asyncio.gather(*running)]
        return [status, other, *done, (await one())[0]]

    assert asyncio.run(ask()) == [402, 404, 200, 200, 200]


def test_only_a_service_that_is_there_can_be_replaced():
    substrate = SimpleNamespace(SERVICE_HANDLERS={})
    with pytest.raises(ValueError, match="bedrock-agent to replace"):
        replace(substrate, "bedrock-agent", Emulated("bedrock-agent", {}))
