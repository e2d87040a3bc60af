"""Documented semantics of the Amazon States Language, probed on the mended interpreter: one row, one promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import ROLE, FunctionFailed, Lab, function

PASS = {"Type": "Pass", "End": True}


@dataclass(frozen=True)
class Probe:
    """One state, an input, and what becomes of it: an output, or the error that the execution fails with."""

    promise: str
    state: dict[str, Any]
    given: Any = None
    output: Any = None
    error: str | None = None


def passing(promise: str, given: Any, output: Any, **fields: Any) -> Probe:
    return Probe(promise, {**PASS, **fields}, given, output)


def computing(promise: str, expression: str, given: Any, output: Any) -> Probe:
    return Probe(promise, {**PASS, "Parameters": {"x.$": expression}}, given, {"x": output})


def failing(promise: str, expression: str, given: Any, error: str) -> Probe:
    return Probe(promise, {**PASS, "Parameters": {"x.$": expression}}, given, error=error)


def choosing(promise: str, rule: dict[str, Any], given: Any, yes: bool) -> Probe:
    state = {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"}
    return Probe(promise, state, given, "Yes" if yes else "No")


VALUES = [
    passing("a state passes its input on", {"a": 1}, {"a": 1}),
    passing("a string is an output", {"a": "b"}, "b", OutputPath="$.a"),
    passing("InputPath selects", {"a": {"b": 1}}, {"b": 1}, InputPath="$.a"),
    passing("InputPath null is an empty object", {"a": 1}, {}, InputPath=None),
    passing("OutputPath selects", {"a": {"b": 1}}, {"b": 1}, OutputPath="$.a"),
    passing("OutputPath null is an empty object", {"a": 1}, {}, OutputPath=None),
    passing("ResultPath null keeps the input", {"a": 1}, {"a": 1}, Result={"b": 2}, ResultPath=None),
    passing("ResultPath puts the result", {"a": 1}, {"a": 1, "r": 2}, Result=2, ResultPath="$.r"),
    passing("ResultPath makes what is missing", {}, {"r": {"s": 2}}, Result=2, ResultPath="$.r.s"),
    passing("ResultPath replaces an array's item", {"l": [1, 2]}, {"l": [1, 9]}, Result=9, ResultPath="$.l[1]"),
    passing("Result null is a result", {"a": 1}, {"a": 1, "r": None}, Result=None, ResultPath="$.r"),
    Probe(
        "ResultPath through a string is States.ResultPathMatchFailure",
        {**PASS, "Result": 1, "ResultPath": "$.a.b"},
        {"a": "text"},
        error="States.ResultPathMatchFailure",
    ),
    Probe(
        "a path that finds nothing is States.Runtime",
        {**PASS, "Parameters": {"x.$": "$.nothing"}},
        {},
        error="States.Runtime",
    ),
    Probe(
        "InputPath that finds nothing is States.Runtime",
        {**PASS, "InputPath": "$.no"},
        {},
        error="States.Runtime",
    ),
    computing("an index", "$.l[1]", {"l": [1, 2, 3]}, 2),
    computing("the last item by a negative index", "$.l[-1]", {"l": [1, 2, 3]}, 3),
    computing("an item's member is a value, not a list", "$.l[0].a", {"l": [{"a": 1}]}, 1),
    computing("a member of the last item", "$.l[-1].a.b", {"l": [{"a": {"b": 7}}]}, 7),
    computing("an item that is a list", "$.l[0]", {"l": [[1]]}, [1]),
    computing("a slice is a list", "$.l[0:2]", {"l": [1, 2, 3]}, [1, 2]),
    computing("a slice of one is a list", "$.l[0:1]", {"l": [1, 2, 3]}, [1]),
    computing("the last two", "$.l[-2:]", {"l": [1, 2, 3]}, [2, 3]),
    computing("a wildcard is a list", "$.l[*].a", {"l": [{"a": 1}]}, [1]),
    computing("a wildcard that finds nothing is an empty list", "$.l[*].b", {"l": [{"a": 1}]}, []),
    computing("a wildcard over an empty list", "$.l[*]", {"l": []}, []),
    computing("a filter is a list", "$.l[?(@.a==2)]", {"l": [{"a": 1}, {"a": 2}]}, [{"a": 2}]),
    computing("two indexes are a list", "$.l[0,2]", {"l": [1, 2, 3]}, [1, 3]),
    computing("recursive descent is a list", "$..a", {"a": 1}, [1]),
    computing("a quoted name", "$['a b']", {"a b": 1}, 1),
    computing("a name with dashes", "$.a-b", {"a-b": 1}, 1),
    computing("null is a value", "$.a", {"a": None}, None),
    failing("an index past the end is States.Runtime", "$.l[3]", {"l": [1]}, "States.Runtime"),
    failing("a wildcard over what is missing is States.Runtime", "$.no[*]", {}, "States.Runtime"),
]
FUNCTIONS = [
    computing("Format", "States.Format('a {} {}', $.s, $.n)", {"s": "b", "n": 1}, "a b 1"),
    computing("Format keeps other braces", "States.Format('{\"k\": {}}', 1)", {}, '{"k": 1}'),
    computing("Format with escaped braces", r"States.Format('\{\} {}', 1)", {}, "{} 1"),
    computing("Format with a template from the input", "States.Format($.t, $.n)", {"t": "n={}", "n": None}, "n=null"),
    computing("nested functions", "States.Format('{}', States.MathAdd($.n, 1))", {"n": 1}, "2"),
    computing("StringToJson", "States.StringToJson($.t)", {"t": '{"a":[1]}'}, {"a": [1]}),
    computing(
        "JsonToString is compact and not escaped",
        "States.JsonToString($.o)",
        {"o": {"a": "é", "b": 1}},
        '{"a":"é","b":1}',
    ),
    computing("Array", "States.Array(1, 'a', $.x)", {"x": [2]}, [1, "a", [2]]),
    computing("ArrayPartition", "States.ArrayPartition($.l, 2)", {"l": [1, 2, 3]}, [[1, 2], [3]]),
    computing("ArrayContains", "States.ArrayContains($.l, 2)", {"l": [1, 2]}, True),
    computing("ArrayRange", "States.ArrayRange(1, 9, 2)", {}, [1, 3, 5, 7, 9]),
    computing("ArrayGetItem", "States.ArrayGetItem($.l, 1)", {"l": [1, 2]}, 2),
    computing("ArrayLength", "States.ArrayLength($.l)", {"l": [1, 2]}, 2),
    computing("ArrayUnique", "States.ArrayUnique($.l)", {"l": [1, 1, 2]}, [1, 2]),
    computing("Base64Encode", "States.Base64Encode('Data')", {}, "RGF0YQ=="),
    computing("Base64Decode", "States.Base64Decode('RGF0YQ==')", {}, "Data"),
    computing(
        "Hash",
        "States.Hash('a', 'SHA-256')",
        {},
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    ),
    computing(
        "JsonMerge",
        "States.JsonMerge($.a, $.b, false)",
        {"a": {"x": 1}, "b": {"x": 2, "y": 3}},
        {"x": 2, "y": 3},
    ),
    computing("MathAdd", "States.MathAdd($.a, -1)", {"a": 5}, 4),
    computing("StringSplit", "States.StringSplit('a,b', ',')", {}, ["a", "b"]),
    failing(
        "a function that fails is States.IntrinsicFailure",
        "States.StringToJson('{')",
        {},
        "States.IntrinsicFailure",
    ),
    failing("Format with too few values", "States.Format('{} {}', 1)", {}, "States.IntrinsicFailure"),
    failing("a function's path that finds nothing", "States.Format('{}', $.no)", {}, "States.Runtime"),
]
CHOICES = [
    choosing("IsPresent", {"Variable": "$.a", "IsPresent": True}, {"a": None}, True),
    choosing("IsPresent of what is missing", {"Variable": "$.a", "IsPresent": True}, {}, False),
    choosing("not IsPresent", {"Variable": "$.a.b", "IsPresent": False}, {"a": 1}, True),
    choosing("IsNull", {"Variable": "$.a", "IsNull": True}, {"a": None}, True),
    choosing("IsString false", {"Variable": "$.a", "IsString": False}, {"a": 1}, True),
    choosing("IsNumeric is not for booleans", {"Variable": "$.a", "IsNumeric": True}, {"a": True}, False),
    choosing(
        "IsTimestamp with an offset",
        {"Variable": "$.a", "IsTimestamp": True},
        {"a": "2026-01-01T00:00:00.5+02:00"},
        True,
    ),
    choosing("StringEquals", {"Variable": "$.a", "StringEquals": "x"}, {"a": "x"}, True),
    choosing("StringEquals never matches a number", {"Variable": "$.a", "StringEquals": "1"}, {"a": 1}, False),
    choosing("StringMatches", {"Variable": "$.a", "StringMatches": "log-*.txt"}, {"a": "log-[1].txt"}, True),
    choosing(
        "StringMatches knows no other wildcard",
        {"Variable": "$.a", "StringMatches": "a?"},
        {"a": "ab"},
        False,
    ),
    choosing("NumericGreaterThanPath", {"Variable": "$.a", "NumericGreaterThanPath": "$.b"}, {"a": 5, "b": 3}, True),
    choosing("NumericLessThanPath", {"Variable": "$.a", "NumericLessThanPath": "$.b"}, {"a": 5, "b": 3}, False),
    choosing("StringEqualsPath", {"Variable": "$.a", "StringEqualsPath": "$.b"}, {"a": "x", "b": "x"}, True),
    choosing("NumericEquals of float and int", {"Variable": "$.a", "NumericEquals": 1}, {"a": 1.0}, True),
    choosing("BooleanEquals", {"Variable": "$.a", "BooleanEquals": False}, {"a": False}, True),
    choosing(
        "TimestampLessThan compares moments",
        {"Variable": "$.a", "TimestampLessThan": "2026-01-01T01:00:00Z"},
        {"a": "2026-01-01T02:00:00+02:00"},
        True,
    ),
    choosing(
        "And stops at the first that fails",
        {"And": [{"Variable": "$.a", "IsPresent": True}, {"Variable": "$.a", "NumericEquals": 1}]},
        {},
        False,
    ),
    choosing(
        "Or",
        {"Or": [{"Variable": "$.a", "IsNull": True}, {"Variable": "$.a", "NumericEquals": 1}]},
        {"a": 1},
        True,
    ),
    choosing("Not", {"Not": {"Variable": "$.a", "NumericEquals": 1}}, {"a": 2}, True),
    choosing("the context object", {"Variable": "$$.Execution.RedriveCount", "NumericEquals": 0}, {}, True),
]
BROKEN_CHOICES = [
    Probe(
        "a Choice on a missing variable is States.Runtime",
        {
            "Type": "Choice",
            "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "Yes"}],
            "Default": "No",
        },
        {},
        error="States.Runtime",
    ),
    Probe(
        "a Choice that compares with a missing variable is States.Runtime",
        {
            "Type": "Choice",
            "Choices": [{"Variable": "$.a", "NumericEqualsPath": "$.b", "Next": "Yes"}],
            "Default": "No",
        },
        {"a": 1},
        error="States.Runtime",
    ),
    Probe(
        "a Choice that matches nothing and has no Default is States.NoChoiceMatched",
        {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "Yes"}]},
        {"a": 2},
        error="States.NoChoiceMatched",
    ),
]


def promises(probes: list[Probe]) -> Any:
    return pytest.mark.parametrize("probe", probes, ids=lambda probe: probe.promise)


@promises([*VALUES, *FUNCTIONS, *BROKEN_CHOICES])
def test_a_value_is_computed_as_documented(lab: Lab, probe: Probe) -> None:
    run = lab.state(probe.state, probe.given)
    if probe.error is None:
        assert (run.status, run.error, run.cause) == ("SUCCEEDED", None, None)
        assert run.output == probe.output
    else:
        assert (run.status, run.error) == ("FAILED", probe.error), run.output


@promises(CHOICES)
def test_a_choice_goes_where_documented(lab: Lab, probe: Probe) -> None:
    run = lab.state(probe.state, probe.given)
    assert (run.status, run.cause) == ("SUCCEEDED", None)
    assert run.states[-1] == probe.output


def test_json_escapes_mean_their_characters_everywhere(lab: Lab) -> None:
    """Terraform's jsonencode writes `<`, `>` and `&` as escapes."""
    text = """{"StartAt": "a\\u003cb", "States": {"a\\u003cb": {"Type": "Pass", "End": true, "Parameters": {
        "plain": "x \\u003c\\u003e \\"y\\" \\/ \\ud83d\\ude80", "key\\u0026": 1, "path.$": "$['\\u003e']",
        "made.$": "States.Format('\\u003c{} it\\\\'s', $.n)"}}}}"""
    request = {"name": "escaped", "definition": text, "roleArn": ROLE}
    run = lab.wait(lab.start(lab.api.create_state_machine(request)["stateMachineArn"], {">": 2, "n": 3}))
    assert run.states == ["a<b"]
    assert run.output == {"plain": 'x <> "y" / 🚀', "key&": 1, "path": 2, "made": "<3 it's"}


