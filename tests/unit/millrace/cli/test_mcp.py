from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.cli.context import Context
from millrace.errors import ExitCode
from millrace.mcp_server import server
from tests.fakes.operator.commands import run


class Served:
    """What the command would have served, in place of a server that listens to stdin."""

    def __call__(self, connect: Callable[[], Context], seconds: float) -> None:
        self.connect, self.seconds = connect, seconds


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    served = Served()
    monkeypatch.setattr(server, "serve", served)
    return served


def test_the_time_limit_comes_from_the_option_the_environment_or_the_default(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("mcp").exit_code == ExitCode.OK
    assert served.seconds == 900
    monkeypatch.setenv("MILLRACE_MCP_SECONDS", "60")
    run("mcp")
    assert served.seconds == 60
    run("mcp", "--seconds", "5")
    assert served.seconds == 5
    assert run("mcp", "--seconds", "0").exit_code == ExitCode.USAGE


def test_each_call_gets_a_context_of_its_own_with_the_global_options_and_says_nothing(
    served: Served, tmp_path: Path
) -> None:
    run("--dir", tmp_path, "mcp")
    first, second = served.connect(), served.connect()
    assert first is not second
    assert (first.folder, first.announce) == (tmp_path, False)


def test_where_the_extra_is_missing_the_command_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def refuse(name: str, *more: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "mcp":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return usual(name, *more, **named)

    for name in [name for name in sys.modules if name.startswith("millrace.mcp_server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)
    done = run("mcp")
    assert done.exit_code == ExitCode.FAILED
    assert "pip install 'millrace[mcp]'" in done.stderr
