from __future__ import annotations

import pytest

from millrace.errors import ExitCode
from millrace.executions.outcome import job_id_of, outcome_of, was_stopped
from millrace.executions.view import view_of
from tests.fakes.operator.histories import HistoryWriter, a_whole_job


def test_a_job_without_failures_is_all_well() -> None:
    outcome = outcome_of(view_of(a_whole_job("handbook-1", planned=12, indexed=12)))
    assert (outcome.exit_code, outcome.job_id) == (ExitCode.OK, "handbook-1")
    assert outcome.counts["planned"] == outcome.counts["indexed"] == 12
    assert outcome.report == "s3://reports/_reports/handbook-1/failures.csv"


def test_failed_documents_have_an_exit_code_of_their_own() -> None:
    view = view_of(a_whole_job(planned=15, indexed=12, failed=3))
    assert outcome_of(view).exit_code is ExitCode.FAILED_DOCUMENTS


@pytest.mark.parametrize("ending", ["AlreadyFinished", "ManifestGone"])
def test_a_quiet_end_is_well_and_says_why(ending: str) -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter(ending, "Succeed")
    writer.succeed({"manifest": {"jobId": "handbook-1"}})
    outcome = outcome_of(view_of(writer.events))
    assert (outcome.exit_code, outcome.counts) == (ExitCode.OK, {})
    assert outcome.note


def test_a_duplicate_of_a_running_upload_is_already_running() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("AlreadyRunning", "Succeed")
    writer.succeed({})
    assert outcome_of(view_of(writer.events)).exit_code is ExitCode.ALREADY_RUNNING


def test_another_upload_of_a_running_job_is_already_running() -> None:
    writer = HistoryWriter()
    writer.start()
    writer.enter("Failed", "Fail")
    writer.add("ExecutionFailed", {"error": "JobBusy", "cause": "another upload"})
    assert outcome_of(view_of(writer.events)).exit_code is ExitCode.ALREADY_RUNNING


@pytest.mark.parametrize("ending", ["ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"])
def test_any_other_end_is_failed(ending: str) -> None:
    writer = HistoryWriter()
    writer.start()
    writer.add(ending, {"error": "Broken"})
    assert outcome_of(view_of(writer.events)).exit_code is ExitCode.FAILED


def test_a_stopped_job_has_an_exit_code_of_its_own_whatever_failed() -> None:
    outcome = outcome_of(view_of(a_whole_job(planned=15, indexed=4, failed=11, stopped=True)))
    assert (outcome.exit_code, outcome.stopped, outcome.counts["failed"]) == (ExitCode.STOPPED, True, 11)


@pytest.mark.parametrize("output", [None, "", "{", "[]", '{"report": 7}', '{"report": {"counts": {}}}'])
def test_an_output_without_a_stopped_report_is_not_of_a_stopped_job(output: str | None) -> None:
    assert not was_stopped(output)


def test_the_job_is_known_as_soon_as_its_manifest_was_read() -> None:
    events = a_whole_job("handbook-7")
    assert job_id_of(view_of(events[:4])) is None
    assert job_id_of(view_of(events[:5])) == "handbook-7"
