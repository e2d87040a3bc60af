from __future__ import annotations

import pytest

from kendra_ingestion.documents import Chunk
from kendra_ingestion.errors import WorkMissing
from kendra_ingestion.outcomes import INDEXED, SENT, Outcome, failed, to_lines
from kendra_ingestion.workspace import Workspace
from tests.fakes.s3 import FakeS3

MEGABYTE = 1024 * 1024


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3("reports")


@pytest.fixture
def workspace(s3: FakeS3) -> Workspace:
    return Workspace(s3, "reports", job_id="job-1", run="run-1")


def test_every_file_is_where_the_architecture_says(s3: FakeS3, workspace: Workspace) -> None:
    chunk: Chunk = {"chunk": 12, "action": "delete", "requests": [[{"documentId": "a"}]]}
    workspace.save_manifest(b"{}")
    workspace.save_chunk(chunk)
    workspace.save_plan(0, {"planned": 1}, b"ids")
    with workspace.planned_failures_writer(0) as failures:
        failures.write(b"")
    workspace.save_sends(12, 25, [])
    workspace.save_verdicts(12, 3, [])
    workspace.save_verification({})
    with workspace.failures_writer() as report:
        report.write(b"")
    workspace.save_summary(b"{}")
    assert workspace.archive_manifest() == "s3://reports/_archive/job-1/manifest.json"
    assert s3.keys("reports") == [
        "_archive/job-1/manifest.json",
        "_reports/job-1/failures.csv",
        "_reports/job-1/summary.json",
        "_work/job-1/run-1/chunks/00012.json",
        "_work/job-1/run-1/manifest.json",
        "_work/job-1/run-1/outcomes/00012/send-00025.jsonl",
        "_work/job-1/run-1/outcomes/00012/verify-00003.jsonl",
        "_work/job-1/run-1/plan/failures-00000.jsonl",
        "_work/job-1/run-1/plan/state-00000.ids",
        "_work/job-1/run-1/plan/state-00000.json",
        "_work/job-1/run-1/verification.json",
    ]
    assert workspace.chunk(12) == chunk
    assert workspace.failures_uri == "s3://reports/_reports/job-1/failures.csv"
    assert workspace.summary_uri == "s3://reports/_reports/job-1/summary.json"


def test_the_plan_is_the_last_passs(workspace: Workspace) -> None:
    for planning_pass in range(12):
        workspace.save_plan(planning_pass, {"passes": planning_pass})
    assert workspace.plan() == {"passes": 11}


def test_a_missing_file_is_named_with_a_guess_why(workspace: Workspace) -> None:
    with pytest.raises(WorkMissing, match=r"s3://reports/_work/job-1/run-1/chunks/00003.json is missing; .*lifecycle"):
        workspace.chunk(3)
    with pytest.raises(WorkMissing, match=r"s3://reports/_work/job-1/run-1/manifest.json is missing"):
        workspace.archive_manifest()
    with pytest.raises(WorkMissing, match="holds no plan"):
        workspace.plan()


def test_outcomes_come_by_kind_and_the_oldest_first(workspace: Workspace) -> None:
    workspace.save_sends(1, 100, [Outcome("b", SENT)])
    workspace.save_sends(1, 25, [Outcome("a", SENT)])
    workspace.save_verdicts(1, 10, [Outcome("b", INDEXED)])
    workspace.save_verdicts(1, 9, [failed("a", "X", "y")])
    workspace.save_sends(2, 0, [Outcome("other", SENT)])
    sends, verdicts = workspace.outcomes(1)
    assert sends == [Outcome("a", SENT), Outcome("b", SENT)]
    assert verdicts == {9: [failed("a", "X", "y")], 10: [Outcome("b", INDEXED)]}
    assert list(verdicts) == [9, 10]


def test_planned_failures_of_any_length_are_read_a_little_at_a_time(workspace: Workspace) -> None:
    written = [failed(f"doc-{number}", "MissingMetadata", "x" * 1_000) for number in range(3_000)]
    with workspace.planned_failures_writer(0) as failures:
        failures.write(to_lines(written))
    assert list(workspace.planned_failures(0)) == written


@pytest.mark.parametrize("size", [0, 1, 8 * MEGABYTE - 1, 8 * MEGABYTE, 8 * MEGABYTE + 1, 20 * MEGABYTE])
def test_a_report_of_any_length_is_written_whole(s3: FakeS3, workspace: Workspace, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    with workspace.failures_writer() as report:
        for start in range(0, size, MEGABYTE):
            report.write(body[start : min(start + MEGABYTE, size)])
    assert s3["reports/_reports/job-1/failures.csv"] == body[:size]
    assert s3.open_uploads == 0


@pytest.mark.parametrize("size", [1, 20 * MEGABYTE])
def test_a_report_that_fails_half_way_leaves_nothing(s3: FakeS3, workspace: Workspace, size: int) -> None:
    def fail_half_way() -> None:
        with workspace.failures_writer() as report:
            report.write(b"x" * size)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert s3.keys("reports") == []
    assert s3.open_uploads == 0
