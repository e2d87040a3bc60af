"""The lock on a real table of the embedded AWS: what the conditions allow, and what they leave in the item.

Functions, S3 and SNS answer by mocks; DynamoDB and Step Functions are asked for real.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.state_machines.cases import ALL_WELL, EXPIRES_AT, FAILURE_TOLD, MANIFEST, UPLOAD
from tests.state_machines.edges import all_states
from tests.state_machines.mocks import Answers, Return, Throw, function_answer, mock_file
from tests.state_machines.running import ROLE, configure

pytestmark = pytest.mark.network

MACHINE = "locking"
TABLE = "millrace-jobs"
LOCK_TASKS = (
    "AcquireLock",
    "ReadLock",
    "DescribeOwner",
    "TakeOverLock",
    "ReleaseLock",
    "ReleaseAfterFailure",
)
NEVER_STARTED = "arn:aws:states:us-east-1:123456789012:execution:locking:never-started"
ENDS_SECONDS = 30.0


def manifest_of(upload: str) -> Return:
    return function_answer({**MANIFEST.value["Payload"], "upload": upload})


WELL: Answers = {task: answers for task, answers in ALL_WELL.items() if task not in LOCK_TASKS}
FAILING: Answers = {
    **WELL,
    "AggregateFailures": [Throw("LawBroken")],
    "NotifyFailure": FAILURE_TOLD["NotifyFailure"],
}
CASES: dict[str, Answers] = {
    "Well": {**WELL, "NotifyFailure": FAILURE_TOLD["NotifyFailure"]},
    "NewerUpload": {**WELL, "LoadManifest": [manifest_of("upload-3")]},
    "Failing": FAILING,
    # Acquires the lock and never comes to release it.
    "LosesSight": {
        **FAILING,
        "LoadManifest": [manifest_of("upload-3")],
        "ReleaseAfterFailure": [Return({})],
    },
    # Believes that it holds the lock: what an execution does that was redriven after a takeover.
    "Superseded": {**WELL, "AcquireLock": [Return({})]},
    "FailingSuperseded": {**FAILING, "AcquireLock": [Return({})]},
}


@dataclass
class Jobs:
    """The table with the one job of these tests, and the machine that locks it."""

    instance: Instance
    machine: str
    states: Any
    table: Any

    def run(self, case: str) -> str:
        """The execution's ARN, once it has ended."""
        return self.ended(self.start(case))

    def start(self, case: str) -> str:
        return self.states.start_execution(stateMachineArn=f"{self.machine}#{case}")["executionArn"]

    def ended(self, arn: str) -> str:
        deadline = time.monotonic() + ENDS_SECONDS
        while self.states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{arn} does not end"
            time.sleep(0.02)
        return arn

    def last_state(self, arn: str) -> str:
        events = self.states.get_execution_history(executionArn=arn, reverseOrder=True)["events"]
        return next(e["stateEnteredEventDetails"]["name"] for e in events if e["type"].endswith("StateEntered"))

    def error(self, arn: str) -> str | None:
        return self.states.describe_execution(executionArn=arn).get("error")

    def item(self) -> dict[str, str]:
        item = self.table.get_item(TableName=TABLE, Key=self.key(), ConsistentRead=True).get("Item", {})
        return {name: text for name, value in item.items() for text in value.values()}

    def put(self, **attributes: str) -> dict[str, str]:
        item = {"jobId": self.job_id(), **attributes}
        self.table.put_item(TableName=TABLE, Item={name: {"S": value} for name, value in item.items()})
        return item

    def forget(self) -> None:
        self.table.delete_item(TableName=TABLE, Key=self.key())

    def key(self) -> dict[str, Any]:
        return {"jobId": {"S": self.job_id()}}

    @staticmethod
    def job_id() -> str:
        return MANIFEST.value["jobId"]


