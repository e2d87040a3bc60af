from __future__ import annotations

import json

import pytest

from millrace.errors import ExitCode
from millrace.executions.compaction_outcome import advice, collection_of_input, compaction_outcome_of
from millrace.executions.flights import in_words
from millrace.executions.view import view_of
from tests.fakes.operator.histories import a_compaction, compacted_by

ERROR = {"errorMessage": "s3://store/lines/snapshot/7/: store.tar was changed", "errorType": "SnapshotInvalid"}
TOLD = {
    "Error": "SnapshotInvalid",
    "Cause": json.dumps({**ERROR, "stackTrace": ["a line of code"]}),
    "status": "FAILED",
}
CAUSE = f"3 jobs for lines failed, the last of them J3: {json.dumps(TOLD)} The requests stay registered."


def test_a_covered_request_names_its_job_and_the_version() -> None:
    outcome = compaction_outcome_of(view_of(a_compaction(compacted_by("J1", 4, ticket=2), ticket=2)))
    assert (outcome.exit_code, outcome.key, outcome.ticket) == (ExitCode.OK, "lines", 2)
    assert outcome.sentence == "ticket 2: covered by job J1, which covers up to ticket 4"
    assert outcome.job is not None
    assert (outcome.job.version, outcome.job.deltas) == (8, 3)
    assert outcome.exit_code_of_wait is ExitCode.OK


def test_a_covered_request_of_a_store_without_a_version_has_none() -> None:
    outcome = compaction_outcome_of(view_of(a_compaction(compacted_by(version=None, deltas=0))))
    assert outcome.job is not None
    assert outcome.job.version is None


@pytest.mark.parametrize("status", ["superseded", "handed over", "nothing pending"])
def test_any_other_end_is_well_for_who_looks_and_a_failure_for_who_waits(status: str) -> None:
    outcome = compaction_outcome_of(view_of(a_compaction({"status": status, "ticket": 1})))
    assert (outcome.exit_code, outcome.exit_code_of_wait) == (ExitCode.OK, ExitCode.FAILED)
    assert outcome.sentence == f"ticket 1: {status}"


def test_a_coalesced_request_names_who_serves_it() -> None:
    output = {"status": "coalesced", "ticket": 3, "owner": "arn:aws:states:::execution:millrace-compaction:the-owner"}
    outcome = compaction_outcome_of(view_of(a_compaction(output, ticket=3)))
    assert outcome.sentence == "ticket 3: coalesced, the-owner serves it"
    assert outcome.as_dict() == {"became": "coalesced", "ticket": 3, "job": None, "owner": output["owner"]}


@pytest.mark.parametrize(
    ("text", "collection"),
    [
        ('{"collection": "lines", "wait": true}', "lines"),
        ('{"flight": {"key": "words", "mode": "sweep"}}', "words"),
        ('{"flight": 7}', None),
        ('{"collection": 7}', None),
        ("[]", None),
        ("{", None),
        (None, None),
    ],
)
def test_the_input_of_a_request_and_of_a_sweep_names_the_collection(text: str | None, collection: str | None) -> None:
    assert collection_of_input(text) == collection


def test_a_function_that_failed_is_quoted_without_its_stack() -> None:
    assert in_words(CAUSE) == (
        "3 jobs for lines failed, the last of them J3: SnapshotInvalid: s3://store/lines/snapshot/7/: store.tar was "
        "changed. The requests stay registered."
    )


def test_the_advice_names_the_way_back_and_knows_whether_the_request_is_registered() -> None:
    lost = view_of(a_compaction(ticket=0, error=("DynamoDB.InternalServerError", "no")))
    kept = view_of(a_compaction(ticket=3, error=("JobFailed", CAUSE)))
    assert "millrace store rollback lines" in advice("JobFailed", kept, "lines")
    assert advice("DynamoDB.InternalServerError", lost, "lines").startswith("nothing was registered")
    assert "stays registered" in advice("DynamoDB.InternalServerError", kept, "lines")
    assert "millrace store compact lines|words --wait" in advice("InputInvalid", lost, None)
