"""Asking a sink's API, once for every sink: AWS's errors become the sink's, and answers are about what was asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from kendra_ingestion.errors import SinkError, SinkMisconfigured, SinkRefused, SinkThrottled, SinkUnavailable
from kendra_ingestion.sink import Rejected

Errors = Mapping[str, type[SinkError]]

ERRORS: dict[str, type[SinkError]] = {
    "ThrottlingException": SinkThrottled,
    "InternalServerException": SinkUnavailable,
    "ConflictException": SinkUnavailable,
    "ServiceUnavailable": SinkUnavailable,
    "ValidationException": SinkRefused,
    "AccessDeniedException": SinkMisconfigured,
    "ResourceNotFoundException": SinkMisconfigured,
}
"""The errors that every sink's operations share (API models). A conflict passes: the sink is being changed."""

TOO_LARGE, TOO_MANY = 413, 429


def ask(service: str, errors: Errors, operation: Callable[..., Any], **parameters: Any) -> Any:
    """Call an operation of the SDK. Raises SinkError; an error that `errors` does not name is told by its HTTP
    status."""
    try:
        return operation(**parameters)
    except ParamValidationError as error:
        raise SinkRefused(str(error)) from error
    except ClientError as error:
        raise _translated(service, errors, error) from error
    except BotoCoreError as error:
        raise SinkUnavailable(f"{service} did not answer: {error}") from error


def of_those_sent(service: str, rejected: list[Rejected], sent: Collection[str]) -> list[Rejected]:
    """The same, once it is known that they are about documents that were sent. Raises SinkUnavailable: an answer that
    is about others says nothing of ours."""
    strangers = [item.document_id for item in rejected if item.document_id not in sent]
    if strangers:
        raise SinkUnavailable(f"{service} says that it failed on documents that it was not sent: {strangers[:3]}")
    return rejected


def _translated(service: str, errors: Errors, error: ClientError) -> SinkError:
    code = error.response["Error"].get("Code", "")
    message = error.response["Error"].get("Message") or f"{service} gave no message"
    kind = errors.get(code) or _by_status(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return kind(f"{error.operation_name}: {code}: {message}")


def _by_status(status: int) -> type[SinkError]:
    if status == TOO_MANY:
        return SinkThrottled
    if status == TOO_LARGE:
        return SinkRefused
    return SinkUnavailable if status >= 500 else SinkMisconfigured