@pytest.fixture(scope="module")
def locking(definition: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    tasks = [name for name, state in all_states(definition).items() if state["Type"] == "Task"]
    instance = Instance.start(tmp_path_factory.mktemp("locking"), Options(enforce_iam=False))
    try:
        mocks = mock_file(MACHINE, CASES, tasks, real=LOCK_TASKS)
        configure(instance, {"stepfunctions._sfn_mock_config": mocks})
        states, table = instance.client("stepfunctions"), instance.client("dynamodb")
        table.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Jobs(instance, create(states, MACHINE, definition), states, table)
    finally:
        instance.stop()


@pytest.fixture
def jobs(locking: Jobs) -> Jobs:
    locking.forget()
    return locking


@pytest.fixture
def execution_that(jobs: Jobs) -> Iterator[Callable[[str], str]]:
    """Starts an execution that `waits` for an hour, or one that has `ended`."""
    started: list[str] = []

    def start(does: str) -> str:
        first = {"Type": "Wait", "Seconds": 3600, "End": True} if does == "waits" else {"Type": "Succeed"}
        machine = create(jobs.states, f"that-{does}", {"StartAt": "First", "States": {"First": first}})
        started.append(jobs.states.start_execution(stateMachineArn=machine)["executionArn"])
        return started[-1] if does == "waits" else jobs.ended(started[-1])

    yield start
    for arn in started:
        jobs.states.stop_execution(executionArn=arn)


def create(states: Any, name: str, definition: dict[str, Any]) -> str:
    return states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]


def test_a_finished_job_is_free_and_remembers_its_upload_and_its_execution(jobs: Jobs) -> None:
    arn = jobs.run("Well")
    item = jobs.item()
    assert item.pop("updatedAt")[:2] == "20"
    assert item == {
        "jobId": jobs.job_id(),
        "execution": arn,
        "upload": UPLOAD,
        "finishedUpload": UPLOAD,
        "status": "FINISHED",
        "expiresAt": EXPIRES_AT,
    }


def test_a_finished_upload_is_not_done_again(jobs: Jobs) -> None:
    jobs.run("Well")
    before = jobs.item()
    assert jobs.last_state(jobs.run("Well")) == "AlreadyFinished"
    assert jobs.item() == before


def test_a_newer_upload_of_a_finished_job_is_a_new_run(jobs: Jobs) -> None:
    jobs.run("Well")
    assert jobs.last_state(jobs.run("NewerUpload")) == "Notify"
    assert jobs.item()["finishedUpload"] == "upload-3"


def test_a_job_that_runs_again_does_not_expire(jobs: Jobs) -> None:
    jobs.run("Well")
    jobs.run("LosesSight")
    item = jobs.item()
    assert item["status"] == "RUNNING"
    assert "expiresAt" not in item


def test_of_many_executions_of_one_upload_one_acts(jobs: Jobs) -> None:
    ends = [jobs.last_state(jobs.ended(arn)) for arn in [jobs.start("Well") for _ in range(8)]]
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
    arn = jobs.run("Well")
    assert (jobs.last_state(arn), jobs.error(arn)) == (last, error)
    assert jobs.item() == item


@pytest.mark.parametrize("fate", ["ended", "never started"])
def test_the_lock_of_an_owner_that_no_longer_runs_is_taken_over(
    fate: str, jobs: Jobs, execution_that: Callable[[str], str]
) -> None:
    owner = execution_that("ended") if fate == "ended" else NEVER_STARTED
    jobs.put(owner=owner, execution=owner, upload="upload-1", status="RUNNING")
    arn = jobs.run("Well")
    assert jobs.last_state(arn) == "Notify"
    assert jobs.item()["execution"] == arn


def test_a_failed_job_is_free_and_its_upload_can_be_done_again(jobs: Jobs) -> None:
    failed = jobs.run("Failing")
    assert jobs.error(failed) == "LawBroken"
    item = jobs.item()
    assert item["status"] == "FAILED"
    assert item["execution"] == failed
    assert item["expiresAt"] == EXPIRES_AT
    assert not item.keys() & {"owner", "finishedUpload"}
    assert jobs.last_state(jobs.run("Well")) == "Notify"


@pytest.mark.parametrize(("case", "last"), [("Superseded", "Notify"), ("FailingSuperseded", "Failed")])
def test_an_execution_that_lost_its_lock_leaves_it_to_the_new_owner(
    case: str, last: str, jobs: Jobs, execution_that: Callable[[str], str]
) -> None:
    owner = execution_that("waits")
    item = jobs.put(owner=owner, execution=owner, upload="upload-1", status="RUNNING")
    assert jobs.last_state(jobs.run(case)) == last
    assert jobs.item() == item
