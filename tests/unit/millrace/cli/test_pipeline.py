"""The commands about jobs, against small services that behave."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from millrace.errors import ExitCode
from tests.fakes.operator.aws import BEDROCK, QUEUES, FakeAws, FakeExecution, FakeS3
from tests.fakes.operator.commands import finished, lines, run
from tests.fakes.operator.histories import BEGAN, HistoryWriter, a_whole_job

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    (folder / "a.json.metadata.json").write_text("{}")
    return folder


class TestSubmit:
    def test_the_manifest_is_written_last(self, aws: FakeAws, folder: Path) -> None:
        done = run("submit", folder, "--job-id", "handbook-1")
        assert done.exit_code == ExitCode.OK, done.output
        assert aws.s3.writes[-1] == "handbook/_control/manifest.json"
        assert len(aws.s3.writes) == 3
        assert "millrace watch handbook-1" in done.stdout

    def test_it_says_which_deployment_it_talks_to(self, folder: Path) -> None:
        done = run("submit", folder)
        assert "the embedded AWS at http://127.0.0.1:1 (from a test)" in done.stderr

    def test_a_script_gets_one_document(self, folder: Path) -> None:
        (folder / "lonely.json").write_text("{}")
        (document,) = lines(run("submit", folder, "--job-id", "handbook-1", "--json"))
        assert document["jobId"] == "handbook-1"
        assert document["manifest"] == "s3://ingestion/handbook/_control/manifest.json"
        assert (document["pairs"], document["withoutMetadata"]) == (1, ["lonely.json"])

    def test_strict_refuses_a_folder_with_a_flaw_and_uploads_nothing(self, aws: FakeAws, folder: Path) -> None:
        (folder / "lonely.json").write_text("{}")
        done = run("submit", folder, "--strict")
        assert done.exit_code == ExitCode.USAGE
        assert "lonely.json" in done.stdout
        assert aws.s3.writes == []

    def test_an_empty_folder_is_wrong_usage(self, tmp_path: Path) -> None:
        done = run("submit", tmp_path)
        assert done.exit_code == ExitCode.USAGE
        assert "nothing to submit" in done.stderr

    def test_a_manifest_beside_the_folder_can_be_named(self, aws: FakeAws, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "deletes.json").write_text('{"jobId": "d-1", "prefix": "p", "deletes": ["gone"]}')
        assert run("submit", folder, "--manifest", tmp_path / "deletes.json").exit_code == ExitCode.OK
        written = json.loads(aws.s3.objects["ingestion", "p/_control/manifest.json"])
        assert written == {"jobId": "d-1", "prefix": "p", "deletes": ["gone"]}

    @pytest.mark.parametrize("mode", ["full", "changed"])
    def test_the_mode_goes_into_the_manifest(self, aws: FakeAws, folder: Path, mode: str) -> None:
        (folder / "manifest.json").write_text('{"mode": "full", "deletes": ["gone"]}')
        assert run("submit", folder, "--job-id", "handbook-1", "--mode", mode).exit_code == ExitCode.OK
        written = json.loads(aws.s3.objects["ingestion", "handbook/_control/manifest.json"])
        assert (written["mode"], written["deletes"]) == (mode, ["gone"])

    def test_without_a_mode_the_folders_manifest_has_its_say(self, aws: FakeAws, folder: Path) -> None:
        (folder / "manifest.json").write_text('{"mode": "changed"}')
        run("submit", folder)
        assert json.loads(aws.s3.objects["ingestion", "handbook/_control/manifest.json"])["mode"] == "changed"

    def test_an_unknown_mode_is_wrong_usage(self, aws: FakeAws, folder: Path) -> None:
        assert run("submit", folder, "--mode", "some").exit_code == ExitCode.USAGE
        assert aws.s3.writes == []

    def test_a_job_that_is_running_is_refused_before_anything_is_uploaded(self, aws: FakeAws, folder: Path) -> None:
        owner = aws.stepfunctions.add(FakeExecution("one", [], status="RUNNING"))
        aws.dynamodb.jobs["handbook-1"] = {"owner": owner, "execution": owner}
        done = run("submit", folder, "--job-id", "handbook-1")
        assert done.exit_code == ExitCode.ALREADY_RUNNING
        assert aws.s3.writes == []

    def test_a_job_that_begins_during_the_upload_is_refused_before_the_manifest(
        self, aws: FakeAws, folder: Path
    ) -> None:
        owner = aws.stepfunctions.add(FakeExecution("one", [], status="RUNNING"))

        class StartsAJob(FakeS3):
            def put_object(self, **arguments: Any) -> dict[str, Any]:
                aws.dynamodb.jobs["handbook-1"] = {"owner": owner}
                return super().put_object(**arguments)

        aws.s3 = StartsAJob()
        done = run("submit", folder, "--job-id", "handbook-1")
        assert done.exit_code == ExitCode.ALREADY_RUNNING
        assert not any("_control" in key for key in aws.s3.writes)

    def test_a_lock_whose_owner_has_ended_is_no_hindrance(self, aws: FakeAws, folder: Path) -> None:
        owner = aws.stepfunctions.add(FakeExecution("one", [], status="ABORTED"))
        aws.dynamodb.jobs["handbook-1"] = {"owner": owner}
        aws.dynamodb.jobs["handbook-2"] = {"owner": f"{owner}-unknown"}
        for job_id in ("handbook-1", "handbook-2"):
            assert run("submit", folder, "--job-id", job_id).exit_code == ExitCode.OK

    def test_a_file_that_does_not_arrive_leaves_no_manifest(self, aws: FakeAws, folder: Path) -> None:
        aws.s3.refuse_keys = {"handbook/batches/a.json"}
        done = run("submit", folder)
        assert done.exit_code == ExitCode.FAILED
        assert "no job began" in done.stderr
        assert not any("_control" in key for key in aws.s3.writes)

    def test_watching_ends_with_the_jobs_own_exit_code(self, aws: FakeAws, folder: Path) -> None:
        aws.stepfunctions.add(finished(planned=3, indexed=2, failed=1))
        done = run("submit", folder, "--job-id", "handbook-1", "--watch")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "planned 3 = indexed 2 + failed 1" in done.stdout


class TestWatch:
    def test_the_newest_execution_is_watched_when_no_job_is_named(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(finished(planned=12, indexed=12))
        done = run("watch")
        assert done.exit_code == ExitCode.OK, done.output
        assert "ProcessBatches" in done.stdout
        assert "planned 12 = indexed 12" in done.stdout

    def test_a_named_job_is_found_by_its_lock(self, aws: FakeAws) -> None:
        execution = aws.stepfunctions.add(finished("one", "handbook-1", planned=1, failed=1))
        aws.stepfunctions.add(finished("another", "handbook-2", planned=1, indexed=1))
        aws.dynamodb.jobs["handbook-1"] = {"execution": execution, "status": "FINISHED"}
        done = run("watch", "handbook-1")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "millrace report handbook-1" in done.stdout

    def test_a_script_gets_a_line_for_each_change_and_the_end(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(finished(planned=12, indexed=12))
        first, *states, end = lines(run("watch", "--json"))
        assert first["type"] == "execution"
        assert {line["state"] for line in states} >= {"LoadManifest", "ProcessBatches", "AggregateFailures"}
        assert (end["type"], end["status"], end["exitCode"], end["jobId"]) == (
            "end",
            "SUCCEEDED",
            0,
            "handbook-1",
        )
        assert end["counts"]["indexed"] == 12

    def test_a_failed_execution_shows_its_error(self, aws: FakeAws) -> None:
        writer = HistoryWriter()
        writer.start()
        writer.add("ExecutionFailed", {"error": "ManifestInvalid", "cause": "manifest /jobId is missing"})
        aws.stepfunctions.add(FakeExecution("one", writer.events, status="FAILED"))
        done = run("watch")
        assert done.exit_code == ExitCode.FAILED
        assert "ManifestInvalid: manifest /jobId is missing" in done.stdout

    def test_a_stopped_job_says_so_and_how_to_go_on(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(finished(planned=15, indexed=4, failed=11, stopped=True))
        done = run("watch")
        assert done.exit_code == ExitCode.STOPPED
        assert "stopped after" in done.stdout
        assert "planned 15 = indexed 4 + failed 11" in done.stdout
        assert "millrace redrive handbook-1" in done.stdout

    def test_a_job_with_failed_documents_names_the_retry(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(finished(planned=1, failed=1))
        assert "millrace retry handbook-1" in run("watch").stdout

    def test_the_queues_of_a_job_are_counted_while_it_waits_for_them(self, aws: FakeAws) -> None:
        aws.outputs = dict(QUEUES)
        aws.dynamodb.counters["handbook-1/1f2e3d4c5b6a7988"] = (7, 40)
        writer = HistoryWriter()
        writer.start()
        writer.task("LoadManifest", output={"manifest": {"jobId": "handbook-1", "run": "1f2e3d4c5b6a7988"}})
        writer.enter("ProcessBatches")
        aws.stepfunctions.add(FakeExecution("one", writer.events, status="RUNNING"))
        done = run("watch", "--json", "--time-limit", "0")
        (waiting,) = [line for line in lines(done) if line.get("state") == "ProcessBatches"]
        assert waiting["requests"] == {"done": 7, "expected": 40}
        assert "secret" not in done.output

    def test_the_time_limit_ends_the_watching(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(FakeExecution("one", a_whole_job()[:6], status="RUNNING"))
        done = run("watch", "--time-limit", "0")
        assert done.exit_code == ExitCode.FAILED
        assert "still running" in done.stderr

    def test_ctrl_c_stops_the_watching_and_not_the_job(self, aws: FakeAws) -> None:
        execution = FakeExecution("one", a_whole_job()[:6], status="RUNNING")
        aws.stepfunctions.add(execution)

        def interrupt(**_: Any) -> dict[str, Any]:
            raise KeyboardInterrupt

        aws.stepfunctions.get_execution_history = interrupt  # type: ignore[method-assign,assignment]
        done = run("watch")
        assert done.exit_code == 130
        assert "the job goes on" in done.stderr
        assert execution.status == "RUNNING"

    def test_an_unknown_job_and_an_empty_machine_are_not_found(self) -> None:
        assert "no job nobody" in run("watch", "nobody").stderr
        assert "nothing has run yet" in run("watch").stderr


class TestReport:
    @pytest.fixture
    def report(self, aws: FakeAws) -> FakeAws:
        summary = {"jobId": "handbook-1", "counts": {"planned": 3, "indexed": 2, "failed": 1}}
        aws.s3.objects["reports", "_reports/handbook-1/summary.json"] = json.dumps(summary).encode()
        aws.s3.objects["reports", "_reports/handbook-1/failures.csv"] = (
            b"jobId,documentId,errorCode,errorMessage\r\nhandbook-1,[b]a[/b]\x1b[2J,Refused,no\r\n"
        )
        return aws

    @pytest.mark.usefixtures("report")
    def test_the_law_the_failures_and_the_place_are_shown(self) -> None:
        done = run("report", "handbook-1")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "planned 3 = indexed 2 + failed 1" in done.stdout
        assert "Refused" in done.stdout
        assert "s3://reports/_reports/handbook-1/failures.csv" in done.stdout

    def test_a_stopped_job_and_a_retry_say_so(self, report: FakeAws) -> None:
        retry = {"job": "handbook-0", "failed": 7, "planned": 3, "neverSucceed": {"Refused": 2}, "gone": 2}
        summary = {"counts": {"planned": 3, "indexed": 2, "failed": 1}, "stopped": True, "retry": retry}
        report.s3.keep("reports", "_reports/handbook-1/summary.json", summary)
        said = run("report", "handbook-1").stdout
        assert "stopped before all was sent; go on with it: millrace redrive handbook-1" in said
        assert (
            "failed documents of job handbook-0: 7; 3 tried again, 2 can never succeed as they are (Refused 2)" in said
        )
        assert "2 no longer in the folder" in said

    @pytest.mark.usefixtures("report")
    def test_a_documents_id_cannot_command_the_terminal(self) -> None:
        said = run("report", "handbook-1", "--failures-only").stdout
        assert "[b]a[/b] [2J" in said
        assert "planned" not in said

    @pytest.mark.usefixtures("report")
    def test_a_script_gets_the_summary_and_the_rows(self) -> None:
        (document,) = lines(run("report", "handbook-1", "--json"))
        assert document["summary"]["counts"]["failed"] == 1
        assert document["failures"] == [{"documentId": "[b]a[/b]\x1b[2J", "errorCode": "Refused", "errorMessage": "no"}]

    def test_a_job_without_a_report_is_not_found(self) -> None:
        done = run("report", "nobody")
        assert done.exit_code == ExitCode.FAILED
        assert "no report" in done.stderr


class TestRuns:
    def test_the_newest_comes_first_with_its_job(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(finished("one", "handbook-1"))
        later = finished("two", "handbook-2")
        later.started = BEGAN + timedelta(hours=1)
        later.ended = later.started + timedelta(seconds=4)
        aws.stepfunctions.add(later)
        aws.stepfunctions.add(
            FakeExecution("odd", [], status="FAILED", started=BEGAN - timedelta(hours=1), ended=BEGAN)
        )
        (document,) = lines(run("runs", "--json"))
        assert [(found["name"], found["jobId"]) for found in document["runs"]] == [
            ("two", "handbook-2"),
            ("one", "handbook-1"),
            ("odd", None),
        ]
        assert document["runs"][0]["seconds"] == 4
        assert document["runs"][0]["manifest"] == "s3://ingestion/handbook/_control/manifest.json"
        assert "handbook-2" in run("runs", "--limit", "1").stdout

    def test_a_stopped_run_is_shown_as_such(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(finished(planned=2, indexed=1, failed=1, stopped=True))
        (document,) = lines(run("runs", "--json"))
        assert [(found["status"], found["stopped"]) for found in document["runs"]] == [("SUCCEEDED", True)]
        assert "STOPPED" in run("runs").stdout

    def test_before_the_first_run_it_says_how_to_begin(self) -> None:
        assert "millrace submit" in run("runs").stdout


class TestQuery:
    def test_an_answer_has_its_title_id_and_excerpt(self, aws: FakeAws) -> None:
        aws.kendra.items = [
            {
                "DocumentId": "handbook-screens",
                "DocumentTitle": {"Text": "Raking the screens"},
                "DocumentExcerpt": {"Text": "the rake  runs\nevery twenty minutes"},
            }
        ]
        said = run("query", "how often does the rake run").stdout
        assert "Raking the screens" in said
        assert "handbook-screens" in said
        assert "the rake runs every twenty minutes" in said
        (document,) = lines(run("query", "rake", "--json"))
        assert document["answers"][0]["documentId"] == "handbook-screens"

    def test_a_knowledge_base_is_asked_where_it_is_the_sink(self, aws: FakeAws) -> None:
        aws.outputs = dict(BEDROCK)
        place = {"type": "CUSTOM", "customDocumentLocation": {"id": "handbook-screens"}}
        text = "x" * 900 + " the rake runs every twenty minutes"
        aws.bedrock_agent_runtime.passages = [
            {"content": {"text": text}, "location": place, "metadata": {"_document_title": "Raking the screens"}}
        ]
        said = run("query", "how often does the rake run").stdout
        assert "Raking the screens" in said
        assert "the rake runs every twenty minutes" in said
        assert len(said) < 500

    def test_no_answer_says_so(self) -> None:
        assert "no document answers" in run("query", "anything").stdout
