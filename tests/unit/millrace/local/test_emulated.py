from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from millrace.local.emulated import ApiError, Emulated

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
