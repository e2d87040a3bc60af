"""What a test case is: what each Task answers, and the way that the execution then goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.state_machines.edges import WILDCARDS, Definition, all_states
from tests.state_machines.machines import Machine
from tests.state_machines.mocks import Answer, Answers, Throw
from tests.state_machines.rendering import one_at_a_time, quickened, shortened


@dataclass(frozen=True)
class Case:
    """One execution. `path` is every state that it enters, in order; `error` is None where it succeeds.

    `sends` gives, for some Tasks, what parts of their last request must be, and `output` what parts of the
    execution's.
    """

    name: str
    promise: str
    answers: Answers
    path: tuple[str, ...]
    input: Any
    error: str | None = None
    cause: str | None = None
    sends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    output: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Road:
    """Answers of an execution that comes by a Task, and of what may follow if the Task fails."""

    answers: Answers
    input: Any


@dataclass(frozen=True)
class Suite:
    """A machine's cases, which together take every edge of its definition, and a road to each of its Tasks.

    `bounds` gives shorter ones for some of the numbers by which its Choices end loops and its retriers waits: a loop
    of 800 turns takes the same edges as one of 8. test_limits.py runs them at their full length.
    """

    machine: Machine
    cases: Sequence[Case]
    road_to: Callable[[str], Road]
    bounds: Mapping[int, int] = field(default_factory=dict)

    def retry_cases(self) -> list[Case]:
        return list(retry_cases(self.definition(), self.road_to))

    def definition(self) -> dict[str, Any]:
        """The definition as the cases run it: nothing waits long, and no loop is longer than it must be."""
        return shortened(one_at_a_time(quickened(self.machine.rendered())), self.bounds)


def retry_cases(definition: Definition, road_to: Callable[[str], Road]) -> Iterator[Case]:
    """For each retrier: an execution that meets each of its errors once, and one whose error outlasts it."""
    for task, state in all_states(definition).items():
        for number, retrier in enumerate(state.get("Retry", [])):
            if retrier["MaxAttempts"] == 0:
                continue
            errors = [thrown_for(name) for name in retrier["ErrorEquals"]]
            road = road_to(task)
            yield Case(
                f"{task}Retried{number}",
                f"{task} is tried again after each of {', '.join(retrier['ErrorEquals'])}",
                {**road.answers, task: [*map(Throw, errors), *road.answers[task]]},
                path=(),
                input=road.input,
            )
            lasting: list[Answer] = [Throw(errors[0])] * (1 + retrier["MaxAttempts"])
            yield Case(
                f"{task}GivenUp{number}",
                f"{task} is given up when {errors[0]} outlasts {retrier['MaxAttempts']} retries",
                {**road.answers, task: [*lasting, *road.answers[task][1:]]},
                path=(),
                input=road.input,
            )


def thrown_for(listed: str) -> str:
    """An error that a name in ErrorEquals matches."""
    return "Service.Unavailable" if listed in WILDCARDS else listed


def without(answers: Answers, *tasks: str) -> Answers:
    return {task: given for task, given in answers.items() if task not in tasks}
