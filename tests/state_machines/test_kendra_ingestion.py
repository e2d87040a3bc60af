"""What every execution of kendra_ingestion keeps, whichever case it is."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from tests.state_machines.answers.kendra_ingestion import EXPIRES_AT, RUN
from tests.state_machines.cases.kendra_ingestion import work
from tests.state_machines.edges import all_states, edges_of
from tests.state_machines.machines import KENDRA_INGESTION, KENDRA_INGESTION_SQS
from tests.state_machines.running import Definitions, Run, Runs

pytestmark = pytest.mark.network

MACHINES = (KENDRA_INGESTION.name, KENDRA_INGESTION_SQS.name)


def all_runs(runs: Runs) -> list[tuple[str, Run]]:
    return [(f"{machine} {name}", run) for machine in MACHINES for name, run in runs[machine].items()]


def test_the_producer_learns_its_work_and_the_token_that_it_is_to_answer(runs: Runs) -> None:
    (request,) = runs[KENDRA_INGESTION_SQS.name]["AllWell"].last_visit("ProcessBatches").requests
    assert request["FunctionName"].endswith(":millrace-producer")
    token = request["Payload"]["token"]
    assert request["Payload"] == {**work("AllWell"), "bucket": "ingestion", "token": token}
    assert token


def test_each_try_of_the_producer_gets_a_token_of_its_own(runs: Runs) -> None:
    requests = runs[KENDRA_INGESTION_SQS.name]["ProcessBatchesRetried0"].last_visit("ProcessBatches").requests
    assert len({request["Payload"]["token"] for request in requests}) == len(requests) > 1


def test_every_part_of_a_job_works_on_the_run_of_its_manifest(runs: Runs) -> None:
    for name, run in all_runs(runs):
        for visit in run.visits:
            for request in visit.requests:
                asked = request.get("Payload", request)
                if "attempt" in asked and visit.state != "LoadManifest":
                    assert (asked["run"], asked["attempt"]) == (RUN, name.split()[1]), f"{name}: {visit.state}"


def test_the_lock_is_only_ever_taken_and_freed_on_condition(runs: Runs) -> None:
    for _, run in all_runs(runs):
        for visit in run.visits:
            for request in visit.requests:
                if "UpdateExpression" in request:
                    assert "#owner = :me" in request["ConditionExpression"], visit.state
                    assert request["ExpressionAttributeValues"][":me"] == {"S": run.arn}, visit.state


def test_whoever_takes_the_lock_says_which_work_it_is_for(runs: Runs) -> None:
    for _, run in all_runs(runs):
        for visit in run.visits:
            for request in visit.requests:
                if "#owner = :me" in request.get("UpdateExpression", ""):
                    assert "#run = :run" in request["UpdateExpression"], visit.state
                    assert request["ExpressionAttributeValues"][":run"] == {"S": RUN}, visit.state


def test_an_upload_is_marked_finished_only_after_its_report_is_archived(runs: Runs) -> None:
    for name, run in all_runs(runs):
        for before, visit in zip(run.path, run.visits[1:], strict=False):
            for request in visit.requests:
                if "#finishedUpload = :upload" in request.get("UpdateExpression", ""):
                    assert before == "ArchiveManifest", name
                    assert "REMOVE #owner" in request["UpdateExpression"]


def test_a_job_that_has_ended_is_forgotten_one_day_and_one_that_runs_is_not(runs: Runs) -> None:
    for _, run in all_runs(runs):
        for visit in run.visits:
            for request in visit.requests:
                if "UpdateExpression" in request:
                    update = request["UpdateExpression"]
                    takes, frees = "#owner = :me" in update, "REMOVE #owner" in update
                    expires = request["ExpressionAttributeValues"].get(":expiresAt")
                    assert expires == ({"N": EXPIRES_AT} if frees else None), visit.state
                    assert ("REMOVE #expiresAt" in update) is takes, visit.state


def test_nobody_writes_the_report_of_a_job_without_having_confirmed_its_lock(runs: Runs) -> None:
    for name, run in all_runs(runs):
        for before, state in itertools.pairwise(run.path):
            if state == "AggregateFailures":
                assert before == "ConfirmLock", name


def test_a_job_that_was_stopped_leaves_its_manifest_and_its_upload_for_another_execution(runs: Runs) -> None:
    for machine in MACHINES:
        run = runs[machine]["Stopped"]
        (release,) = run.last_visit("ReleaseStopped").requests
        assert run.status == "SUCCEEDED"
        assert "ArchiveManifest" not in run.path
        assert "REMOVE #owner" in release["UpdateExpression"]
        assert "finishedUpload" not in json.dumps(release)
        assert release["ExpressionAttributeValues"][":stopped"] == {"S": "STOPPED"}


@pytest.mark.parametrize("machine", MACHINES)
def test_a_failure_before_the_job_is_known_comes_by_no_state_that_reads_the_manifest(
    machine: str, definitions: Definitions
) -> None:
    states = all_states(definitions[machine])
    ahead = {catcher["Next"] for catcher in states["LoadManifest"]["Catch"]}
    come_by: set[str] = set()
    while ahead - come_by:
        state = (ahead - come_by).pop()
        come_by.add(state)
        ahead |= {edge.target for edge in edges_of(state, states[state]) if edge.target}
    read = {path for state in come_by for path in re.findall(r"\$\.manifest\.\w+", json.dumps(states[state]))}
    known = states["Initialize"]["Parameters"]["manifest"]
    assert read <= {f"$.manifest.{name}" for name in known}


def test_a_failure_after_the_lock_was_asked_for_frees_it_without_marking_the_upload(runs: Runs) -> None:
    for _, run in all_runs(runs):
        if "ReleaseAfterFailure" in run.path:
            release = run.last_visit("ReleaseAfterFailure").requests[0]
            assert "REMOVE #owner" in release["UpdateExpression"]
            assert "finishedUpload" not in release["UpdateExpression"]


def test_every_failed_execution_has_tried_to_tell_somebody(runs: Runs) -> None:
    silent = [
        name
        for name, run in all_runs(runs)
        if run.status != "SUCCEEDED" and not {"Notify", "NotifyFailure"} & {*run.path}
    ]
    assert silent == []
