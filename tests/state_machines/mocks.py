"""Mocked answers of Tasks, written as Step Functions Local's mock file.

The numbers of a response count a state's invocations in an execution, retries and Map iterations included.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Return:
    value: Any

    def as_response(self) -> dict[str, Any]:
        return {"Return": self.value}


@dataclass(frozen=True)
class Throw:
    error: str
    cause: str = "as the test case says"

    def as_response(self) -> dict[str, Any]:
        return {"Throw": {"Error": self.error, "Cause": self.cause}}


Answer = Return | Throw
Answers = Mapping[str, Sequence[Answer]]

UNFORESEEN = "TestCaseForesawNoCall"


def function_answer(answer: Mapping[str, Any]) -> Return:
    """What a Lambda function returns.

    For a Task that names the function's ARN, an engine takes as the result either the response itself (the embedded
    engine does) or its `Payload`, so the answer stands in both places.
    """
    return Return({**answer, "StatusCode": 200, "Payload": dict(answer)})


def mock_file(
    machine: str, cases: Mapping[str, Answers], tasks: Iterable[str], *, real: Collection[str] = ()
) -> dict[str, Any]:
    """The mock file for one machine. A Task that a case has no answer for throws UNFORESEEN, unless it is `real`:
    then it calls its service."""
    responses: dict[str, Any] = {UNFORESEEN: numbered([Throw(UNFORESEEN)])}
    test_cases: dict[str, dict[str, str]] = {}
    for case, answers in cases.items():
        unknown = answers.keys() - set(tasks)
        if unknown:
            raise ValueError(f"case {case} answers for {sorted(unknown)}, which are no Tasks")
        test_cases[case] = {task: f"{machine}-{case}-{task}" for task in answers} | {
            task: UNFORESEEN for task in tasks if task not in answers and task not in real
        }
        responses |= {f"{machine}-{case}-{task}": numbered(given) for task, given in answers.items()}
    return {"StateMachines": {machine: {"TestCases": test_cases}}, "MockedResponses": responses}


def together(files: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One mock file for several machines."""
    machines: dict[str, Any] = {}
    responses: dict[str, Any] = {}
    for file in files:
        machines |= file["StateMachines"]
        responses |= file["MockedResponses"]
    return {"StateMachines": machines, "MockedResponses": responses}


def numbered(answers: Sequence[Answer]) -> dict[str, Any]:
    """`{"0": ..., "1-3": ...}`: equal answers in a row share one range."""
    numbers: dict[str, Any] = {}
    first = 0
    for answer, equals in itertools.groupby(answers):
        last = first + len(list(equals)) - 1
        numbers[str(first) if first == last else f"{first}-{last}"] = answer.as_response()
        first = last + 1
    return numbers
