from __future__ import annotations

import pytest

from tests.fakes.stepfunctions import FakeStepFunctions
from vector_store.errors import StoreUnavailable
from vector_store.machine import Machine

ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:millrace-compaction"


def test_every_request_starts_an_execution_of_its_own() -> None:
    states = FakeStepFunctions()
    for collection in ("lines", "lines", "words"):
        Machine(states, ARN).request(collection)
    assert states.started == {ARN: [{"collection": "lines"}, {"collection": "lines"}, {"collection": "words"}]}


@pytest.mark.parametrize("code", ["ThrottlingException", "StateMachineDoesNotExist", "AccessDeniedException"])
def test_a_request_that_was_not_taken_may_be_made_again(code: str) -> None:
    states = FakeStepFunctions()
    states.errors = [code]
    with pytest.raises(StoreUnavailable, match=code):
        Machine(states, ARN).request("lines")
