from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from millrace.local.states.calls import Caller, CallFailed, Calls, InvalidParameters, Keys, function_failure
from millrace.local.states.integrations import integration

CALLER = Caller("eu-west-1", "arn:aws:iam::123456789012:role/r")
GET = integration("arn:aws:states:::aws-sdk:dynamodb:getItem")
PARAMETERS = {"TableName": "t", "Key": {"id": {"S": "a"}}}


class Client:
    """A client whose one answer is given."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get_item(self, **request: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Item": request["Key"], "ResponseMetadata": {}}


@pytest.fixture
def calls() -> Calls:
    return Calls("http://127.0.0.1:9", lambda _: Keys("k", "s"))


def answering(calls: Calls, monkeypatch: pytest.MonkeyPatch, answer: Any) -> Calls:
    monkeypatch.setattr(calls, "client", lambda *_: Client(answer))
    return calls


def test_an_answer_comes_in_the_form_of_the_integration(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answering(calls, monkeypatch, None).call(GET, PARAMETERS, CALLER) == {"Item": {"id": {"S": "a"}}}


def test_an_api_error_becomes_the_error_that_retry_and_catch_match(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ClientError(
        {
            "Error": {"Code": "ResourceNotFoundException", "Message": "no table"},
            "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "r"},  # type: ignore[typeddict-item]
        },
        "GetItem",
    )
    with pytest.raises(CallFailed) as failed:
        answering(calls, monkeypatch, error).call(GET, PARAMETERS, CALLER)
    assert failed.value.error == "DynamoDb.ResourceNotFoundException"
    assert failed.value.cause == "no table (Service: DynamoDb, Status Code: 400, Request ID: r)"


def test_a_service_that_does_not_answer_is_a_client_error(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CallFailed) as failed:
        answering(calls, monkeypatch, ConnectTimeoutError(endpoint_url="u")).call(GET, PARAMETERS, CALLER)
    assert failed.value.error == "DynamoDb.SdkClientException"


def test_unknown_parameters_are_named(calls: Calls) -> None:
    with pytest.raises(InvalidParameters, match="GetItem does not take Keys"):
        calls.call(GET, {**PARAMETERS, "Keys": 1}, CALLER)


def test_parameters_of_a_wrong_type_are_refused_before_any_call(calls: Calls) -> None:
    with pytest.raises(InvalidParameters, match="ConsistentRead"):
        calls.call(GET, {**PARAMETERS, "ConsistentRead": "yes"}, CALLER)


def test_one_client_serves_one_caller(calls: Calls) -> None:
    assert calls.client("dynamodb", CALLER) is calls.client("dynamodb", CALLER)
    elsewhere = Caller("eu-central-1", CALLER.role)
    assert calls.client("dynamodb", elsewhere) is not calls.client("dynamodb", CALLER)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"errorType": "ManifestInvalid", "errorMessage": "m"}, "ManifestInvalid"),
        ({"errorMessage": "m"}, "Lambda.Unknown"),
        ("died", "Lambda.Unknown"),
    ],
)
def test_a_function_fails_with_the_type_of_its_error(payload: Any, error: str) -> None:
    assert function_failure(payload).error == error
