"""What DynamoDB's errors mean, once for every table."""

from __future__ import annotations

from botocore.exceptions import ClientError

PASSING = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Error codes, and reasons of a cancelled transaction, that are gone a moment later (API reference, TransactWriteItems;
developer guide, "Error handling")."""

CONDITION_FAILED = "ConditionalCheckFailed"
"""The reason of an item of a cancelled transaction whose condition does not hold."""

CONDITION_FAILED_ERROR = "ConditionalCheckFailedException"
"""The error of a write by itself whose condition does not hold."""


def reasons(error: ClientError) -> list[str]:
    """Why a transaction was cancelled: a code an item, in their order, "None" for those that did not hinder it. Empty
    for an error of another kind."""
    return [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]


def hindrances(error: ClientError) -> set[str]:
    """What hindered a call: the reasons of a cancelled transaction, or else the error's code."""
    return {reason for reason in reasons(error) if reason != "None"} or {error.response["Error"]["Code"]}
