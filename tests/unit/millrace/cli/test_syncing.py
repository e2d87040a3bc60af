"""The commands about kb_sync, against small services that behave."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.errors import ExitCode
from tests.fakes.operator.aws import SOURCE, SYNC, SYNC_MACHINE, SYNC_ONLY, FakeAws, FakeExecution, served
from tests.fakes.operator.commands import finished, lines, run
from tests.fakes.operator.histories import a_sync, covered_by

KEY = "KB12345678/DS12345678"
ASKED = {"knowledgeBaseId": "KB12345678", "dataSourceId": "DS12345678"}
REFUSED_JOB = json.dumps({"Status": "FAILED", "FailureReasons": ["the bucket is gone"]})


@pytest.fixture(autouse=True)
def deployed(aws: FakeAws) -> None:
    aws.outputs = dict(SYNC)


def becomes(aws: FakeAws, output: dict[str, Any] | None = None, **more: Any) -> None:
    """Let each execution that is started end so."""

    def end(execution: FakeExecution) -> None:
        execution.history = a_sync(output, **more)
        execution.status = "FAILED" if "error" in more else "SUCCEEDED"

    aws.stepfunctions.becomes = end


def ended(name: str, output: dict[str, Any] | None = None, asked: Any = ASKED, **more: Any) -> FakeExecution:
    history = a_sync(output, asked=asked, **more)
    return served(name, history, machine=SYNC_MACHINE, asked=asked, output=output, error=more.get("error"))


class TestSync:
    def test_the_only_source_needs_no_name_and_the_request_is_one_execution(self, aws: FakeAws) -> None:
        done = run("sync")
        assert done.exit_code == ExitCode.OK, done.output
        (execution,) = aws.stepfunctions.executions
        assert json.loads(execution.input or "") == {**ASKED, "wait": False}
        assert execution.machine == SYNC_MACHINE
        assert execution.arn in done.stdout
        assert f"millrace watch --workflow kb_sync {execution.name}" in done.stdout

    def test_each_request_has_a_name_of_its_own_which_the_sweeper_and_a_handover_never_have(self, aws: FakeAws) -> None:
        run("sync")
        run("sync", "images")
        names = [execution.name for execution in aws.stepfunctions.executions]
        assert len(set(names)) == 2
        assert all(name.startswith("asked-") and len(name) <= 80 for name in names)

    def test_a_source_can_be_named_by_its_key(self, aws: FakeAws) -> None:
        assert run("sync", KEY).exit_code == ExitCode.OK
        assert len(aws.stepfunctions.executions) == 1

    def test_an_unknown_source_is_wrong_usage_and_those_that_exist_are_named(self, aws: FakeAws) -> None:
        aws.outputs["sync_sources"] = {"images": SOURCE, "handbook": {**SOURCE, "data_source_id": "DS87654321"}}
        for arguments in (("sync", "pictures"), ("sync",)):
            done = run(*arguments)
            assert done.exit_code == ExitCode.USAGE
            assert "handbook, images" in done.stderr
        assert aws.stepfunctions.executions == []

    def test_waiting_ends_with_the_covering_job_and_its_documents(self, aws: FakeAws) -> None:
        becomes(aws, covered_by("J1", 4, ticket=3), ticket=3)
        done = run("sync", "images", "--wait")
        assert done.exit_code == ExitCode.OK, done.output
        assert json.loads(aws.stepfunctions.executions[0].input or "")["wait"] is True
        assert "Register" in done.stdout
        assert "ticket 3: covered by job J1, which covers up to ticket 4" in done.stdout
        assert "scanned 5, new 5, modified 0, deleted 0, failed 0" in done.stdout

    def test_documents_that_failed_are_counted_with_their_reasons(self, aws: FakeAws) -> None:
        becomes(aws, covered_by("J1", 1, failed=2, reasons=("heron.jpg is too large",)))
        done = run("sync", "--wait")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "failed 2" in done.stdout
        assert "heron.jpg is too large" in done.stdout

    def test_jobs_that_failed_are_told_in_words_with_what_to_do(self, aws: FakeAws) -> None:
        cause = f"3 jobs for {KEY} failed, the last of them J3: {REFUSED_JOB} The requests stay registered."
        becomes(aws, error=("JobFailed", cause))
        done = run("sync", "--wait")
        assert done.exit_code == ExitCode.FAILED
        assert "JobFailed: 3 jobs" in done.stdout
        assert "FAILED (the bucket is gone)" in done.stdout
        assert "{" not in done.stdout
        assert "mend what the reasons name" in done.stdout
        assert "millrace sync images --wait" in done.stdout

    def test_a_wait_that_ends_without_coverage_is_a_failure(self, aws: FakeAws) -> None:
        becomes(aws, {"status": "nothing pending", "ticket": 1})
        done = run("sync", "--wait")
        assert done.exit_code == ExitCode.FAILED
        assert "ticket 1: nothing pending" in done.stdout

    def test_a_script_gets_the_request_each_state_and_the_end(self, aws: FakeAws) -> None:
        becomes(aws, covered_by("J1", 4, ticket=3), ticket=3)
        asked, *states, end = lines(run("sync", "--wait", "--json"))
        assert (asked["type"], asked["source"], asked["dataSourceId"]) == ("asked", "images", "DS12345678")
        assert asked["execution"] == aws.stepfunctions.executions[0].arn
        assert "Register" in {line["state"] for line in states}
        assert (end["type"], end["ticket"], end["became"], end["exitCode"]) == ("end", 3, "covered", 0)
        assert (end["job"]["id"], end["job"]["covers"], end["job"]["statistics"]["new"]) == ("J1", 4, 5)

    def test_ctrl_c_leaves_the_request_in_place_and_says_so(self, aws: FakeAws) -> None:
        def interrupt(**_: Any) -> dict[str, Any]:
            raise KeyboardInterrupt

        aws.stepfunctions.get_execution_history = interrupt  # type: ignore[method-assign,assignment]
        done = run("sync", "--wait")
        assert done.exit_code == 130
        assert "the request stays in place" in done.stderr
        assert aws.stepfunctions.executions[0].status == "RUNNING"

    def test_the_time_limit_ends_the_waiting_and_leaves_the_request_in_place(self, aws: FakeAws) -> None:
        done = run("sync", "--wait", "--time-limit", "0")
        assert done.exit_code == ExitCode.FAILED
        assert "still running" in done.stderr
        assert "the request stays in place" in done.stderr
        assert aws.stepfunctions.executions[0].status == "RUNNING"

    def test_a_deployment_without_kb_sync_says_so_and_how_to_add_it(self, aws: FakeAws) -> None:
        aws.outputs = {}
        for command in ("sync", "sources"):
            done = run(command)
            assert done.exit_code == ExitCode.USAGE
            assert "kb_sync is not deployed" in done.stderr
            assert "only kendra_ingestion" in done.stderr
            assert "workflows" in done.stderr


class TestRunsAndWatch:
    def test_the_executions_of_each_workflow_are_listed_apart(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(finished("a-job"))
        aws.stepfunctions.add(ended("first", covered_by("J1", 2, ticket=1)))
        aws.stepfunctions.add(ended("pipe", {"status": "coalesced", "ticket": 2, "owner": "first"}, asked=[ASKED] * 3))
        (document,) = lines(run("runs", "--workflow", "kb_sync", "--json"))
        found = {each["name"]: each for each in document["runs"]}
        assert found.keys() == {"first", "pipe"}
        assert (found["first"]["ticket"], found["first"]["became"], found["first"]["job"]) == (1, "covered", "J1")
        assert (found["pipe"]["ticket"], found["pipe"]["source"], found["pipe"]["seconds"]) == (2, "images", 9)
        shown = run("runs", "--workflow", "kb_sync").stdout
        assert "covered by J1" in shown
        assert [each["name"] for each in lines(run("runs", "--json"))[0]["runs"]] == ["a-job"]

    def test_a_running_one_shows_its_ticket(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("runs-still", ticket=6))
        (document,) = lines(run("runs", "--workflow", "kb_sync", "--json"))
        (found,) = document["runs"]
        assert (found["status"], found["ticket"], found["became"]) == ("RUNNING", 6, None)

    def test_where_kb_sync_alone_is_deployed_no_workflow_need_be_named(self, aws: FakeAws) -> None:
        aws.outputs = dict(SYNC_ONLY)
        assert "millrace sync" in run("runs").stdout
        assert "kb_sync has not run yet" in run("watch").stderr
        aws.stepfunctions.add(ended("first", covered_by("J1", 2)))
        assert "first" in run("runs").stdout
        assert "covered by job J1" in run("watch").stdout

    def test_the_commands_of_jobs_then_say_that_theirs_is_not_deployed(self, aws: FakeAws) -> None:
        aws.outputs = dict(SYNC_ONLY)
        for arguments in (
            ("report", "j"),
            ("retry", "j"),
            ("stop", "j"),
            ("redrive", "j"),
            ("runs", "--workflow", "kendra_ingestion"),
        ):
            done = run(*arguments)
            assert done.exit_code == ExitCode.USAGE, arguments
            assert "kendra_ingestion is not deployed" in done.stderr

    def test_an_execution_is_watched_by_its_name_or_its_arn(self, aws: FakeAws) -> None:
        first = ended("first", covered_by("J1", 2, failed=1))
        aws.stepfunctions.add(first)
        for name in ("first", first.arn):
            done = run("watch", name, "--workflow", "kb_sync")
            assert done.exit_code == ExitCode.FAILED_DOCUMENTS
            assert "ticket 1: covered by job J1" in done.stdout

    def test_a_coalesced_one_is_well(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("second", {"status": "coalesced", "ticket": 2, "owner": "a:first"}))
        done = run("watch", "--workflow", "kb_sync")
        assert done.exit_code == ExitCode.OK
        assert "ticket 2: coalesced, first serves it" in done.stdout

    def test_one_that_was_aborted_says_that_its_request_is_kept(self, aws: FakeAws) -> None:
        execution = ended("first", ticket=2)
        execution.history.append(
            {**execution.history[-1], "id": 99, "type": "ExecutionAborted", "executionAbortedEventDetails": {}}
        )
        aws.stepfunctions.add(execution)
        done = run("watch", "--workflow", "kb_sync")
        assert done.exit_code == ExitCode.FAILED
        assert "ABORTED" in done.stdout
        assert "the request stays registered" in done.stdout

    def test_an_execution_nobody_knows_is_not_found(self) -> None:
        assert "there is no execution" in run("watch", "never", "--workflow", "kb_sync").stderr


class TestSources:
    def test_requests_pending_and_the_failed_job_are_shown(self, aws: FakeAws) -> None:
        failure = {"job": {"S": "J3"}, "at": {"S": "2025-10-05T12:00:00Z"}, "result": {"S": REFUSED_JOB}}
        aws.dynamodb.syncs[KEY] = {
            "requested": {"N": "7"},
            "completed": {"N": "4"},
            "pendingSince": {"S": "2025-10-05T11:58:00Z"},
            "last": {"M": {"job": {"S": "J1"}}},
            "lastFailure": {"M": failure},
        }
        said = run("sources").stdout
        assert "s3://data/images/" in said
        assert "2025-10-05T11:58:00Z" in said
        assert "job J3 failed at 2025-10-05T12:00:00Z: FAILED (the bucket is gone)" in said
        (document,) = lines(run("sources", "--json"))
        (found,) = document["sources"]
        assert (found["requested"], found["completed"], found["pending"], found["lastJob"]) == (7, 4, 3, "J1")

    def test_a_failure_that_a_later_job_has_made_good_is_not_told(self, aws: FakeAws) -> None:
        failure = {"job": {"S": "J3"}, "at": {"S": "x"}, "result": {"S": "not found"}}
        aws.dynamodb.syncs[KEY] = {
            "requested": {"N": "7"},
            "completed": {"N": "7"},
            "pendingSince": {"S": "2025-10-05T11:58:00Z"},
            "lastFailure": {"M": failure},
        }
        said = run("sources").stdout
        assert "J3" not in said
        assert "11:58" not in said

    def test_a_running_job_and_a_source_without_requests_are_shown(self, aws: FakeAws) -> None:
        assert "last -" in run("sources").stdout
        aws.dynamodb.syncs[KEY] = {
            "requested": {"N": "2"},
            "completed": {"N": "0"},
            "owner": {"S": "arn"},
            "job": {"S": "J1"},
            "covers": {"N": "2"},
        }
        assert "J1 runs, covers up to 2" in run("sources").stdout


class TestQuery:
    def test_the_knowledge_base_of_a_source_can_be_asked(self, aws: FakeAws) -> None:
        place = {"type": "S3", "s3Location": {"uri": "s3://data/images/heron.txt"}}
        aws.bedrock_agent_runtime.passages = [{"content": {"text": "Bartholomew"}, "location": place}]
        assert "Bartholomew" in run("query", "the heron's name", "--source", "images").stdout
        assert "no document answers" in run("query", "the heron's name").stdout
        aws.outputs = dict(SYNC_ONLY)
        assert "Bartholomew" in run("query", "the heron's name").stdout

    def test_its_answers_can_be_limited_by_their_metadata(self, aws: FakeAws) -> None:
        run("query", "why", "--source", "images", "--where", "service=intake", "--where", "priority=P1")
        (sent,) = aws.bedrock_agent_runtime.filters
        assert sent == {
            "andAll": [
                {"equals": {"key": "service", "value": "intake"}},
                {"equals": {"key": "priority", "value": "P1"}},
            ]
        }
        assert run("query", "why", "--source", "images", "--where", "intake").exit_code == ExitCode.USAGE

    def test_an_unknown_source_is_wrong_usage(self) -> None:
        assert run("query", "anything", "--source", "pictures").exit_code == ExitCode.USAGE
