"""The configuration with the provider itself, hashicorp/aws, where Terraform can install it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from millrace import terraform_core
from tests.terraform import mocked
from tests.terraform.mocked import CONFIGURATION

REQUIRED = "REQUIRE_TERRAFORM_REGISTRY"
UNREACHABLE = ("Failed to query available provider packages", "Failed to install provider")
LIMIT_SECONDS = 900

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Terraform with the real provider on a copy of the configuration."""
    folder = tmp_path_factory.mktemp("registry")
    root = mocked.copy(folder)
    for file in CONFIGURATION.glob("tests/*.tftest.hcl"):
        (root / "tests" / file.name).write_bytes(file.read_bytes())

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*terraform_core.command(), f"-chdir={root}", *arguments, "-no-color"]
        environment = {**os.environ, "TF_DATA_DIR": str(folder / "data"), "CHECKPOINT_DISABLE": "1"}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )

    done = run("init", "-backend=false", "-input=false")
    if done.returncode != 0 and any(said in done.stderr for said in UNREACHABLE):
        reason = "Terraform cannot install hashicorp/aws: its registry is out of reach"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{REQUIRED}=1, but {reason}\n{done.stderr}")
        pytest.skip(f"{reason}; {REQUIRED}=1 makes this a failure")
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def test_the_real_provider_finds_the_configuration_valid(terraform: Run) -> None:
    done = terraform("validate")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_configuration_pass_with_the_real_provider(terraform: Run) -> None:
    done = terraform("test")
    assert done.returncode == 0, done.stdout + done.stderr
