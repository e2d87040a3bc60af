"""The tests' rendering and Terraform's give the same definitions, from the same placeholders."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from millrace import terraform_core
from tests.state_machines.cases import MACHINES
from tests.state_machines.edges import all_edges
from tests.state_machines.rendering import (
    KENDRA_INGESTION,
    QUEUE_OPTION,
    REPOSITORY,
    RenderingError,
    kendra_ingestion,
    placeholders,
    quickened,
    render,
    replaced,
    substitutions,
)

MACHINE_MODULE = REPOSITORY / "terraform" / "modules" / "state_machine"
REPLACEMENTS = {"sfn": None, "sqs": QUEUE_OPTION}


@pytest.mark.parametrize("option", MACHINES)
def test_every_placeholder_is_filled(option: str) -> None:
    assert placeholders(json.dumps(kendra_ingestion(option))) == set()


def test_the_concurrency_becomes_a_number() -> None:
    assert kendra_ingestion("sfn")["States"]["ProcessBatches"]["MaxConcurrency"] == 1


def test_the_queue_option_is_the_same_machine_with_another_way_to_send() -> None:
    base, queues = kendra_ingestion("sfn"), kendra_ingestion("sqs")
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
    assert placeholders(replaced(definition, other)) == {"new", "topic"}


def test_a_replacement_of_a_state_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    definition, other = tmp_path / "definition.json", tmp_path / "other.json"
    definition.write_text('{"States": {"Send": {}}}', "utf-8")
    other.write_text('{"States": {"Sent": {}}}', "utf-8")
    with pytest.raises(RenderingError, match="Sent"):
        replaced(definition, other)


@pytest.mark.parametrize("option", MACHINES)
def test_quickening_keeps_every_state_and_edge(option: str) -> None:
    definition = kendra_ingestion(option)
    assert all_edges(quickened(definition)) == all_edges(definition)


@pytest.mark.parametrize("option", MACHINES)
def test_terraform_renders_the_same_definition(option: str, tmp_path: Path) -> None:
    """The module's own expressions, evaluated by Terraform with the tests' values."""
    try:
        command = terraform_core.command()
    except terraform_core.NoTerraform as error:
        pytest.skip(f"terraform: {error}")
    replacements = REPLACEMENTS[option]
    values = {
        "definition": str(KENDRA_INGESTION),
        "replacements": None if replacements is None else str(replacements),
        "substitutions": substitutions(option),
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
    assert json.loads(state["outputs"]["definition"]["value"]) == kendra_ingestion(option)


def rendering_configuration() -> str:
    """What the state_machine module does to its files, and nothing that needs a provider."""
    text = (MACHINE_MODULE / "main.tf").read_text(encoding="utf-8")
    rendering = re.search(r"^locals \{\n.*?\n(  files .*?)^\}$", text, re.MULTILINE | re.DOTALL)
    definition = re.search(r"^  definition +(= .*?)$", text, re.MULTILINE)
    assert rendering, f"{MACHINE_MODULE}/main.tf no longer renders in its first locals, from `files` on"
    assert definition, f"{MACHINE_MODULE}/main.tf no longer gives the machine its definition in one line"
    return f"""
variable "definition" {{ type = string }}
variable "replacements" {{ type = string }}
variable "substitutions" {{ type = map(string) }}
locals {{
{rendering[1]}
}}
output "definition" {{
  value {definition[1]}
}}
"""
