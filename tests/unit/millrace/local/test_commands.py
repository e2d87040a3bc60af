from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from millrace.cli import app
from millrace.deployment import Workflow
from millrace.errors import ExitCode
from millrace.local import laptop
from tests.fakes.operator.aws import INCIDENTS, OUTPUTS


def test_the_status_of_nothing_is_told_and_fails(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["local", "status", "--dir", str(tmp_path)])
    assert done.exit_code == ExitCode.FAILED
    assert "no embedded AWS is running" in done.stdout


def test_down_where_nothing_is_is_all_well(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["local", "down", "--dir", str(tmp_path / "never")])
    assert done.exit_code == ExitCode.OK
    assert "there is nothing" in done.stdout


@pytest.mark.parametrize("story", ["kb_sync", "incidents", "vectors"])
def test_the_other_stories_take_no_option_and_no_sink(tmp_path: Path, story: str) -> None:
    for flag in (("--option", "sqs"), ("--sink", "kendra")):
        done = CliRunner().invoke(app, ["--dir", str(tmp_path), "local", "demo", "--workflow", story, *flag])
        assert done.exit_code == ExitCode.USAGE
        assert "are kendra_ingestion's" in done.stderr


def test_a_workflow_is_added_to_what_is_there_and_without_one_the_variables_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def outputs(*request: object) -> dict[str, Any]:
        asked.append(request[1:-1])
        return {**OUTPUTS, **INCIDENTS}

    monkeypatch.setattr(laptop, "add", outputs)
    monkeypatch.setattr(laptop, "apply", outputs)
    for flags in (("--workflow", "incident_sync", "--var", "incident_passes=3"), ()):
        done = CliRunner().invoke(app, ["--dir", str(tmp_path), "local", "apply", *flags])
        assert "deployed incident_sync; run it: millrace incidents sync --wait" in done.stdout
    assert asked == [(Workflow.INCIDENT_SYNC, {"incident_passes": 3}), ({},)]
