from __future__ import annotations

import json

import pytest

from millrace.errors import ExitCode
from millrace.executions.sync_outcome import (
    Statistics,
    advice,
    key_of_input,
    statistics_of,
    sync_outcome_of,
)
from millrace.executions.view import view_of
from tests.fakes.operator.histories import a_sync, covered_by


def test_a_covered_request_names_its_job_and_what_that_covers() -> None:
    outcome = sync_outcome_of(view_of(a_sync(covered_by("J1", 4, ticket=2), ticket=2)))
    assert outcome.exit_code is ExitCode.OK
    assert outcome.sentence == "ticket 2: covered by job J1, which covers up to ticket 4"
    assert outcome.job is not None
    assert outcome.job.statistics == Statistics(scanned=5, new=5)


def test_documents_that_failed_have_an_exit_code_of_their_own() -> None:
    output = covered_by("J1", 1, failed=2, reasons=("two are too large",))
    outcome = sync_outcome_of(view_of(a_sync(output)))
    assert outcome.exit_code is ExitCode.FAILED_DOCUMENTS
    assert outcome.job is not None
    assert (outcome.job.statistics.failed, outcome.job.reasons) == (2, ("two are too large",))


def test_a_coalesced_request_names_who_serves_it() -> None:
    output = {"status": "coalesced", "ticket": 3, "owner": "arn:aws:states:::execution:millrace-kb-sync:the-owner"}
    outcome = sync_outcome_of(view_of(a_sync(output, ticket=3)))
    assert (outcome.exit_code, outcome.job) == (ExitCode.OK, None)
    assert outcome.sentence == "ticket 3: coalesced, the-owner serves it"


@pytest.mark.parametrize("status", ["superseded", "handed over", "nothing pending"])
def test_any_other_end_says_which(status: str) -> None:
    outcome = sync_outcome_of(view_of(a_sync({"status": status, "ticket": 0}, ticket=0)))
    assert outcome.exit_code is ExitCode.OK
    assert outcome.sentence == f"without a ticket of its own: {status}"


def test_statistics_are_read_in_bedrocks_spelling_and_in_that_of_step_functions() -> None:
    counts = {"numberOfDocumentsScanned": 9, "numberOfModifiedDocumentsIndexed": 2, "numberOfDocumentsDeleted": 1}
    capitalized = {f"N{name[1:]}": number for name, number in counts.items()}
    expected = Statistics(scanned=9, modified=2, deleted=1)
    assert statistics_of({"statistics": counts}) == statistics_of({"Statistics": capitalized}) == expected
    assert str(expected) == "scanned 9, new 0, modified 2, deleted 1, failed 0"


@pytest.mark.parametrize(
    "asked",
    [
        {"knowledgeBaseId": "KB", "dataSourceId": "DS", "wait": True},
        [{"knowledgeBaseId": "KB", "dataSourceId": "DS"}] * 3,
        {"flight": {"key": "KB/DS", "mode": "sweep"}},
    ],
)
def test_every_form_of_the_input_names_its_key(asked: object) -> None:
    assert key_of_input(json.dumps(asked)) == "KB/DS"


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "7", '"flight"', "[7]", '{"flight": 7}', '{"dataSourceId": "DS"}']
)
def test_nonsense_names_no_key(text: str | None) -> None:
    assert key_of_input(text) is None


def test_the_advice_knows_whether_the_request_is_registered() -> None:
    lost = view_of(a_sync(ticket=0, error=("DynamoDB.InternalServerError", "no")))
    kept = view_of(a_sync(ticket=3, error=("DynamoDB.InternalServerError", "no")))
    assert advice("DynamoDB.InternalServerError", lost, "images").startswith("nothing was registered")
    assert "stays registered" in advice("DynamoDB.InternalServerError", kept, "images")
    assert "millrace sync images --wait" in advice("JobFailed", kept, "images")
