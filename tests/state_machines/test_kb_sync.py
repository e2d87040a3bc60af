"""What every execution of kb_sync and of its sweeper keeps, whichever case it is."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.state_machines.answers.single_flight import RESULT
from tests.state_machines.histories import Visit
from tests.state_machines.machines import KB_SYNC, KB_SYNC_SWEEPER
from tests.state_machines.running import Run, Runs

pytestmark = pytest.mark.network

CLIENT_TOKEN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){32,255}")
"""StartIngestionJob's clientToken has 33 to 256 characters (API model)."""
EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
OWNERS = {"Snapshot", "RecordJob", "Mark", "Release", "ForgetJob", "GiveUp", "LetGo"}


def flights(runs: Runs) -> Iterator[tuple[str, Run]]:
    yield from runs[KB_SYNC.name].items()


def writes(run: Run) -> Iterator[tuple[Visit, dict[str, Any]]]:
    for visit in run.visits:
        for request in visit.requests:
            if "UpdateExpression" in request:
                yield visit, request


def test_every_write_but_a_registration_is_on_condition_of_who_owns_the_key(runs: Runs) -> None:
    seen: set[str] = set()
    for _, run in flights(runs):
        for visit, request in writes(run):
            condition, values = request.get("ConditionExpression", ""), request["ExpressionAttributeValues"]
            seen.add(visit.state)
            if visit.state in OWNERS:
                assert condition.startswith("#owner = :me AND #fence = :fence"), visit.state
                assert values[":fence"] == {"N": visit.input["flight"]["fence"]}, visit.state
                assert values[":me"] == {"S": run.arn}, visit.state
            else:
                assert (condition == "") is (visit.state == "Register"), visit.state
    assert seen == {*OWNERS, "Register", "Acquire", "TakeOver"}


def test_a_change_of_owner_is_a_change_of_fence(runs: Runs) -> None:
    for _, run in flights(runs):
        for visit, request in writes(run):
            takes = "SET #owner = :me" in request["UpdateExpression"]
            assert takes is ("ADD #fence :one" in request["UpdateExpression"]), visit.state


def test_what_a_job_will_cover_is_read_right_before_it_starts(runs: Runs) -> None:
    for name, run in flights(runs):
        for number, state in enumerate(run.path):
            if state == "StartJob":
                before = [each for each in run.path[:number] if each not in ("ResumeJob", "CheckResumed")]
                assert before[-3:] == ["Snapshot", "CheckSnapshot", "BeginRound"], name


def test_a_start_is_retried_with_its_token_and_every_round_has_another(runs: Runs) -> None:
    tokens: set[str] = set()
    for name, run in flights(runs):
        for visit in run.visits:
            if visit.state == "StartJob":
                (token,) = {request["ClientToken"] for request in visit.requests}
                assert CLIENT_TOKEN.fullmatch(token), name
                assert token not in tokens, name
                tokens.add(token)


def test_nothing_is_marked_but_a_complete_job_with_what_it_was_started_for(runs: Runs) -> None:
    for name, run in flights(runs):
        for visit, request in writes(run):
            if visit.state == "Mark":
                assert visit.input["result"]["status"] == "COMPLETE", name
                assert request["ExpressionAttributeValues"][":covers"] == {"N": str(visit.input["job"]["covers"])}, name


def test_a_successor_is_started_before_its_predecessor_lets_go_and_nobody_else_lets_go(runs: Runs) -> None:
    for name, run in flights(runs):
        for before, state in itertools.pairwise(run.path):
            assert state != "LetGo" or before == "HandOver", name


def test_every_mark_leaves_a_span(runs: Runs) -> None:
    for name, run in flights(runs):
        if run.status == "SUCCEEDED":
            spans = [span.split() for span in run.output["spans"].split(";") if span]
            assert len(spans) == run.path.count("NoteSpan"), name
            assert all(asked < covered for asked, covered in spans), name


def test_every_failure_is_told_once(runs: Runs) -> None:
    """A sweep repeats what was told before, and who waits is told by its own failure."""
    for name, run in flights(runs):
        if run.status == "FAILED":
            told_otherwise = {"TellGivenUp", "TellStillWaiting"} & {*run.path} or "AcceptSweep" in run.path
            assert run.path.count("NotifyFailure") == (0 if told_otherwise else 1), name


def test_a_failure_is_told_as_what_it_was_first(runs: Runs) -> None:
    for name, run in flights(runs):
        if "GiveUp" in run.path and run.status == "FAILED":
            assert run.error == run.last_visit("GiveUp").input["failure"]["Error"], name


def test_every_execution_that_succeeds_says_what_became_of_its_request(runs: Runs) -> None:
    for name, run in flights(runs):
        if run.status == "SUCCEEDED":
            assert run.output.keys() >= {"status", "key", "ticket", "counts", "spans"}, name
            assert ("job" in run.output) is (run.output["status"] == "covered"), name
            assert ("owner" in run.output) is (run.output["status"] == "coalesced"), name
            assert run.output["counts"].keys() == {"jobs", "conflicts", "takeovers"}, name


def test_the_names_of_executions_that_are_started_are_valid(runs: Runs) -> None:
    for machine, state in ((KB_SYNC, "HandOver"), (KB_SYNC_SWEEPER, "Sweep")):
        names = {
            request["Name"]
            for run in runs[machine.name].values()
            for visit in run.visits
            if visit.state == state
            for request in visit.requests
        }
        assert names
        assert all(EXECUTION_NAME.fullmatch(name) for name in names)


def test_a_thousand_requests_are_not_carried_through_the_machine(runs: Runs) -> None:
    run = runs[KB_SYNC.name]["ThousandRequests"]
    assert run.last_visit("CheckSource").input["input"] == {
        "number": 1_000,
        "named": 1_000,
        "knowledgeBases": 1,
        "dataSources": 1,
        "first": {"knowledgeBaseId": "KB12345678", "dataSourceId": "DS12345678"},
    }


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        ("FirstRequest", []),
        ("FewReasons", [f"reason {number}" for number in range(5)]),
        ("LongReasons", ["There are more reasons than a state can hold: GetIngestionJob tells them."]),
    ],
)
def test_of_a_job_its_statistics_and_as_many_reasons_as_a_state_can_hold_are_kept(
    case: str, reasons: list[str], runs: Runs
) -> None:
    request = runs[KB_SYNC.name][case].last_visit("Mark").requests[-1]
    kept = json.loads(request["ExpressionAttributeValues"][":last"]["M"]["result"]["S"])
    assert kept == {**RESULT, "FailureReasons": reasons}
