"""The command line against a real deployment: the same words, exit codes and documents that a script relies on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millrace.errors import ExitCode
from tests.end_to_end.command import lines, millrace
from tests.end_to_end.stack import Stack


@pytest.fixture
def folder(stack: Stack) -> Path:
    return stack.instance.folder


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """Two good documents, and one without metadata."""
    for name in ("lock", "weir"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"text": f"how the {name} is kept"}))
        metadata = {"DocumentId": f"cli-{name}", "Title": f"The {name}", "ContentType": "JSON"}
        (tmp_path / f"{name}.json.metadata.json").write_text(json.dumps(metadata))
    (tmp_path / "lonely.json").write_text("{}")
    return tmp_path


def test_a_folder_is_submitted_watched_reported_and_found(folder: Path, documents: Path, prefix: str) -> None:
    job = "cli-story"
    done = millrace(folder, "submit", documents, "--prefix", prefix, "--job-id", job, "--watch", "--json")
    assert done.returncode == ExitCode.FAILED_DOCUMENTS, done.stderr
    submitted, execution, *states, end = lines(done)
    assert (submitted["jobId"], submitted["pairs"]) == (job, 2)
    assert submitted["withoutMetadata"] == ["lonely.json"]
    assert {line["state"] for line in states} >= {"LoadManifest", "ProcessBatches", "Verify", "Notify"}
    assert (end["counts"]["planned"], end["counts"]["failed"], end["exitCode"]) == (3, 1, 3)

    done = millrace(folder, "report", job, "--json")
    assert done.returncode == ExitCode.FAILED_DOCUMENTS
    (report,) = lines(done)
    assert [failure["errorCode"] for failure in report["failures"]] == ["MissingMetadata"]
    assert report["summary"]["counts"] == end["counts"]

    (runs,) = lines(millrace(folder, "runs", "--json"))
    assert (job, execution["execution"]) in [(run["jobId"], run["execution"]) for run in runs["runs"]]

    again = millrace(folder, "watch", job, "--json")
    assert again.returncode == ExitCode.FAILED_DOCUMENTS
    assert lines(again)[-1]["counts"] == end["counts"]

    (found,) = lines(millrace(folder, "query", "how the weir is kept", "--json"))
    assert "cli-weir" in [answer["documentId"] for answer in found["answers"]]


def test_people_read_the_same_story(folder: Path, documents: Path, prefix: str) -> None:
    (documents / "lonely.json").unlink()
    job = "cli-people"
    done = millrace(folder, "submit", documents, "--prefix", prefix, "--job-id", job, "--watch")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "2 pairs" in done.stdout
    assert "✓ ProcessBatches" in done.stdout
    assert "planned 2 = " in done.stdout
    assert "talking to the embedded AWS at http://127.0.0.1:" in done.stderr
    assert "planned 2" in millrace(folder, "report", job).stdout
    assert job in millrace(folder, "runs").stdout


def test_a_bad_manifest_fails_and_names_its_field(folder: Path, documents: Path, prefix: str) -> None:
    (documents / "manifest.json").write_text(json.dumps({"mode": "sometimes"}))
    done = millrace(folder, "submit", documents, "--prefix", prefix, "--watch")
    assert done.returncode == ExitCode.FAILED
    assert "ManifestInvalid: manifest /mode" in done.stdout
    assert "stackTrace" not in done.stdout


def test_a_job_that_is_running_is_refused(stack: Stack, folder: Path, documents: Path, prefix: str) -> None:
    """The lock is held by an execution that truly runs: one that waits for an index that takes its time."""
    job = "cli-running"
    usual = stack.instance.kendra_statistics()["pace"]["indexing_seconds"]
    stack.instance.set_kendra_pace(indexing_seconds=60)
    try:
        first = millrace(folder, "submit", documents, "--prefix", prefix, "--job-id", job)
        assert first.returncode == ExitCode.OK, first.stderr
        execution = stack.started(f"{prefix}/_control/manifest.json")
        stack.wait_for_lock(job, execution)
        refused = millrace(folder, "submit", documents, "--prefix", prefix, "--job-id", job)
        assert refused.returncode == ExitCode.ALREADY_RUNNING, refused.stdout + refused.stderr
        assert stack.executions(f"{prefix}/_control/manifest.json") == [execution]
    finally:
        stack.instance.set_kendra_pace(indexing_seconds=usual)
        stack.client("stepfunctions").stop_execution(executionArn=execution)


def test_what_does_not_exist_is_one_line_and_exit_code_1(folder: Path) -> None:
    for arguments in (("report", "nobody"), ("watch", "nobody")):
        done = millrace(folder, *arguments)
        assert done.returncode == ExitCode.FAILED
        assert "Traceback" not in done.stderr
        assert "nobody" in done.stderr
