from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.errors import ExitCode
from millrace.executions.incident_outcome import advice, cause_in_words, incident_outcome_of
from millrace.executions.sync_outcome import Statistics
from millrace.executions.view import view_of
from tests.fakes.operator.histories import a_run, counted, run_output

THEIRS = "arn:aws:states:us-east-1:123456789012:execution:millrace-kb-sync:theirs"


def test_a_run_says_what_it_wrote_and_what_its_job_made_searchable() -> None:
    outcome = incident_outcome_of(view_of(a_run(run_output(counted(8, 2), searchable=8, removed=2))))
    assert outcome.exit_code is ExitCode.OK
    assert outcome.sentence == "written 8, removed 2 in 1 pass; job J1: searchable 8, gone 2"
    assert (outcome.seconds, outcome.job and outcome.job.statistics) == (9.5, Statistics(scanned=5, new=5))


@pytest.mark.parametrize(
    ("sync", "counts", "said"),
    [
        (counted(7, 0, 1, 1), {"searchable": 7}, "written 7, removed 0, failed 1, set aside 1 in 1 pass; job J1"),
        (counted(8), {"searchable": 7, "failed": 1}, "job J1: searchable 7, gone 0, failed 1"),
    ],
)
def test_what_failed_at_writing_or_in_the_job_has_an_exit_code_of_its_own(
    sync: dict[str, Any], counts: dict[str, Any], said: str
) -> None:
    outcome = incident_outcome_of(view_of(a_run(run_output(sync, **counts))))
    assert outcome.exit_code is ExitCode.FAILED_DOCUMENTS
    assert said in outcome.sentence


def test_what_changed_meanwhile_is_told_and_no_failure() -> None:
    outcome = incident_outcome_of(view_of(a_run(run_output(counted(3, overtaken=2)))))
    assert outcome.exit_code is ExitCode.OK
    assert "changed meanwhile 2" in outcome.sentence


def test_a_run_that_found_nothing_asks_for_no_job() -> None:
    outcome = incident_outcome_of(view_of(a_run(run_output(counted(0), job=None))))
    assert outcome.exit_code is ExitCode.OK
    assert outcome.sentence == "written 0, removed 0 in 1 pass; nothing waited for a job"
    assert outcome.job is None


def test_what_was_written_is_known_as_soon_as_the_writing_is_done() -> None:
    assert incident_outcome_of(view_of(a_run())).sync is None
    outcome = incident_outcome_of(view_of(a_run(sync=counted(3))))
    assert outcome.sync is not None
    assert (outcome.sync.synced, outcome.ingestion) == (3, None)


def test_passes_of_a_run_that_goes_on_writing_are_not_told_as_if_they_were_all() -> None:
    *events, _, _, _, _ = a_run(sync=counted(3))
    assert view_of(events).visits[-1].name == "CountPass"
    assert incident_outcome_of(view_of(events)).sync is None


def test_a_run_that_failed_says_what_was_written_before() -> None:
    outcome = incident_outcome_of(view_of(a_run(sync=counted(50), error=("SyncFailed", "StoreUnavailable: {}"))))
    assert outcome.exit_code is ExitCode.FAILED
    assert outcome.sync is not None
    assert outcome.sync.synced == 50


def test_counts_are_told_to_scripts_in_the_machines_words() -> None:
    output = run_output(counted(1, 2, 3, 4, overtaken=5, more=True), searchable=6, removed=7, failed=8, setAside=9)
    outcome = incident_outcome_of(view_of(a_run(output)))
    assert outcome.sync is not None
    assert outcome.ingestion is not None
    assert outcome.sync.as_dict() == output["sync"]
    assert {**outcome.ingestion.as_dict(), "job": None} == {**output["ingestion"], "job": None}


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (
            "StoreUnavailable: " + json.dumps({"errorMessage": "the bucket data is gone", "stackTrace": ["x"]}),
            "StoreUnavailable: the bucket data is gone",
        ),
        (
            "States.TaskFailed: "
            + json.dumps({"ExecutionArn": THEIRS, "Input": "{}", "Error": "JobFailed", "Cause": "3 jobs failed"}),
            "theirs ended with JobFailed: 3 jobs failed",
        ),
        (
            "States.TaskFailed: " + json.dumps({"ExecutionArn": THEIRS, "Status": "ABORTED"}),
            "theirs ended with ABORTED: no cause was given",
        ),
        ("States.Timeout: it took too long", "States.Timeout: it took too long"),
        (None, "no cause was given"),
    ],
)
def test_a_cause_is_put_into_words_without_inputs_and_stacks(cause: str | None, said: str) -> None:
    assert cause_in_words(cause) == said


def test_every_failure_says_that_nothing_is_lost_and_what_to_type() -> None:
    for error in ("SyncFailed", "IngestionFailed", "ConfirmFailed", "States.Timeout", None):
        assert "millrace incidents sync --wait" in advice(error)
    assert "runs --workflow kb_sync" in advice("IngestionFailed")
