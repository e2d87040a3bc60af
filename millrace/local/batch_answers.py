"""What a function's answer to a batch says of its messages or records, as Lambda reads it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

REPORTS_FAILURES = "ReportBatchItemFailures"


def failed(answer: Any, messages: Collection[str]) -> Collection[str]:
    """The ids of the messages that failed (of records: their sequence numbers), by the answer of a function whose
    mapping has ReportBatchItemFailures.

    No answer, `{}`, and a list that is null or empty say that none did. An answer of another shape, and an identifier
    that is empty, null, under another name or not one of the batch, say that all did (Lambda developer guide,
    "Success and failure conditions" of partial batch responses).
    """
    if answer is None:
        return ()
    if not isinstance(answer, dict):
        return messages
    listed = answer.get("batchItemFailures")
    if listed is None:
        return ()
    if not isinstance(listed, list) or not all(isinstance(failure, dict) for failure in listed):
        return messages
    named = [failure.get("itemIdentifier") for failure in listed]
    known = set(messages)
    return named if all(isinstance(one, str) and one in known for one in named) else messages
