"""Errors: which Retry and Catch entries answer to them, and how a task's failure is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.states.calls import CallFailed, function_failure
from millrace.local.states.frames import Frame
from millrace.local.states.interpreter import (
    CustomErrorName,
    ErrorEqualsDecl,
    EvalComponent,
    FailureEvent,
    FailureEventException,
    HeartbeatTimeoutError,
    HistoryEventType,
    StateTask,
    StateTaskLambda,
    StateTaskServiceDynamoDB,
    StateTaskServiceLambda,
    lambda_eval_utils,
    mock_eval_utils,
)
from millrace.local.states.matching import HEARTBEAT_TIMEOUT, TIMEOUT, matches
from millrace.local.states.mends.failures import Name, failed

FromError = Callable[[Any, Frame, Exception], FailureEvent]


def apply() -> None:
    patch(ErrorEqualsDecl, "_eval_body", lambda _: eval_error_equals, "error_name in self.error_names")
    patch(CustomErrorName, "__init__", lambda _: name_error, "Custom Error Names MUST NOT begin with")
    for quiet in ("_log_failure_event_exception", "_log_exception"):
        patch(EvalComponent, quiet, lambda _: lambda *_, **__: None, "LOG.error(")
    patch(StateTask, "_from_error", task_failure, "isinstance(ex, TimeoutError)")
    patch(StateTaskLambda, "_from_error", function_failure_event, 'error = "Exception"', "LambdaFunctionFailed")
    hold(StateTaskServiceLambda, "_from_error", "LambdaFunctionErrorException", 'error = "Exception"')
    hold(StateTaskServiceDynamoDB, "_from_error", "_ERROR_NAME_AWS")
    for own in (StateTaskServiceLambda, StateTaskServiceDynamoDB):
        del own._from_error  # what they inherit is mended
    patch(mock_eval_utils, "_eval_mocked_response_throw", lambda _: throw_mocked, "raise FailureEventException(")
    hold(lambda_eval_utils, "execute_lambda_function_integration", "raise LambdaFunctionErrorException(")


def eval_error_equals(self: ErrorEqualsDecl, env: Frame) -> None:
    error = env.stack.pop()
    listed = {name.error_name for name in self.error_names}
    env.stack.append(matches(listed, error.error_name if error else None, getattr(error, "also", ())))


def name_error(self: CustomErrorName, error_name: str | None) -> None:
    """A Fail state, an iteration or a function may fail with a name of `States.` too."""
    self.error_name = error_name


def task_failure(from_error: FromError) -> FromError:
    def tell(self: StateTask, env: Frame, ex: Exception) -> FailureEvent:
        if isinstance(ex, HeartbeatTimeoutError):
            event = from_error(self, env, ex)
            name = Name(TIMEOUT, also=(HEARTBEAT_TIMEOUT,))
            return FailureEvent(env, name, event.event_type, event.event_details)
        if isinstance(ex, lambda_eval_utils.LambdaFunctionErrorException):
            ex = _function_failure(ex)
        if isinstance(ex, CallFailed):
            told = failed(
                env,
                Name(ex.error),
                HistoryEventType.TaskFailed,
                "taskFailedEventDetails",
                ex.error,
                ex.cause,
                **_resource(self),
            )
            return told.failure_event
        return from_error(self, env, ex)

    return tell


def _resource(task: Any) -> dict[str, str]:
    return {"resource": task._get_sfn_resource(), "resourceType": task._get_sfn_resource_type()}


def _function_failure(error: lambda_eval_utils.LambdaFunctionErrorException) -> CallFailed:
    return function_failure(json.loads(error.payload))


def function_failure_event(from_error: FromError) -> FromError:
    """The same for a task whose Resource is the function itself: its events have names of their own."""

    def tell(self: StateTaskLambda, env: Frame, ex: Exception) -> FailureEvent:
        if isinstance(ex, lambda_eval_utils.LambdaFunctionErrorException):
            ex = _function_failure(ex)
        if isinstance(ex, CallFailed):
            kind, details = HistoryEventType.LambdaFunctionFailed, "lambdaFunctionFailedEventDetails"
            return failed(env, Name(ex.error), kind, details, ex.error, ex.cause).failure_event
        if isinstance(ex, FailureEventException | TimeoutError):
            return from_error(self, env, ex)
        return super(StateTask, self)._from_error(env, ex)

    return tell


def throw_mocked(env: Frame, mocked_response: Any) -> None:  # noqa: ARG001
    raise CallFailed(mocked_response.error, mocked_response.cause)
