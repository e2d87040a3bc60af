"""Retry, stop and redrive, against small services that behave."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from millrace.errors import ExitCode
from tests.fakes.operator.aws import QUEUES, FakeAws, FakeExecution
from tests.fakes.operator.commands import finished, lines, run
from tests.fakes.operator.histories import BEGAN, MANIFEST, HistoryWriter, a_whole_job

pytestmark = pytest.mark.usefixtures("aws")

RUN = "1f2e3d4c5b6a7988"
PLACE = ("ingestion", "handbook/_control/manifest.json")
MARK = ("reports", f"_work/handbook-1/{RUN}/stop-one.json")


def keep_summary(aws: FakeAws, job_id: str = "handbook-1", **fields: Any) -> None:
    summary = {
        "jobId": job_id,
        "run": RUN,
        "prefix": "handbook",
        "counts": {"planned": 9, "indexed": 4, "failed": 5},
        "retryable": 2,
        "permanent": {"MissingMetadata": 2, "Refused": 1},
        **fields,
    }
    aws.s3.keep("reports", f"_reports/{job_id}/summary.json", summary)


def keep_job(aws: FakeAws, execution: FakeExecution, status: str, job_id: str = "handbook-1") -> None:
    arn = aws.stepfunctions.add(execution)
    owner = {"owner": arn} if status == "RUNNING" else {}
    aws.dynamodb.jobs[job_id] = {"execution": arn, "status": status, "run": RUN, **owner}


def ended(status: str, *states: str, output: dict[str, Any] | None = None) -> FakeExecution:
    """An execution that ended with this status in the last of these states."""
    writer = HistoryWriter()
    writer.start()
    writer.task("LoadManifest", output={"manifest": {"jobId": "handbook-1", "run": RUN}})
    for state in states:
        writer.enter(state)
    if status == "SUCCEEDED":
        writer.succeed(output)
    elif status != "RUNNING":
        writer.add(f"Execution{status.title().replace('_', '')}", {"error": "Broken", "cause": "because"})
    text = json.dumps(output) if output else None
    return FakeExecution("one", writer.events, status=status, input=json.dumps(MANIFEST), output=text)


def manifest(aws: FakeAws) -> dict[str, Any]:
    return json.loads(aws.s3.objects[PLACE])


class TestRetry:
    @pytest.fixture
    def origin(self, aws: FakeAws) -> FakeAws:
        """A finished job with five failed documents, two of which may succeed."""
        keep_summary(aws)
        aws.s3.keep("reports", "_archive/handbook-1/manifest.json", {"jobId": "handbook-1", "deletes": ["emp-8"]})
        keep_job(aws, finished("one"), "FINISHED")
        return aws

    def test_the_manifest_of_the_retry_names_its_origin(self, origin: FakeAws) -> None:
        done = run("retry", "handbook-1")
        assert done.exit_code == ExitCode.OK, done.output
        assert manifest(origin) == {
            "jobId": "handbook-1-retry-1",
            "prefix": "handbook",
            "retryOf": "handbook-1",
            "deletes": ["emp-8"],
        }

    @pytest.mark.usefixtures("origin")
    def test_it_says_what_is_tried_again_and_what_never_can_by_code(self) -> None:
        said = run("retry", "handbook-1").stdout
        assert "failed documents of job handbook-1: 5; tried again: 2" in said
        assert "can never succeed as they are: 3 (MissingMetadata 2, Refused 1)" in said
        assert "millrace watch handbook-1-retry-1" in said

    @pytest.mark.usefixtures("origin")
    def test_a_script_gets_the_numbers(self) -> None:
        (document,) = lines(run("retry", "handbook-1", "--json"))
        assert document == {
            "type": "retry",
            "jobId": "handbook-1-retry-1",
            "retryOf": "handbook-1",
            "manifest": "s3://ingestion/handbook/_control/manifest.json",
            "failed": 5,
            "retryable": 2,
            "permanent": {"MissingMetadata": 2, "Refused": 1},
        }

    def test_a_number_is_free_where_no_job_and_no_report_has_it(self, origin: FakeAws) -> None:
        origin.dynamodb.jobs["handbook-1-retry-1"] = {"status": "FAILED"}
        keep_summary(origin, "handbook-1-retry-2")
        run("retry", "handbook-1")
        assert manifest(origin)["jobId"] == "handbook-1-retry-3"

    def test_another_name_can_be_given_but_not_the_origins(self, origin: FakeAws) -> None:
        assert run("retry", "handbook-1", "--job-id", "handbook-1").exit_code == ExitCode.USAGE
        assert run("retry", "handbook-1", "--job-id", "no/name").exit_code == ExitCode.USAGE
        assert origin.s3.writes == []
        assert run("retry", "handbook-1", "--job-id", "again").exit_code == ExitCode.OK
        assert manifest(origin)["jobId"] == "again"

    def test_a_job_without_failures_is_well_and_nothing_is_uploaded(self, origin: FakeAws) -> None:
        keep_summary(origin, counts={"planned": 4, "indexed": 4, "failed": 0}, retryable=0, permanent={})
        done = run("retry", "handbook-1")
        assert done.exit_code == ExitCode.OK
        assert "no document of job handbook-1 failed" in done.stdout
        assert origin.s3.writes == []
        (document,) = lines(run("retry", "handbook-1", "--json"))
        assert (document["jobId"], document["failed"]) == (None, 0)

    def test_failures_that_never_succeed_as_they_are_may_have_been_mended(self, origin: FakeAws) -> None:
        keep_summary(origin, retryable=0, permanent={"Refused": 5})
        said = run("retry", "handbook-1").stdout
        assert manifest(origin)["retryOf"] == "handbook-1"
        assert "only what was uploaded anew since that job began is tried again" in said

    def test_an_unknown_job_is_not_found(self, aws: FakeAws) -> None:
        done = run("retry", "nobody")
        assert done.exit_code == ExitCode.FAILED
        assert "job nobody has no report" in done.stderr
        assert aws.s3.writes == []

    def test_a_job_that_runs_again_is_left_alone(self, origin: FakeAws) -> None:
        keep_job(origin, FakeExecution("two", [], status="RUNNING"), "RUNNING")
        assert run("retry", "handbook-1").exit_code == ExitCode.ALREADY_RUNNING
        assert origin.s3.writes == []

    @pytest.mark.parametrize("there", [{"jobId": "another"}, {"jobId": "handbook-1"}, {}])
    def test_a_manifest_that_is_still_to_be_done_is_not_replaced(self, origin: FakeAws, there: dict[str, str]) -> None:
        origin.s3.keep(*PLACE, there)
        done = run("retry", "handbook-1")
        assert done.exit_code == ExitCode.FAILED
        assert "would replace it" in done.stderr
        assert origin.s3.writes == []

    @pytest.mark.parametrize("status", ["STOPPED", "FAILED"])
    def test_the_manifest_that_the_origin_left_makes_room(self, origin: FakeAws, status: str) -> None:
        origin.s3.keep(*PLACE, {"jobId": "handbook-1"})
        origin.dynamodb.jobs["handbook-1"]["status"] = status
        assert run("retry", "handbook-1").exit_code == ExitCode.OK
        assert manifest(origin)["jobId"] == "handbook-1-retry-1"

    def test_a_stopped_jobs_manifest_is_read_from_its_work_area(self, origin: FakeAws) -> None:
        origin.s3.keep("reports", f"_work/handbook-1/{RUN}/manifest.json", {"deletes": ["emp-9"]})
        run("retry", "handbook-1")
        assert manifest(origin)["deletes"] == ["emp-9"]

    def test_watching_ends_with_what_came_of_the_failed_documents(self, origin: FakeAws) -> None:
        retried = finished("two", "handbook-1-retry-1", planned=2, indexed=1, failed=1)
        retried.started = BEGAN + timedelta(seconds=1)
        origin.stepfunctions.add(retried)
        came = {"job": "handbook-1", "failed": 5, "planned": 2, "neverSucceed": {"Refused": 3}, "gone": 0}
        summary = json.dumps({"retry": came}).encode()
        write = origin.s3.put_object

        def write_and_finish(**arguments: Any) -> dict[str, Any]:
            origin.s3.objects["reports", "_reports/handbook-1-retry-1/summary.json"] = summary
            return write(**arguments)

        origin.s3.put_object = write_and_finish  # type: ignore[method-assign]
        done = run("retry", "handbook-1", "--watch")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS, done.output
        assert "failed documents of job handbook-1: 5; 2 tried again" in done.stdout
        assert "gone" not in done.stdout


class TestStop:
    @pytest.fixture
    def running(self, aws: FakeAws) -> FakeExecution:
        execution = ended("RUNNING", "ProcessBatches")
        keep_job(aws, execution, "RUNNING")
        return execution

    @pytest.mark.usefixtures("running")
    def test_it_marks_the_execution_and_need_not_wait(self, aws: FakeAws) -> None:
        done = run("stop", "handbook-1", "--no-wait")
        assert done.exit_code == ExitCode.OK, done.output
        assert "askedAt" in json.loads(aws.s3.objects[MARK])
        (document,) = lines(run("stop", "handbook-1", "--no-wait", "--json"))
        assert document["mark"] == f"s3://reports/_work/handbook-1/{RUN}/stop-one.json"

    def test_it_waits_for_the_report_and_is_well_when_the_job_has_stopped(
        self, aws: FakeAws, running: FakeExecution
    ) -> None:
        running.history = a_whole_job(planned=9, indexed=4, failed=5, stopped=True)
        done = run("stop", "handbook-1")
        assert done.exit_code == ExitCode.OK, done.output
        assert MARK in aws.s3.objects
        assert "planned 9 = indexed 4 + failed 5" in done.stdout
        assert "millrace redrive handbook-1" in done.stdout

    def test_a_job_that_was_faster_ends_with_its_own_code(self, running: FakeExecution) -> None:
        running.history = a_whole_job(planned=9, indexed=8, failed=1)
        done = run("stop", "handbook-1")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "done before it could be stopped" in done.stdout

    def test_a_job_that_does_not_stop_in_time_is_still_running(self, running: FakeExecution) -> None:
        done = run("stop", "handbook-1", "--time-limit", "0")
        assert done.exit_code == ExitCode.FAILED
        assert "still running" in done.stderr
        assert running.status == "RUNNING"

    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "STOPPED"])
    def test_a_job_that_is_not_running_says_so_and_is_left_alone(self, aws: FakeAws, status: str) -> None:
        keep_job(aws, finished("one"), status)
        for arguments in ((), ("--now",), ("--no-wait",)):
            done = run("stop", "handbook-1", *arguments)
            assert done.exit_code == ExitCode.FAILED
            assert f"job handbook-1 is not running (its last status is {status})" in done.stderr
        assert aws.s3.writes == []

    def test_a_lock_that_nobody_alive_holds_is_no_running_job(self, aws: FakeAws) -> None:
        keep_job(aws, ended("ABORTED", "Verify"), "RUNNING")
        assert "is not running" in run("stop", "handbook-1").stderr
        aws.dynamodb.jobs["handbook-1"]["owner"] += "-unknown"
        assert "is not running" in run("stop", "handbook-1").stderr

    def test_now_aborts_without_a_mark_and_says_what_that_means(self, aws: FakeAws, running: FakeExecution) -> None:
        done = run("stop", "handbook-1", "--now")
        assert done.exit_code == ExitCode.OK
        assert running.status == "ABORTED"
        assert running.aborted_with == {"error": "Aborted", "cause": "millrace stop --now"}
        assert aws.s3.writes == []
        assert "there is no report" in done.stdout
        assert "lock is taken over" in done.stdout
        assert "queues" not in done.stdout

    @pytest.mark.usefixtures("running")
    def test_now_says_that_the_queues_go_on(self, aws: FakeAws) -> None:
        aws.outputs = dict(QUEUES)
        assert "messages that are in the queues are still worked" in run("stop", "handbook-1", "--now").stdout

    def test_an_unknown_job_is_not_found(self) -> None:
        assert "no job nobody" in run("stop", "nobody").stderr


class TestRedrive:
    def test_an_aborted_execution_goes_on_without_the_mark_of_an_earlier_stop(self, aws: FakeAws) -> None:
        execution = ended("ABORTED", "ProcessBatches")
        keep_job(aws, execution, "RUNNING")
        aws.s3.keep(*MARK, {})
        done = run("redrive", "handbook-1")
        assert done.exit_code == ExitCode.OK, done.output
        assert (execution.status, execution.redrives) == ("RUNNING", 1)
        assert MARK not in aws.s3.objects
        assert "redriven one" in done.stdout

    def test_a_failure_that_the_machine_handled_starts_anew_with_the_same_manifest(self, aws: FakeAws) -> None:
        keep_job(aws, ended("FAILED", "Failed"), "FAILED")
        aws.s3.keep(*PLACE, {"jobId": "handbook-1"})
        done = run("redrive", "handbook-1", "--json")
        assert done.exit_code == ExitCode.OK, done.output
        (document,) = lines(done)
        assert document["way"] == "started"
        first, second = aws.stepfunctions.executions
        assert (first.redrives, json.loads(second.input or "")) == (0, MANIFEST)

    def test_a_stopped_job_starts_anew(self, aws: FakeAws) -> None:
        keep_job(aws, finished("one", stopped=True), "STOPPED")
        aws.s3.keep(*PLACE, {"jobId": "handbook-1"})
        assert "started started-1" in run("redrive", "handbook-1").stdout

    @pytest.mark.parametrize(
        ("there", "said"),
        [(None, "no longer at s3://ingestion/handbook/"), ({"jobId": "another"}, "holds the manifest of job another")],
    )
    def test_nothing_starts_where_its_manifest_is_not_in_its_place(
        self, aws: FakeAws, there: dict[str, str] | None, said: str
    ) -> None:
        keep_job(aws, ended("FAILED", "Failed"), "FAILED")
        if there is not None:
            aws.s3.keep(*PLACE, there)
        done = run("redrive", "handbook-1")
        assert done.exit_code == ExitCode.FAILED
        assert said in done.stderr
        assert "millrace submit FOLDER" in done.stderr
        assert len(aws.stepfunctions.executions) == 1

    def test_a_notification_that_failed_is_sent_again(self, aws: FakeAws) -> None:
        execution = ended("FAILED", "Notify")
        keep_job(aws, execution, "FINISHED")
        assert run("redrive", "handbook-1").exit_code == ExitCode.OK
        assert execution.redrives == 1

    def test_a_finished_job_has_nothing_left_and_names_the_retry(self, aws: FakeAws) -> None:
        keep_job(aws, finished("one"), "FINISHED")
        done = run("redrive", "handbook-1")
        assert done.exit_code == ExitCode.OK
        assert "nothing is left" in done.stdout
        assert "millrace retry handbook-1" in done.stdout
        assert len(aws.stepfunctions.executions) == 1

    def test_a_running_job_is_already_running(self, aws: FakeAws) -> None:
        keep_job(aws, ended("RUNNING", "Verify"), "RUNNING")
        done = run("redrive", "handbook-1")
        assert done.exit_code == ExitCode.ALREADY_RUNNING
        assert "millrace watch handbook-1" in done.stderr

    def test_watching_a_redrive_does_not_end_at_the_end_that_it_undoes(self, aws: FakeAws) -> None:
        execution = ended("ABORTED", "Verify")
        keep_job(aws, execution, "RUNNING")
        look = aws.stepfunctions.get_execution_history

        def look_and_go_on(**arguments: Any) -> dict[str, Any]:
            answer = look(**arguments)
            if execution.redrives and execution.history[-1]["type"] == "ExecutionAborted":
                writer = HistoryWriter()
                writer.events = execution.history
                writer.add("ExecutionRedriven", {})
                writer.leave("Verify")
                writer.succeed({"report": {"counts": {"planned": 2, "indexed": 2}, "stopped": False}})
            return answer

        aws.stepfunctions.get_execution_history = look_and_go_on  # type: ignore[method-assign]
        done = run("redrive", "handbook-1", "--watch")
        assert done.exit_code == ExitCode.OK, done.output
        assert "planned 2 = indexed 2" in done.stdout

    def test_an_unknown_job_is_not_found(self) -> None:
        assert "no job nobody" in run("redrive", "nobody").stderr
