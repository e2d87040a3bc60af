from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from kendra_ingestion.task_token import answer
from tests.fakes.stepfunctions import FakeStepFunctions


def test_the_machine_goes_on() -> None:
    machine = FakeStepFunctions()
    machine.waiting = {"token"}
    answer(machine, "token")
    assert machine.answered == ["token"]


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_token_that_nobody_waits_with_any_more_is_no_fault(code: str) -> None:
    machine = FakeStepFunctions()
    machine.errors = [code]
    answer(machine, "token")
    assert machine.answered == []


def test_an_answer_that_did_not_arrive_is_an_error() -> None:
    machine = FakeStepFunctions()
    machine.errors = ["ServiceUnavailable"]
    with pytest.raises(ClientError):
        answer(machine, "token")
