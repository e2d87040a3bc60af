"""kendra_ingestion on the embedded engine: every case goes its way, and together they take every edge."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.state_machines.cases import CASES, EXPIRES_AT, Case, retry_cases
from tests.state_machines.edges import all_states, edges_of
from tests.state_machines.promises import check, check_retries, edges_not_taken, unforeseen_calls
from tests.state_machines.rendering import rendered
from tests.state_machines.running import Run

pytestmark = pytest.mark.network


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.promise)
def test_the_execution_goes_the_way_of_its_case(case: Case, runs: dict[str, Run]) -> None:
    check(case, runs[case.name])


@pytest.mark.parametrize("case", list(retry_cases(rendered())), ids=lambda case: case.promise)
def test_a_task_is_retried_as_its_retrier_says(case: Case, runs: dict[str, Run], definition: dict[str, Any]) -> None:
    check_retries(case, runs[case.name], definition)


def test_the_cases_together_take_every_edge(runs: dict[str, Run], definition: dict[str, Any]) -> None:
    assert edges_not_taken(runs.values(), definition) == []


def test_no_case_calls_what_it_does_not_foresee(runs: dict[str, Run]) -> None:
    assert unforeseen_calls(runs) == []


def test_the_lock_is_only_ever_taken_and_freed_on_condition(runs: dict[str, Run]) -> None:
    for run in runs.values():
        for visit in run.visits:
            for request in visit.requests:
                if "UpdateExpression" in request:
                    assert "#owner = :me" in request["ConditionExpression"], visit.state
                    assert request["ExpressionAttributeValues"][":me"] == {"S": run.arn}, visit.state


def test_an_upload_is_marked_finished_only_after_its_report_is_archived(runs: dict[str, Run]) -> None:
    for name, run in runs.items():
        for before, visit in zip(run.path, run.visits[1:], strict=False):
            for request in visit.requests:
                if "#finishedUpload = :upload" in request.get("UpdateExpression", ""):
                    assert before == "ArchiveManifest", name
                    assert "REMOVE #owner" in request["UpdateExpression"]


def test_a_job_that_has_ended_is_forgotten_one_day_and_one_that_runs_is_not(runs: dict[str, Run]) -> None:
    for run in runs.values():
        for visit in run.visits:
            for request in visit.requests:
                if "UpdateExpression" in request:
                    frees = "REMOVE #owner" in request["UpdateExpression"]
                    expires = request["ExpressionAttributeValues"].get(":expiresAt")
                    assert expires == ({"N": EXPIRES_AT} if frees else None), visit.state
                    assert ("REMOVE #expiresAt" in request["UpdateExpression"]) is not frees, visit.state


def test_a_failure_before_the_job_is_known_comes_by_no_state_that_reads_the_manifest(
    definition: dict[str, Any],
) -> None:
    states = all_states(definition)
    ahead = {catcher["Next"] for catcher in states["LoadManifest"]["Catch"]}
    come_by: set[str] = set()
    while ahead - come_by:
        state = (ahead - come_by).pop()
        come_by.add(state)
        ahead |= {edge.target for edge in edges_of(state, states[state]) if edge.target}
    read = {path for state in come_by for path in re.findall(r"\$\.manifest\.\w+", json.dumps(states[state]))}
    known = states["Initialize"]["Parameters"]["manifest"]
    assert read <= {f"$.manifest.{name}" for name in known}


def test_a_failure_after_the_lock_was_asked_for_frees_it_without_marking_the_upload(
    runs: dict[str, Run],
) -> None:
    for run in runs.values():
        if "ReleaseAfterFailure" in run.path:
            release = run.last_visit("ReleaseAfterFailure").requests[0]
            assert "REMOVE #owner" in release["UpdateExpression"]
            assert "finishedUpload" not in release["UpdateExpression"]


def test_every_failed_execution_has_tried_to_tell_somebody(runs: dict[str, Run]) -> None:
    silent = [
        name
        for name, run in runs.items()
        if run.status != "SUCCEEDED" and not {"Notify", "NotifyFailure"} & {*run.path}
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("what", "longer", "shorter", "events"),
    [
        ("a chunk", "AllWell", "NothingToSend", 11),
        ("one more turn of a chunk", "ChunkGoesOn", "AllWell", 9),
        ("one more turn of planning", "ListingGoesOn", "AllWell", 9),
        ("two more turns of verification", "IndexTakesTime", "AllWell", 18),
        ("everything else", "NothingToSend", None, 80),
    ],
)
def test_the_history_grows_as_the_page_on_the_state_machine_says(
    what: str, longer: str, shorter: str | None, events: int, runs: dict[str, Run]
) -> None:
    grown = runs[longer].events - (runs[shorter].events if shorter else 0)
    assert grown <= events, f"{what} costs {grown} events"
