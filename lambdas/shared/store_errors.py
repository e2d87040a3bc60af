"""What AWS's errors mean here, once for every store: whether one request was refused for what it is, or the store
could do its work for nobody.

* Refused           this one request is at fault, so what it was made for is charged with it
* Overtaken         a write's condition does not hold any more, or another writer holds a transaction's items
* StoreUnavailable  anything else; the name that state machines retry by
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from shared.dynamodb_errors import CONDITION_FAILED, CONDITION_FAILED_ERROR, PASSING, hindrances, reasons

BAD_REQUEST = 400
"""The one HTTP status by which a store speaks of what was asked. Any other speaks of the store."""

NOT_THE_REQUESTS = PASSING | frozenset(
    {
        "AccessDeniedException",
        "AuthorizationHeaderMalformed",
        "BadDigest",
        "ExpiredToken",
        "ExpiredTokenException",
        "IllegalLocationConstraintException",
        "IncompleteBody",
        "IncompleteSignature",
        "InvalidSignatureException",
        "InvalidToken",
        "LimitExceededException",
        "MissingAuthenticationToken",
        "ReplicatedWriteConflictException",
        "RequestExpired",
        "RequestTimeout",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
        "XAmzContentSHA256Mismatch",
    }
)
"""Errors that come with that status too, and still say nothing of what was asked, but of who asks, of which table, how
often, and over which line (API references of DynamoDB and S3: "Common errors", "List of error codes"). S3's errors
about keys of KMS begin with `KMS.`."""

OTHERS = frozenset({CONDITION_FAILED, "TransactionConflict"})
"""Reasons of a cancelled transaction by which somebody else was faster."""


MISSING = frozenset({"NoSuchKey", "404"})


class Refused(Exception):
    """One request was refused for what it is. The message holds none of the text that was to be stored."""


class Overtaken(Exception):
    """A write came too late. `parts` has a reason a part, in their order, "None" for what did not hinder it."""

    def __init__(self, parts: list[str]) -> None:
        super().__init__(", ".join(parts))
        self.parts = parts


class StoreUnavailable(Exception):
    """A store did not do what was asked, for no fault of what it was asked for: throttling, an outage, a missing
    permission, a missing bucket."""


def ask(store: str, operation: Callable[..., Any], **parameters: Any) -> Any:
    """Call an operation of the SDK for one piece of work. Raises Refused, Overtaken and StoreUnavailable."""
    try:
        return operation(**parameters)
    except ParamValidationError as error:
        # The SDK's report quotes the values, so it goes no further.
        raise Refused("the SDK does not send what the request holds") from error
    except ClientError as error:
        raise _translated(store, error) from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{store} did not answer: {error}") from error


def ask_for_all(store: str, operation: Callable[..., Any], **parameters: Any) -> Any:
    """Call an operation that is about no single piece of work. Raises Overtaken and StoreUnavailable."""
    try:
        return ask(store, operation, **parameters)
    except Refused as error:
        raise StoreUnavailable(f"{store} refuses what is asked for no single piece of work: {error}") from error


def code_of(error: StoreUnavailable) -> str:
    """The store's own code of an error, empty where it gave no answer."""
    cause = error.__cause__
    return str(cause.response["Error"].get("Code", "")) if isinstance(cause, ClientError) else ""


def is_missing(error: StoreUnavailable) -> bool:
    """Whether S3 says that an object is not there."""
    return code_of(error) in MISSING


def _translated(store: str, error: ClientError) -> Exception:
    code = error.response["Error"].get("Code", "")
    message = f"{error.operation_name}: {code}: {error.response['Error'].get('Message') or 'no message was given'}"
    if code == CONDITION_FAILED_ERROR:
        return Overtaken([CONDITION_FAILED])
    if parts := reasons(error):
        return _cancelled(parts, hindrances(error), f"{store}: {message}")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", BAD_REQUEST)
    if status == BAD_REQUEST and code not in NOT_THE_REQUESTS and not code.startswith("KMS."):
        return Refused(message)
    return StoreUnavailable(f"{store}: {message}")


def _cancelled(parts: list[str], hindered: set[str], message: str) -> Exception:
    if hindered <= OTHERS:
        return Overtaken(parts)
    others = ", ".join(sorted(hindered - OTHERS))
    if hindered & (PASSING - OTHERS):
        return StoreUnavailable(message)
    return Refused(f"TransactWriteItems: {others}")
