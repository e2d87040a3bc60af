"""Which Retry and Catch entries answer to which error (Step Functions developer guide, "Error names")."""

from __future__ import annotations

from collections.abc import Collection

ALL = "States.ALL"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
RUNTIME = "States.Runtime"
DATA_LIMIT_EXCEEDED = "States.DataLimitExceeded"
NO_CHOICE_MATCHED = "States.NoChoiceMatched"
INTRINSIC_FAILURE = "States.IntrinsicFailure"
RESULT_PATH_MATCH_FAILURE = "States.ResultPathMatchFailure"


def matches(listed: Collection[str], error: str | None, also: Collection[str] = ()) -> bool:
    """Whether an `ErrorEquals` list answers to an error; `also` are other names of the same error.

    States.Runtime is answered by nothing, States.DataLimitExceeded by its name alone. States.ALL answers to
    all others, States.TaskFailed to all others but a timeout.
    """
    if error == RUNTIME:
        return False
    if error in listed or any(name in listed for name in also):
        return True
    if error == DATA_LIMIT_EXCEEDED:
        return False
    return ALL in listed or (TASK_FAILED in listed and error != TIMEOUT)
