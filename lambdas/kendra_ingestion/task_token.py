"""The adapter for the token that ProcessBatches waits with: Step Functions takes one answer a token."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from kendra_ingestion.telemetry import logger

ANSWERED = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
"""Nobody waits with this token any more: it was answered before, or a later try of the state has another."""


def answer(client: Any, token: str) -> None:
    """Let the machine go on. Who comes second changes nothing."""
    try:
        client.send_task_success(taskToken=token, output="{}")
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in ANSWERED:
            raise
        logger.info("nobody waits with this token any more", reason=code)
    else:
        logger.info("every message is accounted for; the machine goes on")
