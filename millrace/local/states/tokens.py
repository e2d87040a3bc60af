"""Task tokens: each names one attempt of a task that waits, and through it the execution and the state machine.

AWS's tokens are as opaque as these are meant to be; what they hold is read here only, so that a policy can be asked
about the machine that a token belongs to.
"""

from __future__ import annotations

import base64
import secrets

from millrace.local.states import arns

RANDOM_BYTES = 32


class InvalidToken(ValueError):
    """The text is no task token."""


def new(execution: str) -> str:
    """A token, never given before, for a task of the execution of that ARN."""
    return base64.b64encode(execution.encode() + b"\0" + secrets.token_bytes(RANDOM_BYTES)).decode()


def execution_of(token: str) -> str:
    """The ARN of the execution that the token was made for. Raises InvalidToken."""
    try:
        execution = base64.b64decode(token, validate=True)[: -RANDOM_BYTES - 1].decode()
        arns.parse(execution, "execution", "express")
    except ValueError as error:
        raise InvalidToken("the text is no task token") from error
    return execution


def machine_of(token: str) -> str:
    """The ARN of the state machine: what a policy allows to answer a token of. Raises InvalidToken."""
    return arns.parse(execution_of(token), "execution", "express").machine
