"""Executions: one run of a state machine's revision in threads of its own, stopped, timed out and redriven.

* NotRedrivable    the execution cannot be redriven; the message is AWS's reason
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from millrace.local.states.frames import Attempt, Frame
from millrace.local.states.history import EVENT_LIMIT, History, Pen
from millrace.local.states.interpreter import (
    AWSExecutionDetails,
    CallbackOutcome,
    CallbackPoolManager,
    Program,
    ProgramEnded,
    ProgramError,
)
from millrace.local.states.matching import RUNTIME
from millrace.local.states.mocks import MockedCase
from millrace.local.states.progress import Place
from millrace.local.states.shapes import iso_time, json_text

RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"
REDRIVE_PERIOD = dt.timedelta(days=14)
"""How long after its end an execution may be redriven (RedriveExecution)."""
MOST_REDRIVES = 1000
"""How often an execution may be redriven (Step Functions quotas)."""
TERMINAL_EVENTS = {
    SUCCEEDED: ("ExecutionSucceeded", "executionSucceededEventDetails"),
    FAILED: ("ExecutionFailed", "executionFailedEventDetails"),
    TIMED_OUT: ("ExecutionTimedOut", "executionTimedOutEventDetails"),
    ABORTED: ("ExecutionAborted", "executionAbortedEventDetails"),
}


class NotRedrivable(Exception):
    pass


@dataclass(frozen=True)
class Order:
    """What an execution was started with. `input` is the JSON text as it came."""

    arn: str
    name: str
    machine_arn: str
    machine_name: str
    version_arn: str | None
    definition: str
    role: str
    account: str
    region: str
    input: str
    trace_header: str | None = None


def redrive_refusal(
    status: str, stopped_at: dt.datetime | None, events: int, redrives: int, now: dt.datetime
) -> str | None:
    """Why an execution cannot be redriven, in the words of `redriveStatusReason`; None if it can."""
    if status in (RUNNING, SUCCEEDED):
        return f"Execution is {status} and cannot be redriven"
    if stopped_at is not None and now - stopped_at > REDRIVE_PERIOD:
        return "Execution redrivable period exceeded"
    if events >= EVENT_LIMIT - 1:
        return "Execution history event limit exceeded"
    return "Execution redrive limit exceeded" if redrives >= MOST_REDRIVES else None


class Execution:
    """`on_status` hears of each status, RUNNING first; it runs in a thread of the execution. So does `dies_at`, which
    says whether the execution of that ARN is to be aborted right after it has written an event of that type."""

    def __init__(
        self,
        order: Order,
        program: Program,
        *,
        time_scale: Callable[[], float] = lambda: 1.0,
        mocks: MockedCase | None = None,
        on_status: Callable[[Execution], None] = lambda _: None,
        dies_at: Callable[[str, str], bool] = lambda _execution, _event: False,
    ) -> None:
        self.order = order
        self.status = RUNNING
        self.started_at = dt.datetime.now(dt.UTC)
        self.stopped_at: dt.datetime | None = None
        self.output: str | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.redrives = 0
        self.redriven_at: dt.datetime | None = None
        self.redrive_tokens: dict[str, dt.datetime] = {}
        self.history = History()
        self.ended = threading.Event()
        self._program = program
        self._time_scale = time_scale
        self._mocks = mocks
        self._on_status = on_status
        self._dies_at = dies_at
        self._lock = threading.RLock()
        self._place = Place()
        self._pen: Pen
        self._frame: Frame
        self._callbacks: CallbackPoolManager
        self._alarm: threading.Timer | None = None

    def start(self) -> None:
        self._attempt(
            "ExecutionStarted",
            "executionStartedEventDetails",
            {"input": self.order.input, "inputDetails": {"truncated": False}, "roleArn": self.order.role},
        )

    def redrive(self, token: str | None, now: dt.datetime) -> dt.datetime:
        """Continue where the execution failed, and return when. Raises NotRedrivable.

        The same token within 15 minutes is the same redrive.
        """
        with self._lock:
            self.redrive_tokens = {
                known: at for known, at in self.redrive_tokens.items() if now - at < dt.timedelta(minutes=15)
            }
            if token is not None and token in self.redrive_tokens:
                return self.redrive_tokens[token]
            refusal = self.redrive_refusal(now)
            if refusal is not None:
                raise NotRedrivable(refusal)
            self.redrives += 1
            self.redriven_at = now
            if token is not None:
                self.redrive_tokens[token] = now
            self.status, self.stopped_at, self.error, self.cause = RUNNING, None, None, None
            self.ended = threading.Event()
            self._attempt("ExecutionRedriven", "executionRedrivenEventDetails", {"redriveCount": self.redrives})
            return now

    @contextmanager
    def still(self) -> Iterator[Execution]:
        """Inside, the execution neither ends nor is redriven: its status, its times and its output belong together."""
        with self._lock:
            yield self

    def redrive_refusal(self, now: dt.datetime) -> str | None:
        return redrive_refusal(self.status, self.stopped_at, len(self.history), self.redrives, now)

    def stop(self, error: str | None, cause: str | None) -> dt.datetime:
        """Abort the execution, unless it has ended, and return when it ended."""
        self._end(ABORTED, {"error": error, "cause": cause})
        return self.stopped_at or dt.datetime.now(dt.UTC)

    def answer(self, token: str, outcome: CallbackOutcome) -> bool:
        """Answer a task's token; False if no task waits for it any more. Of several answers the first counts."""
        with self._lock:
            endpoint = self._frame.attempt.awaited(token)
            if endpoint is not None:
                endpoint.notify(outcome)
            return endpoint is not None

    def hear_heartbeat(self, token: str) -> bool:
        """A sign of life of who will answer the token; False if no task waits for it any more."""
        with self._lock:
            endpoint = self._frame.attempt.awaited(token)
            if endpoint is not None:
                endpoint.notify_heartbeat()
            return endpoint is not None

    def _attempt(self, event_type: str, details: str, about: Mapping[str, Any]) -> None:
        attempt = Attempt(
            details=AWSExecutionDetails(account=self.order.account, region=self.order.region, role_arn=self.order.role),
            pen=Pen(self.history, self._fill_up),
            callbacks=CallbackPoolManager(activity_store={}),
            time_scale=self._time_scale,
            mocks=self._mocks,
        )
        frame = Frame(attempt, self._context(), self._place, resuming=self._place.begun)
        frame.record(event_type, {details: about}, leads=False)
        self._pen, self._frame, self._callbacks = attempt.pen, frame, attempt.callbacks
        self._pen.on_event = self._on_event
        frame.next_state_name = self._program.start_at.start_at_name
        if self._program.timeout_seconds is not None:
            self._alarm = threading.Timer(
                self._program.timeout_seconds.timeout_seconds, self._end, (TIMED_OUT, {}, frame)
            )
            self._alarm.daemon = True
            self._alarm.start()
        threading.Thread(target=self._run, args=(frame,), name=f"execution {self.order.name}", daemon=True).start()

    def _context(self) -> dict[str, Any]:
        execution = {
            "Id": self.order.arn,
            "Input": json.loads(self.order.input),
            "Name": self.order.name,
            "RoleArn": self.order.role,
            "StartTime": iso_time(self.started_at),
            "RedriveCount": self.redrives,
        }
        if self.redriven_at is not None:
            execution["RedriveTime"] = iso_time(self.redriven_at)
        return {
            "Execution": execution,
            "StateMachine": {"Id": self.order.machine_arn, "Name": self.order.machine_name},
        }

    def _run(self, frame: Frame) -> None:
        self._on_status(self)
        self._program.eval(frame)
        state = frame.program_state()
        if isinstance(state, ProgramEnded):
            self._end(SUCCEEDED, {"output": json_text(frame.states.get_input())}, frame)
        elif isinstance(state, ProgramError):
            self._end(FAILED, {"error": state.error.get("error"), "cause": state.error.get("cause")}, frame)

    def _on_event(self, event_type: str) -> None:
        if self._dies_at(self.order.arn, event_type):
            self.stop(None, None)

    def _fill_up(self) -> None:
        cause = f"The execution reached the maximum number of history events ({EVENT_LIMIT})."
        self._end(FAILED, {"error": RUNTIME, "cause": cause})

    def _end(self, status: str, told: Mapping[str, Any], frame: Frame | None = None) -> None:
        """The one way out: the first end counts, and nothing is recorded after it.

        `frame` names the attempt that ended; an attempt that is no longer the current one changes nothing.
        """
        with self._lock:
            if self.status != RUNNING or (frame is not None and frame is not self._frame):
                return
            event, details = TERMINAL_EVENTS[status]
            more = {"outputDetails": {"truncated": False}} if status == SUCCEEDED else {}
            self._pen.close(
                event,
                frame.event_history_context.source_event_id if frame else 0,
                {details: {**told, **more}},
            )
            self.status = status
            self.stopped_at = dt.datetime.now(dt.UTC)
            self.output, self.error, self.cause = told.get("output"), told.get("error"), told.get("cause")
            if self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None
            over, callbacks = self._frame, self._callbacks
            self._place = self._place.copy()
            ended = self.ended
        over.set_stop(None, None, None)
        for endpoint in list(callbacks._pool.values()):
            endpoint.interrupt_all()
        ended.set()
        self._on_status(self)
