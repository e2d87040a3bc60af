"""What every machine with one job at a time for a key says of a request, and causes in words."""

from __future__ import annotations

import json

import pytest

from millrace.executions.adapter import Executions
from millrace.executions.compaction_outcome import compaction_outcome_of
from millrace.executions.flights import glance, in_words, key_in, ticket_in
from millrace.executions.view import view_of
from tests.fakes.operator.aws import COMPACTION_MACHINE, FakeExecution, FakeStates
from tests.fakes.operator.histories import a_compaction, a_sync, compacted_by

FAILED_JOB = json.dumps({"Status": "FAILED", "FailureReasons": ["the bucket is gone", "so is the key"]})
CAUSE = f"3 jobs for KB/DS failed, the last of them J3: {FAILED_JOB} The requests stay registered."


def test_the_ticket_is_known_as_soon_as_it_is_registered() -> None:
    events = a_sync(ticket=7)
    assert ticket_in(view_of(events[:-1])) is None
    assert ticket_in(view_of(events)) == 7
    assert ticket_in(view_of(a_compaction(ticket=0))) is None


@pytest.mark.parametrize("mode", ["sweep", "successor"])
def test_a_sweep_and_a_successor_name_the_key(mode: str) -> None:
    assert key_in({"flight": {"key": "lines", "mode": mode}}) == "lines"


@pytest.mark.parametrize("said", [None, [], "flight", {"flight": 7}, {"flight": {}}])
def test_any_other_input_names_none(said: object) -> None:
    assert key_in(said) is None


def test_a_glance_at_one_that_has_ended_reads_its_output_and_of_one_that_runs_its_first_events() -> None:
    states = FakeStates()
    executions = Executions(states, COMPACTION_MACHINE)
    ended = FakeExecution("ended", [], output=json.dumps(compacted_by("J1")), machine=COMPACTION_MACHINE)
    runs = FakeExecution("runs", a_compaction(ticket=4), status="RUNNING", machine=COMPACTION_MACHINE)
    described, outcome = glance(executions, states.add(ended), compaction_outcome_of)
    assert (described.name, outcome.status, outcome.ticket) == ("ended", "covered", 1)
    described, outcome = glance(executions, states.add(runs), compaction_outcome_of)
    assert (described.status, outcome.status, outcome.ticket) == ("RUNNING", None, 4)
    assert (ended.asked, runs.asked) == (1, 1)


def test_a_cause_that_quotes_a_job_is_put_into_words() -> None:
    assert in_words(CAUSE) == (
        "3 jobs for KB/DS failed, the last of them J3: FAILED (the bucket is gone; so is the key). "
        "The requests stay registered."
    )


def test_a_cause_that_quotes_another_failure_is_put_into_words_to_its_root() -> None:
    quoted = json.dumps({"Error": "JobFailed", "Cause": CAUSE})
    said = in_words(f"Ticket 3 of KB/DS is not covered: {quoted}")
    assert said.startswith("Ticket 3 of KB/DS is not covered: JobFailed: 3 jobs")
    assert "FAILED (the bucket is gone; so is the key)" in said
    assert "{" not in said


@pytest.mark.parametrize("cause", ["plain words", "a {brace} that is no JSON", "half {", "3 {} things"])
def test_other_causes_stay_readable(cause: str) -> None:
    assert in_words(cause).startswith(cause.split("{")[0])


def test_a_cause_that_is_missing_says_so() -> None:
    assert in_words(None) == in_words("") == "no cause was given"


def test_a_job_without_reasons_says_that_bedrock_gives_none() -> None:
    assert in_words('{"Status": "STOPPED"}') == "STOPPED (Bedrock gives no reason)"
