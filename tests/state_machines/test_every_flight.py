"""What every execution of a machine with single flight keeps, whichever case it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.state_machines.histories import Visit
from tests.state_machines.machines import COMPACTION, KB_SYNC
from tests.state_machines.running import Run, Runs

pytestmark = pytest.mark.network

OWNERS = {"Snapshot", "RecordJob", "Mark", "Release", "ForgetJob", "GiveUp", "LetGo"}


def flights(runs: Runs) -> Iterator[tuple[str, Run]]:
    for machine in (KB_SYNC, COMPACTION):
        yield from ((f"{machine} {name}", run) for name, run in runs[machine.name].items())


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