def test_the_execution_output_of_a_string_is_json(lab: Lab) -> None:
    run = lab.start(lab.create({"StartAt": "A", "States": {"A": {**PASS, "Result": "text"}}}))
    lab.wait(run)
    assert run.output == '"text"'


def test_the_context_object_is_complete(lab: Lab) -> None:
    run = lab.run({"StartAt": "A", "States": {"A": {**PASS, "Parameters": {"all.$": "$$"}}}}, {"k": 1}, name="run-1")
    context = run.output["all"]
    assert context["Execution"] == {
        "Id": "arn:aws:states:eu-west-1:123456789012:execution:machine-0:run-1",
        "Input": {"k": 1},
        "Name": "run-1",
        "RoleArn": "arn:aws:iam::123456789012:role/machine",
        "StartTime": context["Execution"]["StartTime"],
        "RedriveCount": 0,
    }
    assert context["StateMachine"] == {
        "Id": "arn:aws:states:eu-west-1:123456789012:stateMachine:machine-0",
        "Name": "machine-0",
    }
    assert context["State"] == {"Name": "A", "EnteredTime": context["State"]["EnteredTime"], "RetryCount": 0}
    for time in (context["Execution"]["StartTime"], context["State"]["EnteredTime"]):
        assert time[10] == "T"
        assert time[-5:-4] == "."
        assert time.endswith("Z")


