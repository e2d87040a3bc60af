from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from millrace import terraform_core
from tests.state_machines.edges import all_edges
from tests.state_machines.rendering import (
    KENDRA_INGESTION,
    REPOSITORY,
    SUBSTITUTIONS,
    RenderingError,
    placeholders,
    quickened,
    render,
    rendered,
)

KENDRA_MODULE = REPOSITORY / "terraform" / "modules" / "kendra_ingestion"
MACHINE_MODULE = REPOSITORY / "terraform" / "modules" / "state_machine"


def test_every_placeholder_is_filled_and_the_concurrency_becomes_a_number() -> None:
    definition = rendered()
    assert placeholders(json.dumps(definition)) == set()
    assert definition["States"]["ProcessBatches"]["MaxConcurrency"] == 1


def test_a_placeholder_without_a_value_is_an_error_that_names_it() -> None:
    with pytest.raises(RenderingError, match="topic"):
        render('{"Topic": "${topic}"}', {})


def test_a_value_without_a_placeholder_is_an_error_that_names_it() -> None:
    with pytest.raises(RenderingError, match="topic"):
        render("{}", {"topic": "arn"})


def test_an_escaped_placeholder_is_kept() -> None:
    assert render('{"Comment": "$${name}"}', {}) == '{"Comment": "${name}"}'


def test_quickening_keeps_every_state_and_edge() -> None:
    definition = rendered()
    assert all_edges(quickened(definition)) == all_edges(definition)


def test_the_definition_asks_for_what_the_terraform_module_gives() -> None:
    given = substitutions_of(KENDRA_MODULE / "main.tf")
    assert placeholders(KENDRA_INGESTION.read_text(encoding="utf-8")) == given


def test_terraform_renders_the_same_definition(tmp_path: Path) -> None:
    """The module's own expression, evaluated by Terraform with the tests' values."""
    try:
        command = terraform_core.command()
    except terraform_core.NoTerraform as error:
        pytest.skip(f"terraform: {error}")
    (tmp_path / "main.tf").write_text(
        "locals {\n"
        f"  definition    = {json.dumps(str(KENDRA_INGESTION))}\n"
        f"  substitutions = {json.dumps(SUBSTITUTIONS)}\n"
        f"{rendering_expression()}\n"
        "}\n"
        'output "definition" {\n  value = jsonencode(jsondecode(local.rendered))\n}\n',
        encoding="utf-8",
    )
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
    assert json.loads(state["outputs"]["definition"]["value"]) == rendered()


def rendering_expression() -> str:
    """The `rendered` local of the state_machine module, reading locals where the module reads variables."""
    text = (MACHINE_MODULE / "main.tf").read_text(encoding="utf-8")
    found = re.search(r"^  rendered = replace\(.*?^  \)$", text, re.MULTILINE | re.DOTALL)
    assert found, "terraform/modules/state_machine/main.tf no longer has the local `rendered` as this test knows it"
    return found[0].replace("var.", "local.")


def substitutions_of(module: Path) -> set[str]:
    """The names that the module's `substitutions` hold: those of its functions and those that it lists."""
    text = module.read_text(encoding="utf-8")
    functions = re.search(r"^  functions = \{\n(.*?)^  \}$", text, re.MULTILINE | re.DOTALL)
    listed = re.search(r"^  substitutions = merge\(.*?^    \{\n(.*?)^    \},$", text, re.MULTILINE | re.DOTALL)
    assert functions, f"{module} no longer lists its functions as this test knows it"
    assert listed, f"{module} no longer lists its substitutions as this test knows it"
    names = re.findall(r"^    (\w+) = \{$", functions[1], re.MULTILINE)
    return {f"{name}_arn" for name in names} | set(re.findall(r"^      (\w+) +=", listed[1], re.MULTILINE))
