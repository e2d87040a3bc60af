"""The instruments of this folder: a wrong reading would make the coverage of edges a fiction."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state_machines.choices import VariableMissing, rule_of
from tests.state_machines.edges import Edge, all_edges, all_states, handler_of
from tests.state_machines.histories import taken, visits
from tests.state_machines.mocks import UNFORESEEN, Return, Throw, mock_file, numbered, together

TASK: dict[str, Any] = {
    "Type": "Task",
    "Retry": [
        {"ErrorEquals": ["Refused"], "MaxAttempts": 0},
        {"ErrorEquals": ["States.ALL"], "MaxAttempts": 3},
    ],
    "Catch": [
        {"ErrorEquals": ["Refused"], "Next": "Elsewhere"},
        {"ErrorEquals": ["States.ALL"], "Next": "Failed"},
    ],
    "Next": "Done",
}


def entered(name: str, kind: str = "Task") -> dict[str, Any]:
    return {"type": f"{kind}StateEntered", "stateEnteredEventDetails": {"name": name, "input": "{}"}}


def attempted(error: str | None = None) -> list[dict[str, Any]]:
    events = [{"type": "TaskScheduled", "taskScheduledEventDetails": {"parameters": "{}"}}]
    if error:
        events.append({"type": "TaskFailed", "taskFailedEventDetails": {"error": error}})
    return events


def test_a_retried_task_takes_the_retrier_of_each_error_and_then_its_next() -> None:
    first, _ = visits([entered("Send"), *attempted("Busy"), *attempted("Slow"), *attempted(), entered("Done")])
    assert taken(first, TASK) == {Edge("Send", "Retry", "1 States.ALL"), Edge("Send", "Next", "", "Done")}


def test_a_task_whose_retries_run_out_takes_the_catcher_of_the_last_error() -> None:
    first, _ = visits([entered("Send"), *attempted("Busy"), *attempted("Busy"), entered("Failed")])
    assert taken(first, TASK) == {
        Edge("Send", "Retry", "1 States.ALL"),
        Edge("Send", "Catch", "1 States.ALL", "Failed"),
    }


def test_a_refusal_that_is_never_retried_counts_as_such() -> None:
    first, _ = visits([entered("Send"), *attempted("Refused"), entered("Elsewhere")])
    assert taken(first, TASK) == {
        Edge("Send", "NoRetry", "0 Refused"),
        Edge("Send", "Catch", "0 Refused", "Elsewhere"),
    }


def test_a_state_that_went_on_where_the_definition_does_not_lead_is_noticed() -> None:
    first, _ = visits([entered("Send"), *attempted(), entered("Nowhere")])
    with pytest.raises(AssertionError, match="went on to Nowhere"):
        taken(first, TASK)


def test_states_inside_a_map_do_not_follow_the_state_before_it() -> None:
    events = [
        entered("Each", "Map"),
        {"type": "MapIterationStarted"},
        entered("One"),
        {"type": "MapIterationSucceeded"},
        {"type": "MapIterationStarted"},
        entered("One"),
        {"type": "MapIterationSucceeded"},
        {"type": "MapStateExited"},
        entered("Done"),
    ]
    assert [(visit.state, visit.next) for visit in visits(events)] == [
        ("Each", "Done"),
        ("One", None),
        ("One", None),
        ("Done", None),
    ]


def test_the_first_handler_that_lists_an_error_decides() -> None:
    assert handler_of("Refused", TASK["Retry"]) == (0, "Refused")
    assert handler_of("Busy", TASK["Retry"]) == (1, "States.ALL")
    assert handler_of("Busy", []) is None


def test_the_first_rule_that_holds_decides() -> None:
    state = {
        "Choices": [
            {
                "And": [
                    {"Variable": "$.a.b", "IsPresent": True},
                    {"Variable": "$.a.b", "StringEqualsPath": "$.c"},
                ]
            },
            {
                "Or": [
                    {"Variable": "$.n", "NumericGreaterThan": 6},
                    {"Variable": "$.c", "StringEquals": "FAILED"},
                ]
            },
        ]
    }
    assert rule_of(state, {"a": {"b": "x"}, "c": "x", "n": 7}) == 0
    assert rule_of(state, {"c": "FAILED", "n": 6}) == 1
    assert rule_of(state, {"c": "RUNNING", "n": 6}) is None


def test_a_comparison_of_what_is_not_there_is_an_error_as_on_aws() -> None:
    with pytest.raises(VariableMissing, match=r"\$\.n"):
        rule_of({"Choices": [{"Variable": "$.n", "NumericGreaterThan": 6}]}, {})


def test_equal_answers_in_a_row_share_a_range() -> None:
    assert numbered([Throw("Busy", "c"), Throw("Busy", "c"), Return(1), Return(2)]) == {
        "0-1": {"Throw": {"Error": "Busy", "Cause": "c"}},
        "2": {"Return": 1},
        "3": {"Return": 2},
    }


def test_a_task_that_a_case_does_not_answer_for_never_calls_anything() -> None:
    file = mock_file("machine", {"Case": {"Send": [Return({})]}}, ["Send", "Tell"])
    assert file["StateMachines"]["machine"]["TestCases"]["Case"] == {"Send": "machine-Case-Send", "Tell": UNFORESEEN}
    assert file["MockedResponses"][UNFORESEEN]["0"]["Throw"]["Error"] == UNFORESEEN


def test_machines_in_one_file_keep_their_answers_apart() -> None:
    files = [mock_file(machine, {"Case": {"Send": [Return(machine)]}}, ["Send"]) for machine in ("one", "two")]
    file = together(files)
    for machine in ("one", "two"):
        response = file["StateMachines"][machine]["TestCases"]["Case"]["Send"]
        assert file["MockedResponses"][response] == {"0": {"Return": machine}}


def test_an_answer_for_a_state_that_is_no_task_is_refused() -> None:
    with pytest.raises(ValueError, match="Typo"):
        mock_file("machine", {"Case": {"Typo": [Return({})]}}, ["Send"])


def test_states_of_one_name_in_and_outside_a_map_are_refused() -> None:
    inner = {"StartAt": "Send", "States": {"Send": {"Type": "Succeed"}}}
    definition = {"States": {"Send": {"Type": "Succeed"}, "Each": {"Type": "Map", "ItemProcessor": inner}}}
    with pytest.raises(ValueError, match="Send"):
        all_states(definition)


def test_each_listed_error_is_an_edge_of_its_own() -> None:
    catcher = {"ErrorEquals": ["A", "B"], "Next": "Done"}
    definition = {"States": {"Send": {"Type": "Task", "Catch": [catcher], "End": True}}}
    assert {edge for edge in all_edges(definition) if edge.kind == "Catch"} == {
        Edge("Send", "Catch", "0 A", "Done"),
        Edge("Send", "Catch", "0 B", "Done"),
    }
