"""Flow: how a program goes from state to state, and how a state is tried, retried and caught.

An execution that has ended stays ended; a redriven one begins at the state where it stood, with the input
that it had.
"""

from __future__ import annotations

import copy
import datetime as dt
import logging
import threading
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.states.calls import CallFailed, InvalidParameters
from millrace.local.states.frames import Frame, Halted
from millrace.local.states.interpreter import (
    CatchOutcome,
    CommonStateField,
    EvalTimeoutError,
    ExecutionState,
    FailureEvent,
    FailureEventException,
    HistoryEventType,
    NoSuchJsonPathError,
    Program,
    RetryOutcome,
    StateFail,
    StateMap,
    StateParallel,
    TimeoutSeconds,
)
from millrace.local.states.matching import DATA_LIMIT_EXCEEDED, RUNTIME
from millrace.local.states.mends.failures import failure, parts_of
from millrace.local.states.mocks import InvalidMock
from millrace.local.states.shapes import iso_time, json_text

logger = logging.getLogger("millrace.local.states")

QUERY_EVALUATION_ERROR = "States.QueryEvaluationError"


def apply() -> None:
    patch(
        Program,
        "eval",
        lambda _: run_program,
        "self.start_at.start_at_name",
        "worker_thread.join(timeout=timeout)",
    )
    patch(
        CommonStateField,
        "_eval_body",
        lambda _: eval_state,
        "self._eval_state_input(env=env)",
        "self._eval_state(env)",
        "self._eval_state_output(env=env)",
        "self._verify_size_quota(env=env, value=env.states.get_input())",
        "self._set_next(env)",
    )
    patch(
        ExecutionState,
        "from_state_props",
        without_default_limit,
        "TimeoutSeconds(timeout_seconds=60, is_default=True)",
    )
    patch(ExecutionState, "_evaluate_with_timeout", lambda _: evaluate_in_time, "self._eval_execution(frame)")
    patch(
        ExecutionState,
        "_eval_state",
        lambda _: try_task,
        "self._evaluate_with_timeout(env)",
        "self._handle_catch",
    )
    patch(
        StateMap,
        "_eval_state",
        lambda _: try_map,
        "self._evaluate_with_timeout(env)",
        "HistoryEventType.MapStateFailed",
    )
    patch(
        StateParallel,
        "_eval_state",
        lambda _: try_parallel,
        "input_value = copy.deepcopy(env.stack.pop())",
        "HistoryEventType.ParallelStateFailed",
    )
    hold(CommonStateField, "_get_state_entered_event_details", "StateEnteredEventDetails(")
    hold(CommonStateField, "_get_state_exited_event_details", "StateExitedEventDetails(")


def run_program(self: Program, env: Frame) -> None:
    """Evaluate a program from its start, or from where the frame's place says that it stood."""
    place = env.place
    if env.resuming:
        env.next_state_name = place.state
        env.states.reset(input_value=place.input)
        for name, value in place.variables.items():
            env.variable_store._inner_scope[name] = value
    else:
        env.next_state_name = self.start_at.start_at_name
    try:
        while env.is_running():
            self._get_state(env.next_state_name).eval(env)
            env.stack.clear()
            env.heap.clear()
    except Halted:
        return
    except FailureEventException as error:
        env.set_error(error.get_execution_failed_event_details() or {})
    except Exception as error:
        if env.is_running():
            _warn(env, error)
            env.set_error({"error": RUNTIME, "cause": f"{type(error).__name__}: {error}"})


def _warn(env: Frame, error: Exception) -> None:
    execution = env.context["Execution"]["Id"]
    logger.warning(
        "%s: state %s: %r", execution, env.next_state_name, error, exc_info=logger.isEnabledFor(logging.DEBUG)
    )


def eval_state(self: CommonStateField, env: Frame) -> None:
    resumed, env.resuming = env.resuming, False
    if not (resumed and env.place.entered) or isinstance(self, StateFail):
        env.record(
            self.state_entered_event_type,
            {"stateEnteredEventDetails": self._get_state_entered_event_details(env=env)},
        )
    if not resumed:
        env.place.at(self.name, env.states.get_input(), env.variable_store._inner_scope, entered=True)
    env.place.entered = True
    env.context["State"] = {
        "Name": self.name,
        "EnteredTime": iso_time(dt.datetime.now(dt.UTC)),
        "RetryCount": 0,
    }
    self._eval_state_input(env=env)
    try:
        self._eval_state(env)
    except NoSuchJsonPathError as error:
        raise _missing_path(env, error) from error
    env.go_on()
    self._eval_state_output(env=env)
    output = env.states.get_input()
    try:
        self._verify_size_quota(env=env, value=output)
    except FailureEventException:
        env.place.forget_parts()
        raise
    self._set_next(env)
    if self.state_exited_event_type is not None:
        env.record(
            self.state_exited_event_type,
            {"stateExitedEventDetails": self._get_state_exited_event_details(env=env)},
        )
    if env.is_running():
        env.place.at(env.next_state_name, output, env.variable_store._inner_scope, entered=False)


def _missing_path(env: Frame, error: NoSuchJsonPathError) -> FailureEventException:
    cause = (
        f"The JSONPath '{error.json_path}' specified for the field '{env.next_field_name}' "
        f"could not be found in the input '{json_text(error.data)}'"
    )
    return failure(env, RUNTIME, cause)


