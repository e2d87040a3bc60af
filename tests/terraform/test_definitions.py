"""The state machines' definitions, as Terraform renders them, judged by npm's asl-validator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.mocked import ACCOUNT, REGION, Deployment

VALIDATOR = "asl-validator@4.0.0"
REQUIRED = "REQUIRE_ASL_VALIDATOR"
LIMIT_SECONDS = 120


def unavailable(reason: str) -> None:
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1, but {reason}")
    pytest.skip(f"{reason}; {REQUIRED}=1 makes this a failure")


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that validates a definition, installed for this run alone."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        unavailable(f"{VALIDATOR} needs node and npm, and this machine has not both")
        raise AssertionError
    folder = tmp_path_factory.mktemp("asl-validator")
    install = [
        npm,
        "install",
        "--prefix",
        str(folder),
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        VALIDATOR,
    ]
    done = subprocess.run(install, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    if done.returncode != 0:
        unavailable(f"npm could not install {VALIDATOR}: {done.stderr.strip().splitlines()[-1:]}")
    return [node, str(folder / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js")]


def rendered(deployment: Deployment, machine: str) -> str:
    """The definition with real-looking ARNs where the mocked provider has words."""
    definition = json.dumps(deployment.definition(machine))
    for kind, service, name in (
        ("aws_lambda_function", "lambda:{}:function", "function_name"),
        ("aws_sfn_state_machine", "states:{}:stateMachine", "name"),
    ):
        for resource in deployment.all(kind):
            place = service.format(f"{REGION}:{ACCOUNT}")
            definition = definition.replace(resource.values["arn"], f"arn:aws:{place}:{resource.values[name]}")
    return definition


def validate(validator: list[str], definition: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "definition.json"
    path.write_text(definition)
    command = [*validator, "--json-path", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)


def test_every_rendered_definition_is_valid(every_deployment: Deployment, validator: list[str], tmp_path: Path) -> None:
    machines = [machine.values["name"] for machine in every_deployment.all("aws_sfn_state_machine")]
    assert machines
    for machine in machines:
        done = validate(validator, rendered(every_deployment, machine), tmp_path)
        assert done.returncode == 0, machine + done.stdout + done.stderr


def _dangling(definition: dict[str, Any]) -> None:
    definition["States"]["LoadManifest"]["Next"] = "Nowhere"


def _unknown_field(definition: dict[str, Any]) -> None:
    definition["States"]["LoadManifest"]["TimeoutSecond"] = 10


def _quoted_number(definition: dict[str, Any]) -> None:
    definition["States"]["ProcessBatches"]["MaxConcurrency"] = "2"


@pytest.mark.parametrize("damage", [_dangling, _unknown_field, _quoted_number])
def test_the_validator_would_notice(damage: Any, deployment: Deployment, validator: list[str], tmp_path: Path) -> None:
    definition = json.loads(rendered(deployment, "millrace-kendra-ingestion"))
    damage(definition)
    done = validate(validator, json.dumps(definition), tmp_path)
    assert done.returncode != 0, done.stdout
