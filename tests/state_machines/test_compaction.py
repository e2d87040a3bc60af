"""What every execution of compaction keeps, besides what every flight does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.state_machines.answers.compaction import BROKEN, COLLECTION, RESULT
from tests.state_machines.cases.single_flight import token
from tests.state_machines.machines import COMPACTION
from tests.state_machines.running import Run, Runs

pytestmark = pytest.mark.network


def all_runs(runs: Runs) -> Iterator[tuple[str, Run]]:
    yield from runs[COMPACTION.name].items()


def recorded(run: Run) -> list[str]:
    """The names of the jobs that an execution has put on record."""
    return [visit.requests[-1]["ExpressionAttributeValues"][":job"]["S"] for visit in run.visits_to("RecordJob")]


def test_every_round_has_a_job_of_its_own_whose_name_is_the_same_however_often_it_is_recorded(runs: Runs) -> None:
    jobs: set[str] = set()
    for name, run in all_runs(runs):
        for visit in run.visits_to("RecordJob"):
            (job,) = {request["ExpressionAttributeValues"][":job"]["S"] for request in visit.requests}
            assert job not in jobs, name
            jobs.add(job)
    assert recorded(runs[COMPACTION.name]["JobFailed"]) == [token(COMPACTION, "JobFailed", turn) for turn in (0, 1)]


def test_the_function_is_called_for_the_job_that_is_on_record_and_for_nothing_before(runs: Runs) -> None:
    """RecordJob is refused to whom another execution has taken over, so who is superseded calls nothing."""
    for name, run in all_runs(runs):
        for number, visit in enumerate(run.visits):
            if visit.state == "GetJob":
                assert {"RecordJob", "CheckResumed"} & {*run.path[:number]}, name
                asked = {"collection": visit.input["request"]["key"], "job": visit.input["job"]["id"]}
                assert all(request == asked for request in visit.requests), name


def test_nobody_registers_for_a_collection_that_does_not_exist(runs: Runs) -> None:
    for name, run in all_runs(runs):
        for visit in run.visits_to("Register"):
            assert visit.input["request"]["key"] in ("lines", "words"), name


def test_what_a_complete_call_says_is_what_those_who_asked_are_told(runs: Runs) -> None:
    request = runs[COMPACTION.name]["FirstRequest"].last_visit("Mark").requests[-1]
    assert json.loads(request["ExpressionAttributeValues"][":last"]["M"]["result"]["S"]) == RESULT


def test_a_call_that_has_published_nothing_is_told_without_a_version(runs: Runs) -> None:
    visits = runs[COMPACTION.name]["AnotherCallWasFaster"].visits_to("CheckJob")
    assert json.loads(visits[0].input["result"]["text"]) == {**RESULT, "version": None, "deltas": 0}


@pytest.mark.parametrize(
    ("case", "failure"),
    [
        ("ErrorIsKept", {"Error": BROKEN.error, "Cause": BROKEN.cause}),
        ("CallOutlastsItsRetries", {"Error": "Sandbox.Timedout", "Cause": "900 s"}),
    ],
)
def test_of_a_call_that_failed_the_error_is_kept(case: str, failure: dict[str, str], runs: Runs) -> None:
    request = runs[COMPACTION.name][case].last_visit("ForgetJob").requests[-1]
    assert json.loads(request["ExpressionAttributeValues"][":failure"]["M"]["result"]["S"]) == failure


def test_a_failed_job_is_told_with_its_collection_and_its_error(runs: Runs) -> None:
    (request,) = runs[COMPACTION.name]["JobFailsThrice"].last_visit("NotifyFailure").requests
    assert request["Subject"] == "Compaction failed"
    assert request["Message"].startswith(f"{COLLECTION} failed with JobFailed: 3 jobs for {COLLECTION} failed")
    assert BROKEN.error in request["Message"]
