"""Where the interpreter keeps what it knows while it evaluates: one frame for an execution, and one for each
task, branch and iteration inside it.

Unlike the interpreter's own environment, a frame that has ended stays ended, wakes whoever rests in it, can
be abandoned (its later events are dropped), and hands the whole context object down to the frames inside it.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.local.states.history import Pen, Trail
from millrace.local.states.interpreter import (
    AWSExecutionDetails,
    CallbackEndpoint,
    CallbackPoolManager,
    Environment,
    ProgramEnded,
    ProgramError,
    ProgramState,
    ProgramStopped,
    ProgramTimedOut,
    VariableStore,
)
from millrace.local.states.mocks import MockedCase
from millrace.local.states.progress import Place


class Halted(Exception):
    """The frame has ended while its work was going on; the work stops here."""


@dataclass
class Attempt:
    """What all frames of one attempt of an execution share. `time_scale` shortens waits: 0 skips them."""

    details: AWSExecutionDetails
    pen: Pen
    callbacks: CallbackPoolManager
    time_scale: Callable[[], float]
    mocks: MockedCase | None = None
    _waiting: dict[str, Frame] = field(default_factory=dict)

    def await_token(self, token: str, frame: Frame) -> CallbackEndpoint:
        """A task in that frame waits for the token."""
        self._waiting[token] = frame
        return self.callbacks.add(token)

    def awaited(self, token: str) -> CallbackEndpoint | None:
        """Where a task still waits for the token: it has not been answered, and its frame has not ended."""
        frame, endpoint = self._waiting.get(token), self.callbacks.get(token)
        waits = frame is not None and frame.is_running() and not endpoint._notify_event.is_set()
        return endpoint if waits else None


class Frame(Environment):
    """`resuming`: the program of this frame begins where its place stands, not at its start."""

    def __init__(
        self,
        attempt: Attempt,
        context: dict[str, Any],
        place: Place,
        *,
        resuming: bool,
        variables: VariableStore | None = None,
        previous_event: int = 0,
    ) -> None:
        super().__init__(
            aws_execution_details=attempt.details,
            execution_type="STANDARD",
            context=context,
            event_history_context=Trail(previous_event),
            cloud_watch_logging_session=None,
            activity_store={},
            variable_store=variables,
            mock_test_case=attempt.mocks,
        )
        self.attempt = attempt
        self.place = place
        self.resuming = resuming
        self.event_manager = attempt.pen
        self.callback_pool_manager = attempt.callbacks
        self._halted = threading.Event()

    @property
    def context(self) -> dict[str, Any]:
        """The context object, `$$`."""
        return self.states.context_object.context_object_data

    def record(self, event_type: str, details: Mapping[str, Any] | None = None, *, leads: bool = True) -> None:
        """Write an event. Those that do not lead are no event's predecessor."""
        self.event_manager.add_event(self.event_history_context, event_type, details, update_source_event_id=leads)

    def rest(self, seconds: float) -> None:
        """Wait, in the time of the machine. Raises Halted as soon as the frame ends."""
        self.pause(seconds * self.attempt.time_scale())

    def pause(self, seconds: float) -> None:
        """Wait, in real time. Raises Halted as soon as the frame ends."""
        if seconds > 0:
            self._halted.wait(min(seconds, threading.TIMEOUT_MAX))
        self.go_on()

    def go_on(self) -> None:
        """Raise Halted if the frame has ended."""
        if not self.is_running():
            raise Halted

    def open_frame(self, event_history_context: Trail | None = None) -> Frame:
        """A frame for a task: it sees and sets the same variables."""
        trail = event_history_context or self.event_history_context
        return self._inside(self.place, False, self.variable_store, trail.source_event_id)

    def open_part(self, place: Place, previous_event: int) -> Frame:
        """A frame for a branch or iteration: variables that it sets are its own, its events follow that event."""
        variables = VariableStore.as_inner_scope_of(self.variable_store)
        return self._inside(place, place.begun, variables, previous_event)

    def _inside(self, place: Place, resuming: bool, variables: VariableStore, previous: int) -> Frame:
        with self._state_mutex:
            frame = Frame(
                self.attempt,
                dict(self.context),
                place,
                resuming=resuming,
                variables=variables,
                previous_event=previous,
            )
            if "State" in frame.context:
                frame.context["State"] = dict(frame.context["State"])
            frame._is_frame = True
            frame._program_state = copy.deepcopy(self._program_state)
            if not frame.is_running():
                frame._halted.set()
            self._frames.append(frame)
            return frame

    def set_ended(self) -> None:
        self.end(ProgramEnded())

    def set_error(self, error: Mapping[str, Any] | None) -> None:
        self.end(ProgramError(error=error or {}))

    def set_timed_out(self) -> None:
        self.end(ProgramTimedOut())

    def set_stop(self, stop_date: Any, cause: str | None, error: str | None) -> None:
        self.end(ProgramStopped(stop_date=stop_date, cause=cause, error=error))

    def end(self, state: ProgramState) -> None:
        """End this frame and those inside it, once: the first end counts."""
        with self._state_mutex:
            if not self.is_running():
                return
            self._program_state = state
            inside = list(self._frames)
        self._halted.set()
        for frame in inside:
            frame.end(state)

    def abandon(self) -> None:
        """End the frame, whose work nobody waits for any more, and drop what it would still record."""
        with self._state_mutex:
            self.event_history_context.abandoned = True
            inside = list(self._frames)
        for frame in inside:
            frame.abandon()
        self.set_stop(None, None, None)

    def is_mocked_mode(self) -> bool:
        return self.mock_test_case is not None and self.mock_test_case.covers(self.next_state_name)

    def get_current_mocked_response(self) -> Any:
        return self.mock_test_case.next_response(self.next_state_name)
