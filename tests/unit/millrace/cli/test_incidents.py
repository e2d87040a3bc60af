"""The commands about incidents, against tables that really evaluate conditions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from millrace.errors import ExitCode
from tests.fakes.operator.aws import INCIDENT_MACHINE, INCIDENTS, SYNC, FakeAws, FakeExecution
from tests.fakes.operator.commands import lines, run
from tests.fakes.operator.histories import BEGAN, a_run, counted, run_output
from tests.fakes.operator.incidents import BEFORE, IncidentStores, incident_stores


@pytest.fixture(autouse=True)
def there(aws: FakeAws) -> Iterator[IncidentStores]:
    with incident_stores() as stores:
        aws.outputs = dict(INCIDENTS)
        aws.dynamodb, aws.s3 = stores.dynamodb, stores.s3
        yield stores


def becomes(aws: FakeAws, output: dict[str, Any] | None = None, **more: Any) -> None:
    """Let each execution that is started end so."""

    def end(execution: FakeExecution) -> None:
        execution.history = a_run(output, **more)
        execution.status = "FAILED" if "error" in more else "SUCCEEDED"

    aws.stepfunctions.becomes = end


def ended(name: str, output: dict[str, Any] | None = None, **more: Any) -> FakeExecution:
    return FakeExecution(
        name,
        a_run(output, **more),
        status="FAILED" if "error" in more else "SUCCEEDED" if output else "RUNNING",
        input="{}",
        output=json.dumps(output) if output else None,
        ended=BEGAN + timedelta(seconds=9) if output else None,
        machine=INCIDENT_MACHINE,
    )


class TestSync:
    def test_a_run_is_started_and_its_name_told(self, aws: FakeAws) -> None:
        done = run("incidents", "sync")
        assert done.exit_code == ExitCode.OK, done.output
        (execution,) = aws.stepfunctions.executions
        assert (execution.machine, execution.input) == (INCIDENT_MACHINE, "{}")
        assert f"millrace watch --workflow incident_sync {execution.name}" in done.stdout

    def test_waiting_ends_with_what_was_written_and_what_is_searchable(self, aws: FakeAws) -> None:
        becomes(aws, run_output(counted(8, 2), searchable=8, removed=2))
        done = run("incidents", "sync", "--wait")
        assert done.exit_code == ExitCode.OK, done.output
        assert "SyncBatch" in done.stdout
        assert "written 8, removed 2 in 1 pass; job J1: searchable 8, gone 2" in done.stdout

    def test_incidents_that_failed_have_an_exit_code_and_say_where_the_reasons_are(self, aws: FakeAws) -> None:
        becomes(aws, run_output(counted(7, 0, 1, 1, more=True), searchable=7))
        done = run("incidents", "sync", "--wait")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "failed 1, set aside 1" in done.stdout
        assert "millrace incidents list" in done.stdout
        assert "it left some for the next run" in done.stdout

    def test_a_run_that_failed_says_why_in_words_and_that_nothing_is_lost(self, aws: FakeAws) -> None:
        cause = "StoreUnavailable: " + json.dumps({"errorMessage": "the bucket data is gone"})
        becomes(aws, sync=counted(50), error=("SyncFailed", cause))
        done = run("incidents", "sync", "--wait")
        assert done.exit_code == ExitCode.FAILED
        assert "SyncFailed: StoreUnavailable: the bucket data is gone" in done.stdout
        assert "before that: written 50" in done.stdout
        assert "nothing is lost" in done.stdout

    def test_a_script_gets_the_start_each_state_and_the_end(self, aws: FakeAws) -> None:
        becomes(aws, run_output(searchable=8))
        started, *states, end = lines(run("incidents", "sync", "--wait", "--json"))
        assert started["execution"] == aws.stepfunctions.executions[0].arn
        assert "SyncDone" in {line["state"] for line in states}
        assert (end["type"], end["status"], end["exitCode"]) == ("end", "SUCCEEDED", 0)
        assert (end["sync"]["synced"], end["ingestion"]["job"]["id"]) == (8, "J1")

    def test_the_time_limit_ends_the_waiting_and_the_run_goes_on(self, aws: FakeAws) -> None:
        done = run("incidents", "sync", "--wait", "--time-limit", "0")
        assert done.exit_code == ExitCode.FAILED
        assert "the run goes on" in done.stderr
        assert aws.stepfunctions.executions[0].status == "RUNNING"

    def test_a_deployment_without_the_workflow_says_how_to_add_it(self, aws: FakeAws) -> None:
        aws.outputs = dict(SYNC)
        for command in (("sync",), ("list",), ("retry", "--all"), ("check",)):
            done = run("incidents", *command)
            assert done.exit_code == ExitCode.USAGE, command
            assert "incident_sync is not deployed" in done.stderr
            assert "only kendra_ingestion, kb_sync" in done.stderr


class TestList:
    def test_what_waits_is_listed_with_its_reason(self, there: IncidentStores) -> None:
        there.item("INC-1", "sync", attempts=2, reason="the bucket answered 500")
        there.item("INC-2", "ingestion")
        there.item("INC-3", "person", reason="closed_at is no date")
        done = run("incidents", "list")
        assert done.exit_code == ExitCode.OK
        for said in ("1 for sync", BEFORE, "INC-1", "the bucket answered 500", "INC-2", "closed_at is no date"):
            assert said in done.stdout
        assert "millrace incidents retry" in done.stdout

    @pytest.mark.parametrize(
        ("flags", "names"),
        [
            ((), ["INC-1", "INC-2", "INC-3"]),
            (("--waiting",), ["INC-1", "INC-2"]),
            (("--set-aside",), ["INC-3"]),
            (("--waiting", "--set-aside"), ["INC-1", "INC-2", "INC-3"]),
        ],
    )
    def test_a_script_gets_all_of_the_chosen_with_their_counts(
        self, there: IncidentStores, flags: tuple[str, ...], names: list[str]
    ) -> None:
        for name, waits_for in (("INC-1", "sync"), ("INC-2", "ingestion"), ("INC-3", "person")):
            there.item(name, waits_for)
        (document,) = lines(run("incidents", "list", *flags, "--json", "--limit", 0))
        assert [each["incident"] for each in document["incidents"]] == names
        assert sum(counted["number"] for counted in document["backlog"].values()) == len(names)

    def test_more_than_the_limit_is_counted(self, there: IncidentStores) -> None:
        for number in range(3):
            there.item(f"INC-{number}", "sync")
        said = run("incidents", "list", "--limit", 2).stdout
        assert "and 1 more" in said
        assert "INC-2" not in said

    def test_where_nothing_waits_it_says_so(self) -> None:
        assert "no incident waits for person" in run("incidents", "list", "--set-aside").stdout


class TestRetry:
    def test_the_named_wait_for_a_sync_again_and_the_others_are_refused_by_name(self, there: IncidentStores) -> None:
        there.item("INC-1", "person", attempts=5, reason="why")
        there.item("INC-2", "sync")
        done = run("incidents", "retry", "INC-1", "INC-2", "INC-9")
        assert done.exit_code == ExitCode.FAILED
        assert "1 wait for a sync again" in done.stdout
        assert "INC-2 waits for sync" in done.stdout
        assert "no incident INC-9" in done.stdout
        assert there.item_of("INC-1")["waits_for"] == "sync"

    def test_all_are_those_that_are_set_aside(self, there: IncidentStores) -> None:
        there.item("INC-1", "person")
        there.item("INC-2", "person")
        there.item("INC-3", "ingestion")
        (document,) = lines(run("incidents", "retry", "--all", "--json"))
        assert document == {"retried": ["INC-1", "INC-2"], "refused": []}
        again = run("incidents", "retry", "--all")
        assert (again.exit_code, again.stdout.strip()) == (ExitCode.OK, "no incident is set aside")

    @pytest.mark.parametrize("arguments", [(), ("INC-1", "--all")])
    def test_either_names_or_all_must_be_given(self, arguments: tuple[str, ...]) -> None:
        assert run("incidents", "retry", *arguments).exit_code == ExitCode.USAGE


class TestCheck:
    def test_where_all_agree_it_says_so(self, there: IncidentStores) -> None:
        there.written("INC-1")
        done = run("incidents", "check")
        assert done.exit_code == ExitCode.OK, done.output
        assert "all is as it should be: 1 closed incidents, 1 registered, 1 documents" in done.stdout

    def test_findings_have_a_kind_each_a_meaning_and_an_exit_code(self, there: IncidentStores) -> None:
        there.incident("INC-1")
        there.objects("INC-2")
        done = run("incidents", "check")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "not-registered 1, orphaned 1" in done.stdout
        assert "no change of it ever arrived" in done.stdout
        assert "millrace incidents check --repair" in done.stdout
        assert there.item_of("INC-1") == {}, "it only looked"

    def test_repair_lets_them_wait_and_is_well_then(self, there: IncidentStores) -> None:
        there.incident("INC-1")
        done = run("incidents", "check", "--repair")
        assert done.exit_code == ExitCode.OK
        assert "1 wait for a sync now" in done.stdout
        assert there.item_of("INC-1")["waits_for"] == "sync"
        assert run("incidents", "check").exit_code == ExitCode.OK

    def test_to_rewrite_lets_what_is_written_wait_as_well(self, there: IncidentStores) -> None:
        there.written("INC-1")
        there.incident("INC-2")
        done = run("incidents", "check", "--rewrite")
        assert done.exit_code == ExitCode.OK
        assert "not-registered 1, unproven 1" in done.stdout
        assert "2 wait for a sync now" in done.stdout
        assert there.item_of("INC-1")["waits_for"] == "sync"

    def test_what_cannot_be_repaired_is_left_and_told(self, there: IncidentStores) -> None:
        there.incident("INC-1")
        there.put("notes.txt")
        done = run("incidents", "check", "--repair", "--json")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        (document,) = lines(done)
        assert (document["repaired"], document["left"]) == (1, 1)
        assert {each["kind"] for each in document["findings"]} == {"not-registered", "foreign"}


class TestRunsAndWatch:
    def test_a_row_says_what_each_run_did(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("first", run_output(counted(8), searchable=8)))
        aws.stepfunctions.add(ended("second", sync=counted(50), error=("SyncFailed", "no")))
        aws.stepfunctions.add(ended("third"))
        (document,) = lines(run("runs", "--workflow", "incident_sync", "--json"))
        found = {each["name"]: each for each in document["runs"]}
        assert found["first"]["became"] == "written 8, removed 0 in 1 pass; job J1: searchable 8, gone 0"
        assert found["second"]["became"] == "SyncFailed: written 50, removed 0 in 1 pass"
        assert (found["third"]["status"], found["third"]["became"]) == ("RUNNING", "nothing is known yet")
        assert "searchable 8" in run("runs", "--workflow", "incident_sync").stdout

    def test_before_the_first_run_it_says_how_to_start_one(self) -> None:
        assert "millrace incidents sync --wait" in run("runs", "--workflow", "incident_sync").stdout
        done = run("watch", "--workflow", "incident_sync")
        assert done.exit_code == ExitCode.FAILED
        assert "incident_sync has not run yet" in done.stderr

    def test_a_run_is_watched_by_its_name_and_the_newest_without_one(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("first", run_output(searchable=8)))
        for name in ((), ("first",)):
            assert "searchable 8" in run("watch", *name, "--workflow", "incident_sync").stdout