def test_a_task_inside_a_map_sees_its_item_in_the_context(lab: Lab) -> None:
    lab.services.functions["f"] = lambda event: event
    task = {
        "Type": "Task",
        "Resource": function("f"),
        "Parameters": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "name.$": "$$.State.Name"},
        "End": True,
    }
    run = lab.state({"Type": "Map", "ItemProcessor": {"StartAt": "T", "States": {"T": task}}, "End": True}, ["a", "b"])
    assert run.output == [{"i": 0, "v": "a", "name": "T"}, {"i": 1, "v": "b", "name": "T"}]


def test_a_result_selector_works_on_the_result(lab: Lab) -> None:
    lab.services.functions["f"] = lambda _: {"a": {"b": 1}}
    state = {
        "Type": "Task",
        "Resource": function("f"),
        "ResultSelector": {"c.$": "$.a.b"},
        "ResultPath": "$.r",
        "End": True,
    }
    assert lab.state(state, {"k": 0}).output == {"k": 0, "r": {"c": 1}}


def test_jsonata_states_run(lab: Lab) -> None:
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "States": {
            "A": {
                "Type": "Pass",
                "Assign": {"n": "{% $states.input.n + 1 %}"},
                "Output": {"s": "{% $sum($states.input.l) %}"},
                "Next": "B",
            },
            "B": {"Type": "Pass", "Output": {"n": "{% $n %}", "s": "{% $states.input.s %}"}, "End": True},
        },
    }
    assert lab.run(definition, {"n": 1, "l": [1, 2, 3]}).output == {"n": 2, "s": 6}


