"""Mocked service answers, in the format of Step Functions Local.

A configuration is `{"StateMachines": {machine: {"TestCases": {case: {state: response}}}}, "MockedResponses":
{response: {"0": {"Return": value}, "1-2": {"Throw": {"Error", "Cause"}}}}}`. An execution started with
`<state machine ARN>#<case>` gets a state's answers from there, in the order of its invocations.

* InvalidMock     the configuration does not hold what the execution asks for
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from millrace.local.states.interpreter import MockedResponse, MockedResponseReturn, MockedResponseThrow


class InvalidMock(ValueError):
    pass


class MockedCase:
    """One test case of one execution. Counts the invocations of each state, retries and loops alike."""

    def __init__(self, name: str, responses: Mapping[str, Mapping[int, MockedResponse]]) -> None:
        self.name = name
        self._responses = responses
        self._invocations: Counter[str] = Counter()
        self._lock = threading.Lock()

    def covers(self, state: str | None) -> bool:
        return state in self._responses

    def next_response(self, state: str) -> MockedResponse:
        """The answer to the state's next invocation. Raises InvalidMock when there is none left."""
        with self._lock:
            number = self._invocations[state]
            self._invocations[state] += 1
        try:
            return self._responses[state][number]
        except KeyError:
            raise InvalidMock(
                f"test case {self.name} has no mocked response for invocation {number} of state {state}"
            ) from None


def read_case(configuration: Mapping[str, Any], machine: str, case: str) -> MockedCase:
    """Raises InvalidMock, naming what is missing or wrong."""
    try:
        chosen = configuration["StateMachines"][machine]["TestCases"][case]
    except KeyError:
        raise InvalidMock(f"the mock configuration has no test case {case} for state machine {machine}") from None
    known = configuration.get("MockedResponses", {})
    responses = {}
    for state, name in chosen.items():
        if name not in known:
            raise InvalidMock(f"test case {case} wants the mocked response {name} for state {state}; there is none")
        responses[state] = {number: answer for key, told in known[name].items() for number, answer in _read(key, told)}
    return MockedCase(case, responses)


def _read(key: str, told: Mapping[str, Any]) -> list[tuple[int, MockedResponse]]:
    first, _, last = key.partition("-")
    try:
        numbers = range(int(first), int(last or first) + 1)
    except ValueError:
        raise InvalidMock(f"{key!r} is no invocation number nor a range such as 1-3") from None
    if set(told) == {"Return"}:
        return [(number, MockedResponseReturn(number, number, told["Return"])) for number in numbers]
    if set(told) == {"Throw"} and set(told["Throw"]) == {"Error", "Cause"}:
        error, cause = told["Throw"]["Error"], told["Throw"]["Cause"]
        return [(number, MockedResponseThrow(number, number, error, cause)) for number in numbers]
    raise InvalidMock(f"a mocked response holds Return, or Throw with Error and Cause; {key!r} holds {sorted(told)}")
