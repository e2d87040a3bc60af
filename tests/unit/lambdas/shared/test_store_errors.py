from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError

from shared.store_errors import Overtaken, Refused, StoreUnavailable, ask, ask_for_all, code_of, is_missing
from tests.fakes.s3 import client_error


def raising(error: Exception) -> Any:
    def operation(**_: Any) -> None:
        raise error

    return operation


def cancelled(*reasons: str) -> ClientError:
    told = {"Error": {"Code": "TransactionCanceledException", "Message": "cancelled"}}
    metadata = {"HTTPStatusCode": 400}
    codes = [{"Code": reason} for reason in reasons]
    return ClientError({**told, "CancellationReasons": codes, "ResponseMetadata": metadata}, "TransactWriteItems")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        client_error("PutObject", "SlowDown", status=503),
        client_error("PutObject", "InternalError", status=500),
        client_error("PutObject", "AccessDenied", status=403),
        client_error("PutObject", "NoSuchBucket", status=404),
        client_error("PutObject", "PermanentRedirect", status=301),
        client_error("PutObject", "OperationAborted", status=409),
        client_error("PutObject", "KMS.DisabledException"),
        client_error("PutObject", "ExpiredToken"),
        client_error("PutObject", "RequestTimeout"),
        client_error("TransactWriteItems", "ThrottlingException"),
        client_error("TransactWriteItems", "ProvisionedThroughputExceededException"),
        client_error("TransactWriteItems", "AccessDeniedException"),
        client_error("TransactWriteItems", "ResourceNotFoundException"),
        client_error("TransactWriteItems", "UnrecognizedClientException"),
        client_error("GetKnowledgeBaseDocuments", "ThrottlingException", status=429),
        EndpointConnectionError(endpoint_url="https://localhost"),
        NoCredentialsError(),
        cancelled("None", "ThrottlingError"),
        cancelled("ConditionalCheckFailed", "ProvisionedThroughputExceeded"),
    ],
    ids=str,
)
def test_what_a_store_can_do_for_nobody_is_no_requests_fault(error: Exception) -> None:
    with pytest.raises(StoreUnavailable):
        ask("the store", raising(error))


@pytest.mark.parametrize(
    "error",
    [
        client_error("TransactWriteItems", "ValidationException", "Item size has exceeded the maximum allowed size"),
        client_error("PutObject", "EntityTooLarge"),
        client_error("PutObject", "KeyTooLongError"),
        client_error("PutObject", "SomethingThatNobodyHasSeen"),
        cancelled("ValidationError", "None"),
        cancelled("ItemCollectionSizeLimitExceeded", "ConditionalCheckFailed"),
    ],
    ids=str,
)
def test_what_a_request_is_refused_for_is_its_own_fault(error: Exception) -> None:
    with pytest.raises(Refused):
        ask("the store", raising(error))
    with pytest.raises(StoreUnavailable, match="no single piece of work"):
        ask_for_all("the store", raising(error))


@pytest.mark.parametrize(
    "parts",
    [
        ("ConditionalCheckFailed", "None"),
        ("None", "TransactionConflict"),
        ("TransactionConflict", "ConditionalCheckFailed"),
    ],
)
def test_who_was_slower_is_told_so_and_by_which_part(parts: tuple[str, ...]) -> None:
    with pytest.raises(Overtaken) as caught:
        ask("the store", raising(cancelled(*parts)))
    assert caught.value.parts == list(parts)


def test_a_write_by_itself_whose_condition_does_not_hold_came_too_late() -> None:
    with pytest.raises(Overtaken) as caught:
        ask_for_all("the store", raising(client_error("PutItem", "ConditionalCheckFailedException")))
    assert caught.value.parts == ["ConditionalCheckFailed"]


def test_what_the_sdk_quotes_of_a_request_is_not_told() -> None:
    with pytest.raises(Refused) as caught:
        ask("the store", raising(ParamValidationError(report="value: a secret of the item")))
    assert "secret" not in str(caught.value)


def test_an_error_tells_the_store_the_operation_and_its_words() -> None:
    with pytest.raises(StoreUnavailable, match=r"^the bucket knowledge: PutObject: AccessDenied: not for you$"):
        ask("the bucket knowledge", raising(client_error("PutObject", "AccessDenied", "not for you", status=403)))


@pytest.mark.parametrize(
    ("error", "code", "missing"),
    [
        (client_error("GetObject", "NoSuchKey", status=404), "NoSuchKey", True),
        (client_error("HeadObject", "404", status=404), "404", True),
        (client_error("GetObject", "NoSuchBucket", status=404), "NoSuchBucket", False),
        (EndpointConnectionError(endpoint_url="https://localhost"), "", False),
    ],
)
def test_an_error_has_the_stores_own_code_if_it_gave_one(error: Exception, code: str, missing: bool) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        ask_for_all("the store", raising(error))
    assert code_of(caught.value) == code
    assert is_missing(caught.value) is missing
