"""A walk through a definition does what its Pass, Choice and Wait states say."""

from __future__ import annotations

import pytest

from tests.model.asl import Standing, Walker, value_of

CONTEXT = {"Execution": {"Id": "arn"}}
STATES = {
    "Begin": {"Type": "Pass", "Parameters": {"count": {"number": 1}, "input.$": "$"}, "Next": "Ask"},
    "Ask": {
        "Type": "Task",
        "Parameters": {"Who.$": "$$.Execution.Id", "What.$": "States.Format('{}: {}', $.input, $.count.number)"},
        "ResultSelector": {"status.$": "$.Status"},
        "ResultPath": "$.count.answer",
        "Catch": [{"ErrorEquals": ["Known"], "ResultPath": "$.error", "Next": "Wait"}],
        "Next": "Look",
    },
    "Look": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.count.answer.status", "StringEquals": "GOOD", "Next": "Told"}],
        "Default": "Ask",
    },
    "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Told"},
    "Told": {"Type": "Pass", "Parameters": {"next.$": "States.MathAdd($.count.number, 1)"}, "End": True},
}
WALKER = Walker(STATES, "Begin")


def begun() -> Standing:
    return WALKER.begin("hello", CONTEXT)


def test_a_walk_stands_still_before_a_task_and_says_what_it_sends() -> None:
    assert begun() == Standing("Ask", {"count": {"number": 1}, "input": "hello"})
    assert WALKER.request(begun(), CONTEXT) == {"Who": "arn", "What": "hello: 1"}


def test_an_answer_is_selected_placed_and_decides_the_way() -> None:
    again = WALKER.answered(begun(), {"Status": "BAD"}, CONTEXT)
    assert again == Standing("Ask", {"count": {"number": 1, "answer": {"status": "BAD"}}, "input": "hello"})
    assert WALKER.answered(begun(), {"Status": "GOOD"}, CONTEXT) == Standing("Told", {"next": 2})


def test_an_error_goes_to_who_catches_it() -> None:
    assert WALKER.failed(begun(), "Known", CONTEXT).state == "Told"
    with pytest.raises(ValueError, match="Ask does not catch Unknown"):
        WALKER.failed(begun(), "Unknown", CONTEXT)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("States.JsonMerge($.one, $.other, false)", {"a": 1, "b": 2}),
        ("States.ArrayGetItem(States.StringSplit('k/d', '/'), 1)", "d"),
        ("States.StringToJson('3')", 3),
        ("States.MathAdd($.one.a, -3)", -2),
        (r"""States.Format('\{"a":{}\}', $.one.a)""", '{"a":1}'),
    ],
)
def test_functions_give_what_step_functions_gives(expression: str, value: object) -> None:
    assert value_of(expression, {"one": {"a": 1}, "other": {"b": 2}}, CONTEXT) == value


def test_a_path_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError):
        value_of("$.nothing", {}, CONTEXT)
