"""Runs whose nested execution is real: functions answer by mocks, and a small machine stands for kb_sync."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.fakes.deployed import eventually
from tests.state_machines.acting import Executions, create
from tests.state_machines.answers.incident_sync import FAILURE_MEASURED, JOB, WELL
from tests.state_machines.answers.kb_sync import DATA_SOURCE, KNOWLEDGE_BASE
from tests.state_machines.cases.case import without
from tests.state_machines.edges import task_names
from tests.state_machines.machines import INCIDENT_SYNC
from tests.state_machines.mocks import mock_file, together
from tests.state_machines.running import history
from tests.substrate import MOCKS, configure

pytestmark = pytest.mark.network

COVERED = {"Type": "Pass", "Parameters": {"status": "covered", "job": JOB, "asked.$": "$"}, "End": True}
STAND_INS: dict[str, dict[str, Any]] = {
    "covers": {"Only": COVERED},
    "fails": {"Only": {"Type": "Fail", "Error": "JobFailed", "Cause": "3 jobs failed"}},
    "stays": {"Only": {"Type": "Wait", "Seconds": 3_600, "Next": "Covered"}, "Covered": COVERED},
}
HASTY = "stays, and is not waited for"
"""A run that gives kb_sync one second."""


@dataclass
class Runs(Executions):
    """Machines that are incident_sync, by what stands for kb_sync."""

    machines: dict[str, str]
    stand_ins: dict[str, str]

    def begin(self, child: str) -> str:
        """A run's ARN."""
        return self.start(f"{self.machines[child]}#Well")

    def children(self, child: str, *, of: str) -> list[str]:
        """The executions that stand for kb_sync and that this run has started, oldest first."""
        told = self.states.list_executions(stateMachineArn=self.stand_ins[child])["executions"]
        return [each["executionArn"] for each in reversed(told) if self.given(each["executionArn"])[STARTED_BY] == of]

    def given(self, arn: str) -> dict[str, Any]:
        given: dict[str, Any] = json.loads(self.states.describe_execution(executionArn=arn)["input"])
        return given

    def told(self, arn: str) -> tuple[str, str | None]:
        """The error and the cause of an execution that has failed."""
        told = self.states.describe_execution(executionArn=self.ended(arn))
        return told.get("error"), told.get("cause")

    def asked(self, arn: str, function: str) -> list[dict[str, Any]]:
        """What a function was asked by a run."""
        wanted = f":{INCIDENT_SYNC.values[function].rpartition(':')[2]}"
        return [
            json.loads(scheduled["input"])
            for event in history(self.states, arn)
            if (scheduled := event.get("lambdaFunctionScheduledEventDetails"))
            and scheduled["resource"].endswith(wanted)
        ]


STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    instance = Instance.start(tmp_path_factory.mktemp("ingesting"), Options(enforce_iam=False))
    try:
        states = instance.client("stepfunctions")
        stand_ins = {
            name: create(states, f"kb-sync-that-{name}", {"StartAt": "Only", "States": machine})
            for name, machine in STAND_INS.items()
        }
        definitions = {name: INCIDENT_SYNC.rendered(kb_sync_arn=arn) for name, arn in stand_ins.items()}
        definitions[HASTY] = INCIDENT_SYNC.rendered(kb_sync_arn=stand_ins["stays"])
        definitions[HASTY]["States"]["Ingest"]["TimeoutSeconds"] = 1
        names = {name: f"incident-sync-{number}" for number, name in enumerate(definitions)}
        answers = {**without(WELL, "Ingest"), **FAILURE_MEASURED}
        tasks = task_names(definitions[HASTY])
        mocks = together(mock_file(name, {"Well": answers}, tasks, real=["Ingest"]) for name in names.values())
        configure(instance, {MOCKS: mocks})
        machines = {name: create(states, names[name], definition) for name, definition in definitions.items()}
        yield Runs(instance, states, machines, stand_ins)
    finally:
        instance.stop()


def test_the_run_asks_for_its_data_source_waits_and_marks_what_its_job_covered(runs: Runs) -> None:
    run = runs.ended(runs.begin("covers"))
    (child,) = runs.children("covers", of=run)
    assert runs.given(child) == {
        "knowledgeBaseId": KNOWLEDGE_BASE,
        "dataSourceId": DATA_SOURCE,
        "wait": True,
        STARTED_BY: run,
    }
    assert runs.output(run)["ingestion"]["job"] == JOB
    assert [page["job"] for page in runs.asked(run, "confirm_arn")] == [JOB]


def test_a_run_fails_with_the_whole_story_of_the_sync_that_failed(runs: Runs) -> None:
    error, cause = runs.told(runs.begin("fails"))
    story = json.loads(cause or "")
    assert error == "IngestionFailed"
    assert (story["Status"], story["Error"], story["Cause"]) == ("FAILED", "JobFailed", "3 jobs failed")


def test_a_sync_that_takes_too_long_is_stopped_and_told_as_such_though_a_time_limit_has_no_cause(runs: Runs) -> None:
    run = runs.begin(HASTY)
    assert runs.told(run) == (
        "IngestionFailed",
        "States.Timeout, without a cause; the history of this execution shows the state that failed.",
    )
    (child,) = runs.children("stays", of=run)
    assert runs.status(runs.ended(child)) == "ABORTED"


def test_a_run_that_is_stopped_stops_its_sync_and_a_redrive_asks_anew_for_what_was_written(runs: Runs) -> None:
    run = runs.came_to("Ingest", runs.begin("stays"))
    eventually(lambda: runs.children("stays", of=run))
    runs.abort(run)
    (first,) = runs.children("stays", of=run)
    assert runs.status(runs.ended(first)) == "ABORTED"
    assert runs.redrive(run)[-1] == "Tell"
    assert len(runs.children("stays", of=run)) == 2
    (page,) = runs.asked(run, "confirm_arn")
    assert page["run"] == run.rpartition(":")[2]
    assert page["requestedAt"] < runs.states.describe_execution(executionArn=run)["redriveDate"].isoformat()
    assert runs.entered(run).count("SyncBatch") == 1
