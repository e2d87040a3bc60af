"""What can go wrong on the operator's side, and the exit code that each ends the command with.

* MillraceError           1  the root: the message says what, where and what to do
  - UsageError            2  the request itself is wrong: a folder, a name, an option
    . NotDeployed         2  the deployment does not have the workflow that the command is about
  - NoDeployment          1  nothing to talk to: no embedded AWS is running and Terraform has no outputs
  - NotFound              1  the job, execution or report that was asked for does not exist
  - AlreadyRunning        4  an execution holds this job's lock at this moment
  - NotRunning            1  the job that was to be stopped is not running
  - NotSetAside           1  the incident or delta that was to be tried again does not wait for a person
  - PointerMoved          1  a compaction has published meanwhile, so the pointer was not set back
  - NotEmbedded           1  what was sent to be embedded cannot be merged; the message says where it stands
  - PlaceTaken            1  another job's manifest lies where this one's would go, or where this one's was
  - UploadFailed          1  a file did not arrive; the manifest was not written, so no job began
  - FunctionFailed        1  a function that was called by name failed; its own error and message are told
  - StillRunning          1  the time limit of a wait has passed; the job itself goes on
  - AwsError              1  AWS refused or could not be reached
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """How a command ended, for scripts. `ctrl-c` is 130, as everywhere."""

    OK = 0
    FAILED = 1
    USAGE = 2
    FAILED_DOCUMENTS = 3
    ALREADY_RUNNING = 4
    STOPPED = 5

    @property
    def meaning(self) -> str:
        return {
            ExitCode.OK: "all well",
            ExitCode.FAILED: "failed",
            ExitCode.USAGE: "wrong usage",
            ExitCode.FAILED_DOCUMENTS: "finished with failed documents",
            ExitCode.ALREADY_RUNNING: "the job is already running",
            ExitCode.STOPPED: "the job was stopped",
        }[self]


class MillraceError(Exception):
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class UsageError(MillraceError):
    exit_code = ExitCode.USAGE


class NotDeployed(UsageError):
    pass


class NoDeployment(MillraceError):
    pass


class NotFound(MillraceError):
    pass


class AlreadyRunning(MillraceError):
    exit_code = ExitCode.ALREADY_RUNNING


class NotRunning(MillraceError):
    pass


class NotSetAside(MillraceError):
    pass


class PointerMoved(MillraceError):
    pass


class NotEmbedded(MillraceError):
    pass


class PlaceTaken(MillraceError):
    pass


class UploadFailed(MillraceError):
    pass


class FunctionFailed(MillraceError):
    """`error` is the name of the function's own error, `reason` its message."""

    def __init__(self, function: str, error: str, reason: str, advice: str = "") -> None:
        super().__init__(f"{function} failed ({error}: {reason}); {advice or f'its log is /aws/lambda/{function}'}")
        self.function = function
        self.error = error
        self.reason = reason


class StillRunning(MillraceError):
    pass


class AwsError(MillraceError):
    pass


_ADVICE = {
    "ExpiredToken": "renew your AWS credentials",
    "ExpiredTokenException": "renew your AWS credentials",
    "UnrecognizedClientException": "check your AWS credentials and region",
    "InvalidClientTokenId": "check your AWS credentials",
    "AccessDenied": "your credentials lack this permission",
    "AccessDeniedException": "your credentials lack this permission",
    "NoSuchBucket": "the deployment's outputs are out of date; run terraform apply",
    "ResourceNotFoundException": "the deployment's outputs are out of date; run terraform apply",
    "StateMachineDoesNotExist": "the deployment's outputs are out of date; run terraform apply",
    "ProvisionedThroughputExceededException": "wait a moment and repeat the command",
    "TooManyRequestsException": "wait a moment and repeat the command",
    "ThrottlingException": "wait a moment and repeat the command",
}


def from_aws(error: Exception) -> AwsError:
    """Put a botocore error (ClientError, BotoCoreError) in one line: the operation, its code, what to do."""
    response: dict[str, Any] | None = getattr(error, "response", None)
    if response is None:
        return AwsError(f"AWS could not be reached: {error}")
    code = response.get("Error", {}).get("Code", "Unknown")
    said = response.get("Error", {}).get("Message", "no message")
    operation = getattr(error, "operation_name", "an operation")
    advice = _ADVICE.get(code)
    return AwsError(f"AWS refused {operation} ({code}): {said}" + (f"; {advice}" if advice else ""))
