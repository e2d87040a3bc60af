"""Rules that every definition in state_machines/ keeps, checked without running it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.state_machines.edges import ANY_ERROR, State, all_edges, all_states
from tests.state_machines.rendering import KENDRA_INGESTION, REPOSITORY, placeholders, rendered

DEFINITIONS = sorted((REPOSITORY / "state_machines").glob("*.asl.json"))
MAX_DEFINITION_BYTES = 1_048_576  # CreateStateMachine
MAX_NAME_CHARACTERS = 80  # of a state
LAMBDA_TIMEOUT_SECONDS = 900
STATE_OF_OUR_OWN = re.compile(r"\$\$?\.|States\.")

pytestmark = pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.name)


def tasks(path: Path) -> dict[str, State]:
    return {name: state for name, state in all_states(rendered(path)).items() if state["Type"] == "Task"}


def test_the_raw_file_is_json_with_placeholders_only_inside_strings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert placeholders(text) == {found for string in strings(json.loads(text)) for found in placeholders(string)}


def test_the_raw_file_holds_no_template_directive(path: Path) -> None:
    assert "%{" not in path.read_text(encoding="utf-8")


def test_the_definition_and_its_names_are_within_the_service_limits(path: Path) -> None:
    assert len(json.dumps(rendered(path)).encode()) < MAX_DEFINITION_BYTES
    assert all(len(name) <= MAX_NAME_CHARACTERS for name in all_states(rendered(path)))


def test_the_language_is_what_step_functions_local_knows(path: Path) -> None:
    definition = rendered(path)
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


def test_every_state_says_why_it_is_there(path: Path) -> None:
    silent = [name for name, state in all_states(rendered(path)).items() if len(state.get("Comment", "").split()) < 5]
    assert silent == []


def test_every_way_leads_to_a_state_and_every_state_is_reached(path: Path) -> None:
    definition = rendered(path)
    states = all_states(definition)
    starts = {definition["StartAt"]} | {
        state["ItemProcessor"]["StartAt"] for state in states.values() if "ItemProcessor" in state
    }
    targets = {edge.target for edge in all_edges(definition) if edge.target}
    assert starts | targets == set(states)


def test_the_machine_and_every_task_end_in_time(path: Path) -> None:
    assert rendered(path)["TimeoutSeconds"] > 0
    for name, task in tasks(path).items():
        assert task["TimeoutSeconds"] > 0, name
        if ":function:" in task["Resource"]:
            assert task["TimeoutSeconds"] > LAMBDA_TIMEOUT_SECONDS, f"{name} would end before its function does"


def test_every_task_is_retried_with_full_jitter_a_cap_and_an_end(path: Path) -> None:
    for name, task in tasks(path).items():
        active = [retrier for retrier in task["Retry"] if retrier["MaxAttempts"] > 0]
        assert active, f"{name} is never retried"
        for retrier in active:
            assert retrier["JitterStrategy"] == "FULL", name
            assert retrier["IntervalSeconds"] < retrier["MaxDelaySeconds"], name
            assert retrier["BackoffRate"] > 1, name
            assert len(retrier["ErrorEquals"]) <= retrier["MaxAttempts"], f"{name}: each error deserves one retry"


def test_every_task_but_the_last_is_caught(path: Path) -> None:
    uncaught = {name for name, task in tasks(path).items() if not task.get("Catch")}
    assert uncaught <= {name for name, task in tasks(path).items() if task.get("End")}


def test_named_errors_come_before_the_rest_which_stands_alone_and_last(path: Path) -> None:
    for name, task in tasks(path).items():
        for handlers in filter(None, (task["Retry"], task.get("Catch"))):
            listed = [handler["ErrorEquals"] for handler in handlers]
            assert all(ANY_ERROR not in errors for errors in listed[:-1]), name
            assert ANY_ERROR not in listed[-1] or listed[-1] == [ANY_ERROR], name
            flat = [error for errors in listed for error in errors]
            assert len(flat) == len(set(flat)), f"{name} lists an error twice"
        if task.get("Catch"):
            assert task["Catch"][-1]["ErrorEquals"] == [ANY_ERROR], f"{name} leaves errors uncaught"


def test_a_caught_error_is_kept_beside_the_state(path: Path) -> None:
    for name, task in tasks(path).items():
        for catcher in task.get("Catch", []):
            assert catcher["ResultPath"].startswith("$."), f"{name} would lose the state to the error"


def test_every_choice_has_a_default(path: Path) -> None:
    assert [n for n, s in all_states(rendered(path)).items() if s["Type"] == "Choice" and "Default" not in s] == []


def test_no_loop_is_without_a_counted_way_out(path: Path) -> None:
    """Without the Choices that leave a loop by a count nothing goes round, and each loop writes its count."""
    definition = rendered(path)
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


def test_only_the_context_object_and_the_state_itself_are_read(path: Path) -> None:
    """A redriven execution goes on in the middle: what it reads must be in its state."""
    for fields in objects(rendered(path)):
        for key, value in fields.items():
            if key.endswith(".$"):
                assert STATE_OF_OUR_OWN.match(value) or value == "$", f"{key}: {value}"
                assert "$$.Execution.Input" not in value


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
        if rule.keys() & {"NumericGreaterThan", "NumericGreaterThanEquals"} and rule["Next"] not in loop:
            yield rule["Variable"]


def writes(state: State, variable: str) -> bool:
    """Whether a state counts the variable up, or takes it from its function's answer."""
    parent, _, name = variable.rpartition(".")
    if state["Type"] == "Task":
        return state.get("ResultPath") == parent
    counted = state.get("Parameters", {}).get(f"{name}.$")
    return state.get("ResultPath", "$") == parent and counted == f"States.MathAdd({variable}, 1)"


def test_kendra_ingestion_is_among_the_definitions(path: Path) -> None:
    assert KENDRA_INGESTION in DEFINITIONS
    assert path in DEFINITIONS
