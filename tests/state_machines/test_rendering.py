"""The tests' rendering and Terraform's give the same definitions, from the same placeholders."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from millrace import terraform_core
from tests.state_machines.edges import all_edges
from tests.state_machines.machines import KENDRA_INGESTION, KENDRA_INGESTION_SQS, MACHINES, REPOSITORY, Machine
from tests.state_machines.rendering import (
    RenderingError,
    joined,
    one_at_a_time,
    placeholders,
    quickened,
    render,
    shortened,
)

MACHINE_MODULE = REPOSITORY / "terraform" / "modules" / "state_machine"

each_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=str)


@each_machine
def test_every_placeholder_is_filled(machine: Machine) -> None:
    assert placeholders(json.dumps(machine.rendered())) == set()


def test_the_concurrency_becomes_a_number() -> None:
    assert KENDRA_INGESTION.rendered(max_concurrency="3")["States"]["ProcessBatches"]["MaxConcurrency"] == 3


def test_the_queue_option_is_the_same_machine_with_another_way_to_send() -> None:
    base, queues = KENDRA_INGESTION.rendered(), KENDRA_INGESTION_SQS.rendered()
    assert {name for name in base["States"] if base["States"][name] != queues["States"][name]} == {"ProcessBatches"}
    assert {**base, "States": ()} == {**queues, "States": ()}
    assert list(base["States"]) == list(queues["States"])


def test_a_placeholder_without_a_value_is_an_error_that_names_it() -> None:
    with pytest.raises(RenderingError, match="topic"):
        render('{"Topic": "${topic}"}', {})


def test_a_value_without_a_placeholder_is_an_error_that_names_it() -> None:
    with pytest.raises(RenderingError, match="topic"):
        render("{}", {"topic": "arn"})


def test_an_escaped_placeholder_is_kept() -> None:
    assert render('{"Comment": "$${name}"}', {}) == '{"Comment": "${name}"}'


def test_what_a_replaced_state_asks_for_is_not_asked_for(tmp_path: Path) -> None:
    definition, other = tmp_path / "definition.json", tmp_path / "other.json"
    definition.write_text('{"States": {"Send": {"Resource": "${old}"}, "Tell": {"Resource": "${topic}"}}}', "utf-8")
    other.write_text('{"States": {"Send": {"Resource": "${new}"}}}', "utf-8")
    assert placeholders(joined(definition, replacements=other)) == {"new", "topic"}


def test_a_replacement_of_a_state_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    definition, other = tmp_path / "definition.json", tmp_path / "other.json"
    definition.write_text('{"States": {"Send": {}}}', "utf-8")
    other.write_text('{"States": {"Sent": {}}}', "utf-8")
    with pytest.raises(RenderingError, match="Sent"):
        joined(definition, replacements=other)


def test_the_states_of_a_part_join_the_definitions(tmp_path: Path) -> None:
    definition, part = tmp_path / "definition.json", tmp_path / "part.json"
    definition.write_text('{"Comment": "Mine", "States": {"Send": {"Resource": "${queue}"}}}', "utf-8")
    part.write_text('{"Comment": "Its own", "States": {"Tell": {"Resource": "${topic}"}}}', "utf-8")
    whole = json.loads(joined(definition, [part]))
    assert (whole["Comment"], list(whole["States"])) == ("Mine", ["Send", "Tell"])
    assert placeholders(json.dumps(whole)) == {"queue", "topic"}


def test_a_state_that_definition_and_part_both_have_is_an_error_that_names_it(tmp_path: Path) -> None:
    definition, part = tmp_path / "definition.json", tmp_path / "part.json"
    for path in (definition, part):
        path.write_text('{"States": {"Send": {}}}', "utf-8")
    with pytest.raises(RenderingError, match=r"Send.* part\.json"):
        joined(definition, [part])


def test_a_state_of_a_part_can_be_replaced(tmp_path: Path) -> None:
    files = {"definition": "Send", "part": "Tell", "other": "Tell"}
    for name, state in files.items():
        (tmp_path / name).write_text(json.dumps({"States": {state: {"Comment": name}}}), "utf-8")
    whole = json.loads(joined(tmp_path / "definition", [tmp_path / "part"], tmp_path / "other"))
    assert whole["States"]["Tell"] == {"Comment": "other"}


@each_machine
def test_quickening_keeps_every_state_and_edge(machine: Machine) -> None:
    definition = machine.rendered()
    assert all_edges(one_at_a_time(quickened(definition))) == all_edges(definition)


def test_shortening_changes_the_bounds_of_loops_and_nothing_else() -> None:
    def definition(bound: int) -> dict[str, Any]:
        rules = [{"Variable": "$.turn", "NumericGreaterThanEquals": bound, "Next": "Done"}]
        return {"States": {"Check": {"Type": "Choice", "Choices": rules}, "Wait": {"Type": "Wait", "Seconds": 800}}}

    assert shortened(definition(800), {800: 8}) == definition(8)


def test_shortening_changes_the_attempts_of_a_retrier_that_waits_and_of_no_other() -> None:
    def definition(attempts: int) -> dict[str, Any]:
        retriers = [{"ErrorEquals": ["Busy"], "MaxAttempts": attempts}, {"ErrorEquals": ["Down"], "MaxAttempts": 6}]
        return {"States": {"Work": {"Type": "Task", "Retry": retriers}}}

    assert shortened(definition(1_300), {1_300: 5}) == definition(5)


def test_a_bound_that_no_loop_has_is_an_error_that_names_it() -> None:
    with pytest.raises(RenderingError, match="900"):
        shortened({"States": {}}, {900: 9})


@each_machine
def test_terraform_renders_the_same_definition(machine: Machine, tmp_path: Path) -> None:
    """The module's own expressions, evaluated by Terraform with the tests' values."""
    try:
        command = terraform_core.command()
    except terraform_core.NoTerraform as error:
        pytest.skip(f"terraform: {error}")
    values = {
        "definition": str(machine.definition),
        "parts": [str(part) for part in machine.parts],
        "replacements": None if machine.replacements is None else str(machine.replacements),
        "substitutions": machine.values,
    }
    (tmp_path / "main.tf").write_text(rendering_configuration(), encoding="utf-8")
    (tmp_path / "terraform.tfvars.json").write_text(json.dumps(values), encoding="utf-8")
    for arguments in (["init", "-input=false"], ["apply", "-input=false", "-auto-approve", "-no-color"]):
        done = subprocess.run(
            [*command, f"-chdir={tmp_path}", *arguments],
            env={**os.environ, "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    state = json.loads((tmp_path / "terraform.tfstate").read_text(encoding="utf-8"))
    assert json.loads(state["outputs"]["definition"]["value"]) == machine.rendered()


def rendering_configuration() -> str:
    """What the state_machine module does to its files, and nothing that needs a provider."""
    text = (MACHINE_MODULE / "main.tf").read_text(encoding="utf-8")
    rendering = re.search(r"^locals \{\n.*?\n(  sources .*?)^\}$", text, re.MULTILINE | re.DOTALL)
    definition = re.search(r"^  definition +(= .*?)$", text, re.MULTILINE)
    assert rendering, f"{MACHINE_MODULE}/main.tf no longer renders in its first locals, from `sources` on"
    assert definition, f"{MACHINE_MODULE}/main.tf no longer gives the machine its definition in one line"
    return f"""
variable "definition" {{ type = string }}
variable "parts" {{ type = list(string) }}
variable "replacements" {{ type = string }}
variable "substitutions" {{ type = map(string) }}
locals {{
{rendering[1]}
}}
output "definition" {{
  value {definition[1]}
}}
"""
