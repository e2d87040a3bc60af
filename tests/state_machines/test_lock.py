"""The lock on a real table of the embedded AWS: what the conditions allow, and what they leave in the item, also
after a stop and in executions that are redriven or started again.

Functions, S3 and SNS answer by mocks; DynamoDB and Step Functions are asked for real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.state_machines.acting import Executions, bystanders, create
from tests.state_machines.answers.kendra_ingestion import (
    BY_MAP,
    DONE,
    EXPIRES_AT,
    FAILURE_TOLD,
    JOB,
    RUN,
    UPLOAD,
    VERIFIED,
    manifest,
    pending,
    report,
)
from tests.state_machines.cases.case import without
from tests.state_machines.edges import task_names
from tests.state_machines.machines import KENDRA_INGESTION
from tests.state_machines.mocks import Answers, Throw, mock_file, together
from tests.state_machines.running import Definitions
from tests.substrate import MOCKS, configure

pytestmark = pytest.mark.network

MACHINE = "locking"
BRIEF_MACHINE = "locking-briefly"
BRIEF_SECONDS = 2
TABLE = "millrace-jobs"
LOCK_TASKS = (
    "AcquireLock",
    "ReadLock",
    "DescribeOwner",
    "TakeOverLock",
    "ConfirmLock",
    "ReleaseLock",
    "ReleaseStopped",
    "ReleaseAfterFailure",
)
NEVER_STARTED = "arn:aws:states:us-east-1:123456789012:execution:locking:never-started"
HOUR = 3600

WELL: Answers = {**without(BY_MAP.all_well, *LOCK_TASKS), "NotifyFailure": FAILURE_TOLD["NotifyFailure"]}
FAILING: Answers = {**WELL, "AggregateFailures": [Throw("LawBroken")]}
STOPPED: Answers = {**WELL, "AggregateFailures": [report(stopped=True)]}
WAITING: Answers = {**WELL, "Verify": [pending(1, wait_seconds=HOUR), VERIFIED]}
OWNED_BY_ANOTHER_LATER: Answers = {"AcquireLock": [DONE], "ConfirmLock": [DONE]}
CASES: dict[str, Answers] = {
    "Well": WELL,
    "NewerUpload": {**WELL, "LoadManifest": [manifest(run="0123456789abcdef", upload="upload-3")]},
    "Failing": FAILING,
    "Stopped": STOPPED,
    # Waits for an hour in the middle, so that it can be interrupted there.
    "Waiting": WAITING,
    # The first notification is refused as often as it is tried.
    "Untold": {**WELL, "Notify": [*[Throw("SNS.InternalErrorException")] * 5, DONE]},
    # Acquires the lock and never comes to release it.
    "LosesSight": {
        **FAILING,
        "LoadManifest": [manifest(upload="upload-3")],
        "ReleaseAfterFailure": [DONE],
    },
    # Believes that it holds the lock.
    "Superseded": {**WELL, "AcquireLock": [DONE]},
    "SupersededAfterReport": {**WELL, **OWNED_BY_ANOTHER_LATER},
    "StoppedSuperseded": {**STOPPED, **OWNED_BY_ANOTHER_LATER},
    "FailingSuperseded": {**FAILING, **OWNED_BY_ANOTHER_LATER},
}


@dataclass
class Jobs(Executions):
    """The table with the one job of these tests, and the executions of the machine that locks it."""

    machine: str
    brief_machine: str
    table: Any

    def run_case(self, case: str) -> str:
        """The execution's ARN, once it has ended."""
        return self.run(f"{self.machine}#{case}")

    def interrupt(self, how: str) -> str:
        """An execution that waited in the middle of its job when it was ABORTED, or when it TIMED_OUT."""
        machine = self.machine if how == "ABORTED" else self.brief_machine
        arn = self.came_to("WaitForIndex", self.start(f"{machine}#Waiting"))
        if how == "ABORTED":
            self.abort(arn)
        assert self.status(self.ended(arn)) == how
        return arn

    def item(self) -> dict[str, str]:
        item = self.table.get_item(TableName=TABLE, Key=self.key(), ConsistentRead=True).get("Item", {})
        return {name: text for name, value in item.items() for text in value.values()}

    def put(self, **attributes: str) -> dict[str, str]:
        item = {"jobId": JOB, **attributes}
        self.table.put_item(TableName=TABLE, Item={name: {"S": value} for name, value in item.items()})
        return item

    def forget(self) -> None:
        self.table.delete_item(TableName=TABLE, Key=self.key())

    def key(self) -> dict[str, Any]:
        return {"jobId": {"S": JOB}}


