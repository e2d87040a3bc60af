"""Rules that every definition in state_machines/ keeps, checked without running it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.state_machines.edges import ANY_ERROR, WILDCARDS, Definition, State, all_edges, all_states
from tests.state_machines.flows import missing
from tests.state_machines.machines import FOLDER, MACHINES
from tests.state_machines.rendering import placeholders

FILES = sorted(FOLDER.glob("*.json"))
DEFINITIONS = {name: machine.rendered() for name, machine in MACHINES.items()}
MAX_DEFINITION_BYTES = 1_048_576  # CreateStateMachine
MAX_NAME_CHARACTERS = 80  # of a state
LAMBDA_TIMEOUT_SECONDS = 900
STATE_OF_OUR_OWN = re.compile(r"\$\$?\.|\$\[|States\.")
WAITS = ".waitForTaskToken"
EXITS = {"NumericGreaterThan", "NumericGreaterThanEquals", "NumericGreaterThanEqualsPath"}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
each_definition = pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)


def tasks(definition: Definition) -> dict[str, State]:
    return {name: state for name, state in all_states(definition).items() if state["Type"] == "Task"}


def test_every_file_is_under_these_rules() -> None:
    assert set(FILES) == {path for machine in MACHINES.values() for path in machine.files}


@each_file
def test_the_raw_file_is_json_with_placeholders_only_inside_strings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert placeholders(text) == {found for string in strings(json.loads(text)) for found in placeholders(string)}


@each_file
def test_the_raw_file_holds_no_template_directive(path: Path) -> None:
    assert "%{" not in path.read_text(encoding="utf-8")


@each_definition
def test_the_definition_and_its_names_are_within_the_service_limits(definition: Definition) -> None:
    assert len(json.dumps(definition).encode()) < MAX_DEFINITION_BYTES
    assert all(len(name) <= MAX_NAME_CHARACTERS for name in all_states(definition))


@each_definition
def test_the_language_is_what_step_functions_local_knows(definition: Definition) -> None:
    for fields in objects(definition):
        assert not fields.keys() & {
            "QueryLanguage",
            "Assign",
            "Arguments",
            "Output",
            "ItemReader",
            "ItemBatcher",
        }
    for name, state in all_states(definition).items():
        if state["Type"] == "Map":
            assert state["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}, name


@each_definition
def test_every_state_says_why_it_is_there(definition: Definition) -> None:
    silent = [name for name, state in all_states(definition).items() if len(state.get("Comment", "").split()) < 5]
    assert silent == []


@each_definition
def test_every_way_leads_to_a_state_and_every_state_is_reached(definition: Definition) -> None:
    states = all_states(definition)
    starts = {definition["StartAt"]} | {
        state["ItemProcessor"]["StartAt"] for state in states.values() if "ItemProcessor" in state
    }
    targets = {edge.target for edge in all_edges(definition) if edge.target}
    assert starts | targets == set(states)


@each_definition
def test_the_machine_and_every_task_end_in_time(definition: Definition) -> None:
    assert definition["TimeoutSeconds"] > 0
    for name, task in tasks(definition).items():
        assert task["TimeoutSeconds"] > 0, name
        if calls_a_function(task):
            assert task["TimeoutSeconds"] > LAMBDA_TIMEOUT_SECONDS, f"{name} would end before its function does"


@each_definition
def test_a_task_that_waits_for_its_token_ends_before_the_machine_and_waits_once(definition: Definition) -> None:
    for name, task in tasks(definition).items():
        if task["Resource"].endswith(WAITS):
            assert task["TimeoutSeconds"] < definition["TimeoutSeconds"], name
            retried = {error for retrier in task["Retry"] for error in retrier["ErrorEquals"]}
            assert not retried & {"States.Timeout", ANY_ERROR}, f"{name} would wait again as long"
            assert "$$.Task.Token" in task["Parameters"]["Payload"].values(), f"nobody could answer {name}"


@each_definition
def test_every_task_is_retried_with_full_jitter_a_cap_and_an_end(definition: Definition) -> None:
    for name, task in tasks(definition).items():
        active = [retrier for retrier in task["Retry"] if retrier["MaxAttempts"] > 0]
        assert active, f"{name} is never retried"
        for retrier in active:
            assert retrier["JitterStrategy"] == "FULL", name
            assert retrier["IntervalSeconds"] < retrier["MaxDelaySeconds"], name
            assert retrier["BackoffRate"] > 1, name
            assert len(retrier["ErrorEquals"]) <= retrier["MaxAttempts"], f"{name}: each error deserves one retry"


@each_definition
def test_every_task_but_the_last_is_caught(definition: Definition) -> None:
    uncaught = {name for name, task in tasks(definition).items() if not task.get("Catch")}
    assert uncaught <= {name for name, task in tasks(definition).items() if task.get("End")}


@each_definition
def test_named_errors_come_before_the_rest_which_stands_alone_and_last(definition: Definition) -> None:
    for name, task in tasks(definition).items():
        for handlers in filter(None, (task["Retry"], task.get("Catch"))):
            listed = [handler["ErrorEquals"] for handler in handlers]
            for wildcard in WILDCARDS:
                assert all(wildcard not in errors for errors in listed[:-1]), name
                assert wildcard not in listed[-1] or listed[-1] == [wildcard], name
            flat = [error for errors in listed for error in errors]
            assert len(flat) == len(set(flat)), f"{name} lists an error twice"
        if task.get("Catch"):
            assert task["Catch"][-1]["ErrorEquals"] == [ANY_ERROR], f"{name} leaves errors uncaught"


@each_definition
def test_a_caught_error_is_kept_beside_the_state(definition: Definition) -> None:
    for name, task in tasks(definition).items():
        for catcher in task.get("Catch", []):
            assert catcher["ResultPath"].startswith("$."), f"{name} would lose the state to the error"


@each_definition
def test_every_choice_has_a_default(definition: Definition) -> None:
    assert [n for n, s in all_states(definition).items() if s["Type"] == "Choice" and "Default" not in s] == []


@each_definition
def test_no_loop_is_without_a_counted_way_out(definition: Definition) -> None:
    """Without the Choices that leave a loop by a count nothing goes round, and each loop writes its count."""
    states = all_states(definition)
    ways = {name: {edge.target for edge in all_edges(definition) if edge.state == name} - {None} for name in states}
    for name in states:
        if name not in reached(name, ways):
            continue
        loop = {other for other in reached(name, ways) if name in reached(other, ways)}
        counters = {other: counter for other in loop for counter in counted_exits(states[other], loop)}
        assert name not in reached(name, {other: targets - set(counters) for other, targets in ways.items()}), (
            f"{name} can loop without passing a Choice that leaves by a count"
        )
        for choice, counter in counters.items():
            assert any(writes(states[other], counter) for other in loop), (
                f"nothing in the loop of {choice} counts {counter}"
            )


@each_definition
def test_only_the_context_object_and_the_state_itself_are_read(definition: Definition) -> None:
    """A redriven execution goes on in the middle: what it reads must be in its state."""
    for fields in objects(definition):
        for key, value in fields.items():
            if key.endswith(".$"):
                assert STATE_OF_OUR_OWN.match(value) or value == "$", f"{key}: {value}"
                assert "$$.Execution.Input" not in value


@each_definition
def test_no_state_reads_what_a_way_to_it_has_not_put_there(definition: Definition) -> None:
    assert missing(definition) == set()


@each_definition
def test_a_dynamodb_expression_has_the_names_and_values_that_it_uses_and_no_other(definition: Definition) -> None:
    """DynamoDB refuses a request with a name or value that no expression uses."""
    for name, task in tasks(definition).items():
        parameters = task.get("Parameters", {})
        text = " ".join(value for key, value in parameters.items() if key.endswith("Expression"))
        assert set(re.findall(r"#\w+", text)) == set(parameters.get("ExpressionAttributeNames", {})), name
        assert set(re.findall(r":\w+", text)) == set(parameters.get("ExpressionAttributeValues", {})), name
        assert not re.search(r"(?<![#:\w])[a-z]\w*\b(?! *\()", text), f"{name}: a bare name may be a reserved word"


def calls_a_function(task: State) -> bool:
    return ":function:" in task["Resource"] or ":lambda:invoke" in task["Resource"]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def reached(start: str, ways: Mapping[str, set[Any]]) -> set[str]:
    """The states that can be entered after `start`, which is among them only if there is a way back."""
    found: set[str] = set()
    ahead = set(ways[start])
    while ahead:
        state = ahead.pop()
        if state not in found:
            found.add(state)
            ahead |= ways[state]
    return found


def counted_exits(state: State, loop: set[str]) -> Iterator[str]:
    """The variables by whose size a Choice leaves the loop."""
    for rule in state.get("Choices", []):
        if rule.keys() & EXITS and rule["Next"] not in loop:
            yield rule["Variable"]


def writes(state: State, variable: str) -> bool:
    """Whether a state counts the variable up, or takes it from its function's answer."""
    parent, _, name = variable.rpartition(".")
    if state["Type"] == "Task":
        return state.get("ResultPath") == parent
    counted = state.get("Parameters", {}).get(f"{name}.$")
    return state.get("ResultPath", "$") == parent and counted == f"States.MathAdd({variable}, 1)"
