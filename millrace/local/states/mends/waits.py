"""Waits end with the execution, take fractions of a second and any time zone; retries are counted by execution."""

from __future__ import annotations

import datetime as dt
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.states.comparisons import timestamp
from millrace.local.states.frames import Frame
from millrace.local.states.interpreter import (
    EvalComponent,
    FailureEventException,
    MaxAttemptsOutcome,
    RetrierDecl,
    RetrierOutcome,
    Timestamp,
    WaitFunction,
)


def apply() -> None:
    hold(EvalComponent.heap_key, "fget", "if self.__heap_key is None:", "long_uid()")
    EvalComponent.heap_key = property(counter_of)
    patch(WaitFunction, "_wait_interval", lambda _: wait, "env.program_state_event.wait(wait_seconds)")
    patch(
        Timestamp,
        "_from_timestamp_string",
        lambda _: staticmethod(read_timestamp),
        "strptime(",
        "_is_valid_timestamp_pattern",
    )
    patch(
        Timestamp,
        "_get_wait_seconds",
        lambda _: seconds_until,
        "datetime.datetime.now()",
        "_from_timestamp_string",
    )
    patch(
        RetrierDecl,
        "_eval_body",
        lambda _: eval_retrier,
        "time.sleep(interval_seconds)",
        "self.jitter_strategy.eval",
    )


def counter_of(self: EvalComponent) -> str:
    """Where a frame keeps the component's counter. The interpreter makes a name up when it is first asked: executions
    of one program that ask at the same moment would get two names, and one of them a retry too many."""
    return str(id(self))


def wait(self: WaitFunction, env: Frame, wait_seconds: float) -> None:  # noqa: ARG001
    env.rest(wait_seconds)


def read_timestamp(text: Any) -> dt.datetime | None:
    return timestamp(text)


def seconds_until(self: Timestamp, env: Frame) -> float:
    self.string.eval(env=env)
    text = env.stack.pop()
    moment = timestamp(text)
    if moment is None:
        raise FailureEventException(self._create_failure_event(env, text))
    return (moment - dt.datetime.now(dt.UTC)).total_seconds()


def eval_retrier(self: RetrierDecl, env: Frame) -> None:
    self.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(RetrierOutcome.Skipped)
        return
    self.max_attempts.eval(env=env)
    if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(RetrierOutcome.Failed)
        return
    self.interval_seconds.eval(env=env)
    self.backoff_rate.eval(env=env)
    self.max_delay_seconds.eval(env=env)
    self.jitter_strategy.eval(env=env)
    env.rest(env.stack.pop())
    env.stack.append(RetrierOutcome.Executed)
