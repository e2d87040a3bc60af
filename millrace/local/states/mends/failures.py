"""Failures in the interpreter's own form."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from millrace.local.states.interpreter import ErrorName, FailureEvent, FailureEventException, HistoryEventType


class Name(ErrorName):
    """An error's name, and others that Retry and Catch may call it by."""

    def __init__(self, error_name: str | None, also: Collection[str] = ()) -> None:
        super().__init__(error_name)
        self.also = also


def failure(env: Any, error: str | None, cause: str | None) -> FailureEventException:
    """A failure that is no task's: it has no event of its own."""
    return failed(env, Name(error), HistoryEventType.ExecutionFailed, "executionFailedEventDetails", error, cause)


def failed(
    env: Any, name: ErrorName, event: str, details: str, error: str | None, cause: str | None, **more: Any
) -> FailureEventException:
    told = {key: value for key, value in {"error": error, "cause": cause, **more}.items() if value is not None}
    return FailureEventException(
        FailureEvent(env=env, error_name=name, event_type=event, event_details={details: told})
    )


def parts_of(event: FailureEvent) -> dict[str, Any]:
    """The details of a failure: `error`, `cause`, and for a task its `resource` and `resourceType`."""
    return next(iter((event.event_details or {}).values()), None) or {}
