"""The instrument that finds reads of what may not be there: a blind one would call every definition sound."""

from __future__ import annotations

from typing import Any

from tests.state_machines.flows import missing

ASK = {"Type": "Task", "ResultSelector": {"id.$": "$.Id"}, "ResultPath": "$.job", "Next": "Tell"}
TELL = {"Type": "Pass", "Parameters": {"id.$": "$.job.id"}, "End": True}


def machine(**states: Any) -> dict[str, Any]:
    return {
        "StartAt": "Begin",
        "States": {"Begin": {"Type": "Pass", "Parameters": {"input.$": "$"}, "Next": "Ask"}, **states},
    }


def test_what_every_way_has_put_there_may_be_read() -> None:
    assert missing(machine(Ask=ASK, Tell=TELL)) == set()


def test_a_result_that_a_caught_error_left_out_is_missing() -> None:
    caught = {**ASK, "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Tell"}]}
    assert missing(machine(Ask=caught, Tell=TELL)) == {"Tell reads $.job.id"}


def test_an_error_is_sure_to_have_a_name_and_not_a_cause() -> None:
    caught = {**ASK, "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Fail"}]}
    fail = {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"}
    assert missing(machine(Ask=caught, Tell=TELL, Fail=fail)) == {"Fail reads $.failure.Cause"}


def test_a_state_replaced_by_a_pass_holds_nothing_else() -> None:
    reduce = {"Type": "Pass", "Parameters": {"name.$": "$.input"}, "Next": "Tell"}
    assert missing(machine(Ask={**ASK, "Next": "Reduce"}, Reduce=reduce, Tell=TELL)) == {"Tell reads $.job.id"}


def test_a_pass_that_takes_a_part_of_the_state_gives_that_part_on() -> None:
    keep = {"Type": "Pass", "InputPath": "$.job", "ResultPath": "$.kept", "Next": "Tell"}
    tell = {**TELL, "Parameters": {"id.$": "$.kept.id", "name.$": "$.kept.name"}}
    assert missing(machine(Ask={**ASK, "Next": "Keep"}, Keep=keep, Tell=tell)) == {"Tell reads $.kept.name"}


def test_a_rule_must_not_compare_what_may_not_be_there_unless_it_asks_first() -> None:
    compares = {"Variable": "$.job.owner", "StringEquals": "me"}
    asks = {"Variable": "$.job.owner", "IsPresent": True}
    bold = {"Type": "Choice", "Choices": [{**compares, "Next": "Tell"}], "Default": "Tell"}
    shy = {"Type": "Choice", "Choices": [{"And": [asks, compares], "Next": "Tell"}], "Default": "Tell"}
    before = {**ASK, "Next": "Check"}
    assert missing(machine(Ask=before, Check=bold, Tell=TELL)) == {"Check reads $.job.owner"}
    assert missing(machine(Ask=before, Check=shy, Tell=TELL)) == set()


def test_what_a_rule_has_asked_for_is_there_where_it_holds_and_nowhere_else() -> None:
    asks = {"Variable": "$.job.owner", "IsPresent": True}
    tell = {**TELL, "Parameters": {"owner.$": "$.job.owner"}}
    other = {**tell, "Comment": "the same"}
    for rule in (asks, {"And": [asks, {"Variable": "$.job.id", "StringEquals": ""}]}):
        check = {"Type": "Choice", "Choices": [{**rule, "Next": "Tell"}], "Default": "Other"}
        assert missing(machine(Ask={**ASK, "Next": "Check"}, Check=check, Tell=tell, Other=other)) == {
            "Other reads $.job.owner"
        }
    either = {"Type": "Choice", "Choices": [{"Or": [asks, asks], "Next": "Tell"}], "Default": "Tell"}
    assert missing(machine(Ask={**ASK, "Next": "Either"}, Either=either, Tell=tell)) == {"Tell reads $.job.owner"}


def test_an_iteration_holds_what_its_selector_gives_it() -> None:
    each = {
        "StartAt": "One",
        "States": {"One": {"Type": "Pass", "Parameters": {"a.$": "$.key", "b.$": "$.job"}, "End": True}},
    }
    mapped = {"Type": "Map", "ItemSelector": {"key.$": "$$.Map.Item.Value"}, "ItemProcessor": each, "End": True}
    assert missing(machine(Ask={**ASK, "Next": "Each"}, Each=mapped, Tell=TELL)) == {"One reads $.job"}


def test_a_result_that_nobody_has_described_may_hold_anything() -> None:
    asks = {**ASK, "ResultPath": "$.found"}
    del asks["ResultSelector"]
    tell = {**TELL, "Parameters": {"owner.$": "$.found.Item.owner.S"}}
    assert missing(machine(Ask=asks, Tell=tell)) == set()


def test_a_loop_is_followed_until_nothing_changes() -> None:
    again = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.job.id", "StringEquals": "", "Next": "Begin"}],
        "Default": "Tell",
    }
    definition = machine(Ask={**ASK, "Next": "Again"}, Again=again, Tell=TELL)
    definition["States"]["Begin"]["Parameters"] = {"job.$": "$.job"}
    assert missing(definition, {"job": {"number": None}}) == set()
    assert missing(definition, {"other": None}) == {"Begin reads $.job"}