def without_default_limit(from_state_props: Callable[[Any, Any], None]) -> Any:
    """A heartbeat without TimeoutSeconds does not limit the task: the default is 99,999,999 seconds."""

    def read(self: ExecutionState, state_props: Any) -> None:
        from_state_props(self, state_props)
        if isinstance(self.timeout, TimeoutSeconds) and self.timeout.is_default_value():
            self.timeout = TimeoutSeconds(TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS)

    return read


def evaluate_in_time(self: ExecutionState, env: Frame) -> None:
    """One attempt of a Task, Parallel or Map state, in a thread of its own only where a timeout has to end it."""
    self.timeout.eval(env=env)
    limit: float = env.stack.pop()
    frame = env.open_frame()
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = copy.deepcopy(env.stack)
    if self.timeout.is_default_value():
        try:
            self._eval_execution(frame)
        finally:
            env.close_frame(frame)
            frame.set_ended()
    else:
        _evaluate_within(limit, self, env, frame)
    env.go_on()
    output = frame.stack.pop()
    env.stack.append(output)
    if not self._is_language_query_jsonpath():
        env.states.set_result(output)
    if self.assign_decl:
        self.assign_decl.eval(env=env)
    if self.result_selector:
        self.result_selector.eval(env=env)
    if self.result_path:
        self.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())


def _evaluate_within(limit: float, state: ExecutionState, env: Frame, frame: Frame) -> None:
    raised: list[Exception] = []
    finished = threading.Event()

    def evaluate() -> None:
        try:
            state._eval_execution(frame)
        except Exception as error:
            raised.append(error)
        finished.set()

    threading.Thread(target=evaluate, name=f"state {state.name}", daemon=True).start()
    if not finished.wait(min(limit, threading.TIMEOUT_MAX)):
        frame.abandon()
        env.delete_frame(frame)
        raise EvalTimeoutError
    env.close_frame(frame)
    if raised:
        raise raised[0]


def try_task(self: ExecutionState, env: Frame) -> None:
    _try(self, env, failed=lambda event: _record_task_failure(self, env, event), given_up=lambda _: None)


def try_map(self: StateMap, env: Frame) -> None:
    def given_up(event: FailureEvent) -> None:
        if event.event_type == HistoryEventType.EvaluationFailed:
            details = FailureEventException(event).get_evaluation_failed_event_details()
            env.record(HistoryEventType.EvaluationFailed, {"evaluationFailedEventDetails": details})
        env.record(HistoryEventType.MapStateFailed)

    _try(self, env, failed=lambda _: None, given_up=given_up)


def try_parallel(self: StateParallel, env: Frame) -> None:
    if self.parargs is not None:
        self.parargs.eval(env=env)
    given = env.stack.pop()
    _try(
        self,
        env,
        failed=lambda _: None,
        given_up=lambda _: env.record(HistoryEventType.ParallelStateFailed),
        before=lambda: env.stack.append(copy.deepcopy(given)),
    )


def _try(
    state: ExecutionState,
    env: Frame,
    *,
    failed: Callable[[FailureEvent], None],
    given_up: Callable[[FailureEvent], None],
    before: Callable[[], None] = lambda: None,
) -> None:
    """Evaluate a state until it succeeds, is caught, or its retries are used up.

    `failed` records each failure, `given_up` the one after which the state is not tried again.
    """
    stack = copy.deepcopy(env.stack)
    while env.is_running():
        try:
            env.stack = copy.deepcopy(stack)
            before()
            state._evaluate_with_timeout(env)
        except Halted:
            raise
        except Exception as error:
            env.go_on()
            event = _failure_of(state, env, error)
        else:
            return
        failed(event)
        _tell_error(state, env, event)
        if parts_of(event).get("error") == DATA_LIMIT_EXCEEDED:
            env.place.forget_parts()
        if state.retry and state._handle_retry(env=env, failure_event=event) == RetryOutcome.CanRetry:
            env.place.forget_parts()
            continue
        given_up(event)
        if state.catch:
            state._handle_catch(env=env, failure_event=event)
            if env.stack[-1] == CatchOutcome.Caught:
                return
        raise FailureEventException(event)
    raise Halted


def _failure_of(state: ExecutionState, env: Frame, error: Exception) -> FailureEvent:
    if isinstance(error, NoSuchJsonPathError):
        error = _missing_path(env, error)
    known = FailureEventException | TimeoutError | CallFailed | InvalidParameters | InvalidMock
    if not isinstance(error, known) and type(error).__module__.partition(".")[0] != "moto":
        _warn(env, error)
    event: FailureEvent = state._from_error(env=env, ex=error)
    told = parts_of(event)
    if told.get("error") == QUERY_EVALUATION_ERROR and state._is_language_query_jsonpath():
        return failure(env, RUNTIME, told.get("cause")).failure_event
    return event


def _tell_error(state: ExecutionState, env: Frame, event: FailureEvent) -> None:
    output = state._construct_error_output_value(failure_event=event)
    env.states.set_error_output(output)
    env.states.set_result(output)


def _record_task_failure(state: ExecutionState, env: Frame, event: FailureEvent) -> None:
    """A failure before the task was scheduled (a path that finds nothing) has no event of its own."""
    if event.event_type == HistoryEventType.ExecutionFailed:
        return
    details = dict(event.event_details or {})
    if event.event_type in (HistoryEventType.TaskFailed, HistoryEventType.TaskTimedOut):
        if not hasattr(state, "_get_sfn_resource"):
            return
        resource = {"resource": state._get_sfn_resource(), "resourceType": state._get_sfn_resource_type()}
        details = {name: {**resource, **part} for name, part in details.items()}
    env.record(event.event_type, details)
