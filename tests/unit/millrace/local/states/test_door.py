from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.local.model import WrongAnswer
from millrace.local.states.door import Door


class Api:
    """An API whose answers are given."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer

    def of(self, *_: str) -> Api:
        return self

    def list_state_machines(self, _: Any) -> dict[str, Any]:
        return self.answer


def test_an_answer_that_the_real_api_cannot_give_is_loud() -> None:
    door = Door(lambda: Api({"stateMachines": [{"name": "m"}]}))  # type: ignore[arg-type,return-value]
    with pytest.raises(WrongAnswer, match="stateMachineArn"):
        door.do("ListStateMachines", {}, "123456789012", "eu-west-1")


def test_a_request_that_breaks_the_model_is_a_validation_error() -> None:
    door = Door(lambda: Api({"stateMachines": []}))  # type: ignore[arg-type,return-value]
    status, _, body = door.do("ListStateMachines", {"maxResults": 1001}, "123456789012", "eu-west-1")
    assert (status, json.loads(body)["__type"]) == (400, "ValidationException")


def test_an_engine_that_cannot_run_fails_every_request_with_the_reason() -> None:
    def load() -> Any:
        raise RuntimeError("moved")

    with pytest.raises(RuntimeError, match="moved"):
        Door(load).do("ListStateMachines", {}, "123456789012", "eu-west-1")


def test_a_target_that_is_no_state_machine_is_refused() -> None:
    door = Door(lambda: Api({}))  # type: ignore[arg-type,return-value]
    status, _, body = door.start_execution({"stateMachineArn": "arn:aws:sqs:eu-west-1:123456789012:q"})
    assert (status, json.loads(body)["__type"]) == (400, "InvalidArn")
