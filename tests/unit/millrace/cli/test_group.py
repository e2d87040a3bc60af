from __future__ import annotations

import json

import pytest
import typer
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from millrace.cli import app
from millrace.cli.context import Context
from millrace.cli.group import Group, hoisted
from millrace.errors import AlreadyRunning, ExitCode


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        ("runs --json", "--json runs"),
        ("runs --limit 3 --dir there --debug", "--dir there --debug runs --limit 3"),
        ("submit f --outputs=o.json --watch", "--outputs=o.json submit f --watch"),
        ("query -- --json", "query -- --json"),
        ("--json runs", "--json runs"),
        ("runs --dir", "--dir runs"),
    ],
)
def test_global_options_may_stand_anywhere(given: str, ordered: str) -> None:
    assert hoisted(given.split()) == ordered.split()


def failing(error: Exception) -> typer.Typer:
    failing = typer.Typer(cls=Group)

    @failing.callback()
    def settings(ctx: typer.Context, machine: bool = typer.Option(False, "--json"), debug: bool = False) -> None:
        ctx.obj = Context(folder=None, outputs=None, machine=machine, debug=debug)  # type: ignore[arg-type]

    @failing.command()
    def run() -> None:
        raise error

    return failing


def test_an_error_is_one_line_on_stderr_and_its_exit_code() -> None:
    done = CliRunner().invoke(failing(AlreadyRunning("job x is running now")), ["run"])
    assert (done.exit_code, done.stdout) == (ExitCode.ALREADY_RUNNING, "")
    assert done.stderr == "millrace: job x is running now\n"


def test_a_script_gets_the_error_as_a_document() -> None:
    done = CliRunner().invoke(failing(AlreadyRunning("job x is running now")), ["run", "--json"])
    assert json.loads(done.stdout) == {
        "error": "AlreadyRunning",
        "message": "job x is running now",
        "exitCode": 4,
    }


def test_an_error_of_aws_is_one_line_too() -> None:
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Query")
    done = CliRunner().invoke(failing(error), ["run"])
    assert done.exit_code == ExitCode.FAILED
    assert done.stderr == "millrace: AWS refused Query (AccessDenied): no; your credentials lack this permission\n"


def test_debug_shows_the_traceback() -> None:
    done = CliRunner().invoke(failing(AlreadyRunning("job x is running now")), ["run", "--debug"])
    assert "Traceback" in done.stderr


def test_the_help_documents_every_exit_code() -> None:
    said = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    for code in ExitCode:
        assert f"{code.value} {code.meaning}" in said


def test_wrong_usage_ends_with_its_own_code() -> None:
    for arguments in (["submit"], ["no-such-command"], ["runs", "--limit", "none"]):
        assert CliRunner().invoke(app, arguments).exit_code == ExitCode.USAGE