def test_jsonata_has_the_functions_of_step_functions(lab: Lab) -> None:
    output = {
        "parse": "{% $parse('{\"a\": 1}').a %}",
        "hash": "{% $hash('a', 'MD5') %}",
        "partition": "{% $partition([1, 2, 3], 2) %}",
        "range": "{% $range(1, 5, 2) %}",
        "uuid": "{% $length($uuid()) %}",
    }
    state = {"Type": "Pass", "Output": output, "End": True}
    assert lab.run({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}}).output == {
        "parse": 1,
        "hash": "0cc175b9c0f1b6a831c399e269772661",
        "partition": [[1, 2], [3]],
        "range": [1, 3, 5],
        "uuid": 36,
    }


def test_a_failing_fail_state_keeps_its_error_and_cause(lab: Lab) -> None:
    run = lab.state({"Type": "Fail", "Error": "States.Oops", "CausePath": "$.why"}, {"why": "because"})
    assert (run.status, run.error, run.cause) == ("FAILED", "States.Oops", "because")


def test_a_fail_state_without_error_fails_without_error(lab: Lab) -> None:
    run = lab.state({"Type": "Fail"})
    assert (run.status, run.error, run.cause) == ("FAILED", None, None)


def test_a_failed_function_is_caught_by_its_own_error_name(lab: Lab) -> None:
    def fail(_: Any) -> None:
        raise FunctionFailed("ManifestInvalid", "field x")

    lab.services.functions["f"] = fail
    state = {
        "Type": "Task",
        "Resource": function("f"),
        "Catch": [{"ErrorEquals": ["ManifestInvalid"], "ResultPath": "$.failure", "Next": "Caught"}],
        "End": True,
    }
    run = lab.state(state, {"k": 1})
    assert run.states == ["It", "Caught"]
    assert run.output["failure"]["Error"] == "ManifestInvalid"
    assert "field x" in run.output["failure"]["Cause"]
    assert run.output["k"] == 1
