"""Branches of a Parallel state and iterations of an inline Map state: run side by side, the first failure
stops all.

A redrive runs only those that had not succeeded.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.states.frames import Frame, Halted
from millrace.local.states.interpreter import (
    BranchesDecl,
    HistoryEventType,
    InlineIterationComponent,
    InlineIterationComponentEvalInput,
    Program,
    ProgramEnded,
    ProgramError,
    inline_item_processor_worker,
)
from millrace.local.states.mends.failures import failure
from millrace.local.states.progress import Done, Place

INLINE_CONCURRENCY = 40
"""Iterations of an inline Map state that run at once when MaxConcurrency asks for no fewer (developer guide)."""


def apply() -> None:
    patch(
        BranchesDecl,
        "_eval_body",
        lambda _: eval_branches,
        "input_val = env.stack.pop()",
        "env.stack.append(result_list)",
    )
    patch(
        InlineIterationComponent,
        "_eval_body",
        lambda _: eval_iterations,
        "eval_input = env.stack.pop()",
        "self._get_iteration_program()",
        "env.stack.append(outputs)",
    )
    hold(
        inline_item_processor_worker.InlineItemProcessorWorker,
        "_eval_input",
        "map_state_input = self._env.stack[-1]",
        "self._item_selector.eval(env_frame)",
    )


def eval_branches(self: BranchesDecl, env: Frame) -> None:
    given = env.stack.pop()
    programs: Sequence[Program] = self.programs

    def run(number: int, frame: Frame) -> Any:
        if not frame.resuming:
            frame.states.reset(input_value=given)
        programs[number].eval(frame)
        return output_of(frame)

    parts = Parts(env, run)
    env.stack.append(parts.outputs(len(programs), limit=len(programs)))


def eval_iterations(self: InlineIterationComponent, env: Frame) -> None:
    asked: InlineIterationComponentEvalInput = env.stack.pop()
    program: Program = self._get_iteration_program()

    def run(number: int, frame: Frame) -> Any:
        item = asked.input_items[number]
        about = {"name": asked.state_name, "index": number}
        frame.record(HistoryEventType.MapIterationStarted, {"mapIterationStartedEventDetails": about})
        frame.context["Map"] = {"Item": {"Index": number, "Value": copy.deepcopy(item)}}
        try:
            if not frame.resuming:
                frame.states.reset(input_value=item)
                _select(asked, env, frame)
            program.eval(frame)
            output = output_of(frame)
        except Halted:
            raise
        except Exception:
            frame.record(HistoryEventType.MapIterationFailed, {"mapIterationFailedEventDetails": about}, leads=False)
            raise
        frame.record(HistoryEventType.MapIterationSucceeded, {"mapIterationSucceededEventDetails": about}, leads=False)
        return output

    def aborted(number: int, frame: Frame) -> None:
        about = {"name": asked.state_name, "index": number}
        frame.record(HistoryEventType.MapIterationAborted, {"mapIterationAbortedEventDetails": about}, leads=False)

    limit = min(asked.max_concurrency or INLINE_CONCURRENCY, INLINE_CONCURRENCY)
    parts = Parts(env, run, aborted)
    env.stack.append(parts.outputs(len(asked.input_items), limit=limit))


def _select(asked: InlineIterationComponentEvalInput, env: Frame, frame: Frame) -> None:
    """ItemSelector (once Parameters) reads the Map state's input, and the item from the context object."""
    selector = asked.item_selector or asked.parameters
    if selector is None:
        return
    state_input = copy.deepcopy(env.stack[-1])
    frame.states.reset(input_value=state_input)
    frame.stack.append(state_input)
    selector.eval(frame)
    frame.states.reset(input_value=frame.stack[-1])
    frame.stack.clear()


def output_of(frame: Frame) -> Any:
    """What a program answered. Raises its failure, or Halted."""
    state = frame.program_state()
    if isinstance(state, ProgramError):
        raise failure(frame, state.error.get("error"), state.error.get("cause"))
    if not isinstance(state, ProgramEnded):
        raise Halted
    return frame.states.get_input()


class Parts:
    """The branches or iterations of one state, at most `limit` at once. `run` gives the output of one."""

    def __init__(
        self,
        env: Frame,
        run: Callable[[int, Frame], Any],
        aborted: Callable[[int, Frame], None] = lambda number, frame: None,  # noqa: ARG005
    ) -> None:
        self._env = env
        self._run = run
        self._aborted = aborted
        self._started_by = env.event_history_context.source_event_id
        self._waiting: deque[int] = deque()
        self._open: dict[int, Frame] = {}
        self._failure: Exception | None = None
        self._workers = 0
        self._lock = threading.Lock()
        self._over = threading.Event()

    def outputs(self, count: int, limit: int) -> list[Any]:
        """Run what is not done yet and give all outputs in order. Raises the first failure, or Halted."""
        place = self._env.place
        self._waiting.extend(number for number in range(count) if isinstance(place.part(number), Place))
        self._workers = min(limit, len(self._waiting))
        if self._workers:
            workers = [threading.Thread(target=self._work, daemon=True) for _ in range(self._workers)]
            for worker in workers:
                worker.start()
            self._over.wait()
        if self._failure is not None:
            self._abort_others()
            raise self._failure
        self._env.go_on()
        return [self._output(place, number) for number in range(count)]

    def _output(self, place: Place, number: int) -> Any:
        part = place.part(number)
        if not isinstance(part, Done):
            raise Halted  # the state was ended between its last part and now
        return part.output

    def _work(self) -> None:
        try:
            while (number := self._next()) is not None:
                self._do(number)
        except Halted:
            pass
        finally:
            with self._lock:
                self._workers -= 1
                if self._workers == 0:
                    self._over.set()

    def _next(self) -> int | None:
        with self._lock:
            stop = self._failure is not None or not self._env.is_running()
            return self._waiting.popleft() if self._waiting and not stop else None

    def _do(self, number: int) -> None:
        place = self._env.place.part(number)
        if isinstance(place, Done):
            return
        frame = self._env.open_part(place, self._started_by)
        with self._lock:
            if self._failure is not None:
                raise Halted
            self._open[number] = frame
        try:
            output = self._run(number, frame)
        except Halted:
            raise
        except Exception as error:
            with self._lock:
                if number in self._open:
                    del self._open[number]
                    self._failure = self._failure or error
            self._env.close_frame(frame)
            self._over.set()
        else:
            with self._lock:
                if self._open.pop(number, None) is None:
                    raise Halted
                self._env.place.finish_part(number, output)
            self._env.close_frame(frame)

    def _abort_others(self) -> None:
        with self._lock:
            others, self._open = self._open, {}
        for number, frame in others.items():
            self._aborted(number, frame)
            frame.abandon()
            self._env.close_frame(frame)
