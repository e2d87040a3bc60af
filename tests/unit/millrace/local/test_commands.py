from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from millrace.cli import app
from millrace.errors import ExitCode, UsageError
from millrace.local.commands import variables_of


def test_variables_are_read_as_terraform_reads_them() -> None:
    given = [
        "max_concurrency=4",
        "name_prefix=mine",
        "force_destroy=true",
        "kms_key_arn=null",
        "aws_region=a=b",
    ]
    assert variables_of(given) == {
        "max_concurrency": 4,
        "name_prefix": "mine",
        "force_destroy": True,
        "kms_key_arn": None,
        "aws_region": "a=b",
    }


@pytest.mark.parametrize("setting", ["max_concurrency", "=4", "two words=4"])
def test_a_variable_without_a_name_or_value_is_wrong_usage(setting: str) -> None:
    with pytest.raises(UsageError, match="NAME=VALUE"):
        variables_of([setting])


def test_the_status_of_nothing_is_told_and_fails(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["local", "status", "--dir", str(tmp_path)])
    assert done.exit_code == ExitCode.FAILED
    assert "no embedded AWS is running" in done.stdout


def test_down_where_nothing_is_is_all_well(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["local", "down", "--dir", str(tmp_path / "never")])
    assert done.exit_code == ExitCode.OK
    assert "there is nothing" in done.stdout


def test_the_story_of_kb_sync_takes_no_option_and_no_sink(tmp_path: Path) -> None:
    for flag in (("--option", "sqs"), ("--sink", "kendra")):
        done = CliRunner().invoke(app, ["--dir", str(tmp_path), "local", "demo", "--workflow", "kb_sync", *flag])
        assert done.exit_code == ExitCode.USAGE
        assert "are kendra_ingestion's" in done.stderr