@pytest.fixture(scope="module")
def locking(definitions: Definitions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    definition = definitions[KENDRA_INGESTION.name]
    tasks = task_names(definition)
    instance = Instance.start(tmp_path_factory.mktemp("locking"), Options(enforce_iam=False))
    try:
        files = [mock_file(machine, CASES, tasks, real=LOCK_TASKS) for machine in (MACHINE, BRIEF_MACHINE)]
        configure(instance, {MOCKS: together(files)})
        states, table = instance.client("stepfunctions"), instance.client("dynamodb")
        table.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        brief = create(states, BRIEF_MACHINE, {**definition, "TimeoutSeconds": BRIEF_SECONDS})
        yield Jobs(instance, states, create(states, MACHINE, definition), brief, table)
    finally:
        instance.stop()


@pytest.fixture
def jobs(locking: Jobs) -> Jobs:
    locking.forget()
    return locking


@pytest.fixture
def execution_that(jobs: Jobs) -> Iterator[Callable[[str], str]]:
    yield from bystanders(jobs)


def test_a_finished_job_is_free_and_remembers_its_upload_and_its_execution(jobs: Jobs) -> None:
    arn = jobs.run_case("Well")
    item = jobs.item()
    assert item.pop("updatedAt")[:2] == "20"
    assert item == {
        "jobId": JOB,
        "run": RUN,
        "execution": arn,
        "upload": UPLOAD,
        "finishedUpload": UPLOAD,
        "status": "FINISHED",
        "expiresAt": EXPIRES_AT,
    }


def test_a_finished_upload_is_not_done_again(jobs: Jobs) -> None:
    jobs.run_case("Well")
    before = jobs.item()
    assert jobs.last_state(jobs.run_case("Well")) == "AlreadyFinished"
    assert jobs.item() == before


def test_a_newer_upload_of_a_finished_job_is_a_new_run(jobs: Jobs) -> None:
    jobs.run_case("Well")
    assert jobs.last_state(jobs.run_case("NewerUpload")) == "Notify"
    assert jobs.item()["finishedUpload"] == "upload-3"


def test_a_job_that_runs_again_does_not_expire(jobs: Jobs) -> None:
    jobs.run_case("Well")
    jobs.run_case("LosesSight")
    item = jobs.item()
    assert item["status"] == "RUNNING"
    assert "expiresAt" not in item


def test_of_many_executions_of_one_upload_one_acts(jobs: Jobs) -> None:
    ends = [jobs.last_state(jobs.ended(arn)) for arn in [jobs.start(f"{jobs.machine}#Well") for _ in range(8)]]
    assert ends.count("Notify") == 1
    assert set(ends) <= {"Notify", "AlreadyRunning", "AlreadyFinished"}


@pytest.mark.parametrize(
    ("upload", "last", "error"), [(UPLOAD, "AlreadyRunning", None), ("upload-1", "Failed", "JobBusy")]
)
def test_a_running_owner_keeps_its_lock(
    upload: str, last: str, error: str | None, jobs: Jobs, execution_that: Callable[[str], str]
) -> None:
    owner = execution_that("waits")
    item = jobs.put(owner=owner, execution=owner, upload=upload, status="RUNNING")
    arn = jobs.run_case("Well")
    assert (jobs.last_state(arn), jobs.error(arn)) == (last, error)
    assert jobs.item() == item


@pytest.mark.parametrize("fate", ["ended", "never started"])
def test_the_lock_of_an_owner_that_no_longer_runs_is_taken_over(
    fate: str, jobs: Jobs, execution_that: Callable[[str], str]
) -> None:
    owner = execution_that("ended") if fate == "ended" else NEVER_STARTED
    jobs.put(owner=owner, execution=owner, upload="upload-1", status="RUNNING")
    arn = jobs.run_case("Well")
    assert jobs.last_state(arn) == "Notify"
    assert jobs.item()["execution"] == arn


def test_a_failed_job_is_free_and_its_upload_can_be_done_again(jobs: Jobs) -> None:
    failed = jobs.run_case("Failing")
    assert jobs.error(failed) == "LawBroken"
    item = jobs.item()
    assert item["status"] == "FAILED"
    assert item["execution"] == failed
    assert item["expiresAt"] == EXPIRES_AT
    assert not item.keys() & {"owner", "finishedUpload"}
    assert jobs.last_state(jobs.run_case("Well")) == "Notify"


@pytest.mark.parametrize(
    ("case", "last"),
    [
        ("Superseded", "Failed"),
        ("SupersededAfterReport", "Notify"),
        ("StoppedSuperseded", "Notify"),
        ("FailingSuperseded", "Failed"),
    ],
)
def test_an_execution_that_lost_its_lock_leaves_it_to_the_new_owner(
    case: str, last: str, jobs: Jobs, execution_that: Callable[[str], str]
) -> None:
    owner = execution_that("waits")
    item = jobs.put(owner=owner, execution=owner, upload="upload-1", status="RUNNING")
    assert jobs.last_state(jobs.run_case(case)) == last
    assert jobs.item() == item


def test_a_stopped_job_is_free_and_its_upload_can_be_taken_up_again(jobs: Jobs) -> None:
    stopped = jobs.run_case("Stopped")
    assert jobs.status(stopped) == "SUCCEEDED"
    item = jobs.item()
    assert (item["status"], item["execution"], item["expiresAt"]) == ("STOPPED", stopped, EXPIRES_AT)
    assert not item.keys() & {"owner", "finishedUpload"}
    again = jobs.run_case("Well")
    assert jobs.last_state(again) == "Notify"
    assert (jobs.item()["status"], jobs.item()["execution"], jobs.item()["run"]) == ("FINISHED", again, RUN)


def test_a_stopped_upload_does_not_make_the_one_that_was_finished_before_it_new_again(jobs: Jobs) -> None:
    jobs.put(finishedUpload="upload-3", status="FINISHED")
    jobs.run_case("Stopped")
    assert jobs.item()["finishedUpload"] == "upload-3"


@pytest.mark.parametrize("how", ["ABORTED", "TIMED_OUT"])
def test_an_interrupted_job_is_still_its_executions_and_a_redrive_finishes_it(how: str, jobs: Jobs) -> None:
    arn = jobs.interrupt(how)
    assert (jobs.item()["owner"], jobs.item()["status"]) == (arn, "RUNNING")
    assert "ListBatches" not in jobs.redrive(arn)
    assert jobs.status(arn) == "SUCCEEDED"
    assert (jobs.item()["status"], jobs.item()["finishedUpload"]) == ("FINISHED", UPLOAD)
    assert "owner" not in jobs.item()


@pytest.mark.parametrize("how", ["ABORTED", "TIMED_OUT"])
def test_an_interrupted_job_is_taken_over_by_an_execution_with_the_same_input(how: str, jobs: Jobs) -> None:
    jobs.interrupt(how)
    again = jobs.run_case("Well")
    assert {"TakeOverLock", "Notify"} <= {*jobs.entered(again)}
    assert (jobs.item()["status"], jobs.item()["execution"]) == ("FINISHED", again)


@pytest.mark.parametrize("case", ["Well", "NewerUpload", "Failing", "Stopped"])
def test_a_redriven_execution_whose_job_another_one_has_ended_leaves_report_and_lock_as_they_are(
    case: str, jobs: Jobs
) -> None:
    interrupted = jobs.interrupt("ABORTED")
    jobs.run_case(case)
    item = jobs.item()
    assert jobs.redrive(interrupted) == [
        *("Verify", "CheckVerification", "ConfirmLock"),
        *("ReportTakeover", "DescribeFailure", "NotifyFailure", "Failed"),
    ]
    assert jobs.error(interrupted) == "JobTakenOver"
    assert jobs.item() == item


@pytest.mark.parametrize("upload", [UPLOAD, "upload-3"])
def test_a_redriven_execution_whose_job_is_anothers_now_leaves_it_to_that_one(
    upload: str, jobs: Jobs, execution_that: Callable[[str], str]
) -> None:
    interrupted = jobs.interrupt("ABORTED")
    owner = execution_that("waits")
    item = jobs.put(owner=owner, execution=owner, upload=upload, status="RUNNING")
    assert "AggregateFailures" not in jobs.redrive(interrupted)
    assert jobs.error(interrupted) == "JobTakenOver"
    assert jobs.item() == item


def test_an_execution_that_failed_can_be_started_again_but_a_redrive_only_repeats_its_failure(jobs: Jobs) -> None:
    failed = jobs.run_case("Failing")
    item = jobs.item()
    assert jobs.redrive(failed) == ["Failed"]
    assert (jobs.status(failed), jobs.error(failed)) == ("FAILED", "LawBroken")
    assert jobs.item() == item
    again = jobs.run_case("Well")
    assert (jobs.item()["status"], jobs.item()["execution"], jobs.item()["run"]) == ("FINISHED", again, RUN)


def test_a_notification_that_could_not_be_sent_is_redriven_by_itself(jobs: Jobs) -> None:
    arn = jobs.run_case("Untold")
    item = jobs.item()
    assert (jobs.status(arn), jobs.error(arn), item["status"]) == ("FAILED", "SNS.InternalErrorException", "FINISHED")
    assert jobs.redrive(arn) == []
    assert jobs.status(arn) == "SUCCEEDED"
    assert jobs.item() == item


def test_a_redriven_execution_keeps_duplicates_of_its_event_away(jobs: Jobs) -> None:
    arn = jobs.interrupt("ABORTED")
    jobs.states.redrive_execution(executionArn=arn)
    assert jobs.last_state(jobs.run_case("Well")) == "AlreadyRunning"
    assert jobs.item()["owner"] == arn
    jobs.abort(arn)
