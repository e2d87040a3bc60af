from __future__ import annotations

import csv

import pytest

from kendra_ingestion.documents import Chunk
from kendra_ingestion.errors import WorkMissing
from kendra_ingestion.outcomes import INDEXED, SENT, Outcome, failed, to_lines
from kendra_ingestion.report import header, rows
from kendra_ingestion.workspace import Workspace
from tests.fakes.s3 import FakeS3

MEGABYTE = 1024 * 1024


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3("reports")


@pytest.fixture
def workspace(s3: FakeS3) -> Workspace:
    return Workspace(s3, "reports", job_id="job-1", run="run-1", attempt="attempt-1")


def test_every_file_is_where_the_architecture_says(s3: FakeS3, workspace: Workspace) -> None:
    chunk: Chunk = {"chunk": 12, "action": "delete", "requests": [[{"documentId": "a"}]]}
    workspace.save_manifest(b"{}")
    workspace.save_chunk(chunk)
    workspace.save_plan_state(0, {"planned": 1}, b"ids")
    with workspace.planned_outcomes_writer(0) as outcomes:
        outcomes.write(b"")
    workspace.publish_plan({"attempt": "attempt-1"})
    workspace.save_sends(12, 25, [])
    workspace.save_verdicts(12, 3, [])
    workspace.save_verification({})
    workspace.save_part("put", 12, 25, b"")
    with workspace.failures_writer() as report:
        report.write(b"")
    workspace.save_summary(b"{}")
    assert workspace.archive_manifest() == "s3://reports/_archive/job-1/manifest.json"
    assert s3.keys("reports") == [
        "_archive/job-1/manifest.json",
        "_reports/job-1/failures.csv",
        "_reports/job-1/put/part-run-1-00012-00025.csv",
        "_reports/job-1/summary.json",
        "_work/job-1/run-1/manifest.json",
        "_work/job-1/run-1/outcomes/00012/send-00025-attempt-1.jsonl",
        "_work/job-1/run-1/outcomes/00012/verify-00003-attempt-1.jsonl",
        "_work/job-1/run-1/plan.json",
        "_work/job-1/run-1/plans/attempt-1/chunks/00012.json",
        "_work/job-1/run-1/plans/attempt-1/outcomes-00000.jsonl",
        "_work/job-1/run-1/plans/attempt-1/state-00000.ids",
        "_work/job-1/run-1/plans/attempt-1/state-00000.json",
        "_work/job-1/run-1/verification-attempt-1.json",
    ]
    assert s3.tags == {"reports/_reports/job-1/put/part-run-1-00012-00025.csv": "millrace=part"}
    assert workspace.chunk(12) == chunk
    assert workspace.failures_uri == "s3://reports/_reports/job-1/failures.csv"
    assert workspace.summary_uri == "s3://reports/_reports/job-1/summary.json"


def attempt(s3: FakeS3, name: str) -> Workspace:
    return Workspace(s3, "reports", job_id="job-1", run="run-1", attempt=name)


def test_the_first_whole_plan_is_the_runs_whoever_ends_planning_later(s3: FakeS3) -> None:
    first, second = attempt(s3, "first"), attempt(s3, "second")
    for number, workspace in enumerate((second, first)):
        workspace.save_chunk({"chunk": 0, "action": "delete", "requests": [[{"documentId": f"id-{number}"}]]})
    assert first.publish_plan({"attempt": "first", "chunks": [1]})["attempt"] == "first"
    assert second.publish_plan({"attempt": "second", "chunks": [1]})["attempt"] == "first"
    assert first.chunk(0) == second.chunk(0) == attempt(s3, "third").chunk(0)
    assert second.chunk(0)["requests"] == [[{"documentId": "id-1"}]]


def test_a_run_without_a_plan_says_so(workspace: Workspace) -> None:
    assert workspace.find_plan() is None
    workspace.publish_plan({"attempt": "attempt-1"})
    assert workspace.find_plan() == {"attempt": "attempt-1"}


def test_only_the_attempt_that_was_asked_to_stop_stops(s3: FakeS3) -> None:
    s3["reports/_work/job-1/run-1/stop-first.json"] = b"{}"
    assert attempt(s3, "first").stopped()
    assert not attempt(s3, "second").stopped()


def test_what_two_attempts_wrote_of_one_request_stands_side_by_side(s3: FakeS3) -> None:
    first, second = attempt(s3, "first-1"), attempt(s3, "second-2")
    first.save_sends(0, 0, [Outcome("a", SENT), Outcome("b", SENT)])
    second.save_sends(0, 0, [Outcome("a", SENT)])
    first.save_verdicts(0, 1, [Outcome("a", INDEXED)])
    second.save_verdicts(0, 0, [Outcome("b", INDEXED)])
    known = second.outcomes(0)
    assert {outcome.document_id for outcome in known.sends} == {"a", "b"}
    assert {outcome.document_id for outcome in known.verdicts} == {"a", "b"}
    assert known.own_turns == {0: [Outcome("b", INDEXED)]}


def test_another_jobs_report_is_read_line_by_line_and_quoted_cells_survive(s3: FakeS3, workspace: Workspace) -> None:
    body = b"".join(rows("job-0", [failed(f"id-{n}", "X", "two\nlines \u2028 caf\u00e9 " * 40)]) for n in range(2_000))
    s3["reports/_reports/job-0/failures.csv"] = header() + body
    found = list(csv.reader(workspace.report_lines("job-0")))
    assert len(found) == 2_001
    assert found[-1] == ["job-0", "id-1999", "X", "two\nlines \u2028 caf\u00e9 " * 40]
    with pytest.raises(WorkMissing, match=r"_reports/job-9/summary\.json"):
        workspace.report_summary("job-9")


def test_a_missing_file_is_named_with_a_guess_why(workspace: Workspace) -> None:
    with pytest.raises(WorkMissing, match=r"s3://reports/_work/job-1/run-1/plan.json is missing; .*lifecycle"):
        workspace.chunk(3)
    with pytest.raises(WorkMissing, match=r"s3://reports/_work/job-1/run-1/manifest.json is missing"):
        workspace.archive_manifest()


def test_outcomes_come_by_kind_and_the_oldest_first(workspace: Workspace) -> None:
    workspace.save_sends(1, 100, [Outcome("b", SENT)])
    workspace.save_sends(1, 25, [Outcome("a", SENT)])
    workspace.save_verdicts(1, 10, [Outcome("b", INDEXED)])
    workspace.save_verdicts(1, 9, [failed("a", "X", "y")])
    workspace.save_sends(2, 0, [Outcome("other", SENT)])
    known = workspace.outcomes(1)
    assert known.sends == [Outcome("a", SENT), Outcome("b", SENT)]
    assert known.verdicts == [failed("a", "X", "y"), Outcome("b", INDEXED)]
    assert known.own_turns == {9: [failed("a", "X", "y")], 10: [Outcome("b", INDEXED)]}


def test_planned_outcomes_of_any_length_are_read_a_little_at_a_time(workspace: Workspace) -> None:
    written = [failed(f"doc-{number}", "MissingMetadata", "x" * 1_000) for number in range(3_000)]
    with workspace.planned_outcomes_writer(0) as outcomes:
        outcomes.write(to_lines(written))
    workspace.publish_plan({"attempt": "attempt-1"})
    assert list(workspace.planned_outcomes(0)) == written


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
