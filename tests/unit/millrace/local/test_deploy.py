from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from millrace.deployment import Workflow
from millrace.local import deploy
from millrace.local.deploy import Change
from millrace.local.offline_terraform import TerraformFailed

PLANNED: dict[str, Any] = {
    "type": "planned_change",
    "change": {"action": "replace", "resource": {"addr": "aws_sqs_queue.this"}},
}
ERROR = {
    "type": "diagnostic",
    "diagnostic": {
        "severity": "error",
        "summary": "Invalid value",
        "detail": "must be 1 to 4",
        "range": {"filename": "variables.tf", "start": {"line": 7}},
    },
}


def test_a_planned_change_is_its_action_and_address() -> None:
    assert deploy._changes(PLANNED) == [Change("replace", "aws_sqs_queue.this")]
    assert str(Change("replace", "aws_sqs_queue.this")) == "replace aws_sqs_queue.this"


def test_data_that_is_read_during_an_apply_is_no_change() -> None:
    assert deploy._changes({**PLANNED, "change": {**PLANNED["change"], "action": "read"}}) == []


def test_an_output_counts_as_a_change_only_where_it_changes() -> None:
    message = {"type": "outputs", "outputs": {"a": {"action": "noop"}, "b": {"action": "update"}}}
    assert deploy._changes(message) == [Change("update", "output.b")]


def test_an_error_says_its_place_and_a_warning_is_none() -> None:
    assert deploy._diagnostics(ERROR) == ["variables.tf:7: Invalid value: must be 1 to 4"]
    assert deploy._diagnostics({"type": "diagnostic", "diagnostic": {"severity": "warning", "summary": "old"}}) == []


@pytest.mark.parametrize(
    ("failures", "stderr", "said"),
    [(["a: b"], "noise", "a: b"), ([], "panic: nil", "panic: nil"), ([], " ", "it said nothing")],
)
def test_a_failure_holds_terraforms_own_words(failures: list[str], stderr: str, said: str) -> None:
    with pytest.raises(TerraformFailed, match=said):
        deploy._raise_on_failure("plan", {"code": 1, "stderr": stderr}, failures)


def test_exit_code_2_of_a_plan_is_no_failure() -> None:
    deploy._raise_on_failure("plan", {"code": 2, "stderr": ""}, [], accepted=(0, 2))


@pytest.mark.parametrize(
    ("value", "argument"),
    [("plain", "-var=x=plain"), (3, "-var=x=3"), (True, "-var=x=true"), (["a"], '-var=x=["a"]')],
)
def test_a_variable_is_given_as_terraform_reads_it(value: Any, argument: str) -> None:
    assert deploy._arguments({"x": value}) == [argument]


def test_a_null_is_no_argument_because_it_would_be_the_word_null() -> None:
    assert deploy._arguments({"x": None}) == []


def test_what_is_said_are_resources_and_the_end_but_not_data_that_was_read() -> None:
    said: list[str] = []
    for message in (
        {"type": "apply_complete", "hook": {"action": "create"}, "@message": "made"},
        {"type": "apply_complete", "hook": {"action": "read"}, "@message": "read"},
        {"type": "refresh_complete", "@message": "refreshed"},
        {"type": "change_summary", "@message": "done"},
    ):
        deploy._tell(message, said.append)
    assert said == ["made", "done"]


def after_an_apply(folder: Path, variables: dict[str, Any] | None) -> Any:
    """An embedded AWS to which that was applied last."""
    if variables is not None:
        (folder / "terraform").mkdir()
        (folder / "terraform" / deploy.VARIABLES).write_text(json.dumps(variables))
    return SimpleNamespace(folder=folder)


def test_the_first_workflow_is_alone(tmp_path: Path) -> None:
    assert deploy.beside(after_an_apply(tmp_path, None), Workflow.KB_SYNC) == {"workflows": ["kb_sync"]}


@pytest.mark.parametrize(
    "named", [{}, {"workflows": ["kendra_ingestion"]}, {"workflows": ["kendra_ingestion", "kb_sync"]}]
)
def test_a_workflow_joins_those_that_are_there_with_their_variables(tmp_path: Path, named: dict[str, Any]) -> None:
    instance = after_an_apply(tmp_path, {"sink": "bedrock", "package_dir": "there", **named})
    found = deploy.beside(instance, Workflow.KB_SYNC)
    assert found == {"sink": "bedrock", "workflows": ["kb_sync", "kendra_ingestion"]}


def test_what_is_added_is_packaged_anew(tmp_path: Path) -> None:
    found = deploy.beside(after_an_apply(tmp_path, {"package_dir": "there"}), Workflow.KB_SYNC)
    assert "package_dir" not in found


def test_a_workflow_brings_those_that_it_cannot_be_without(tmp_path: Path) -> None:
    found = deploy.beside(after_an_apply(tmp_path, {}), Workflow.INCIDENT_SYNC)
    assert found == {"workflows": ["incident_sync", "kb_sync"]}
