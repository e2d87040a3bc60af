"""What runs, watch and redrive show of compaction's executions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.errors import ExitCode
from tests.fakes.operator.aws import COMPACTION_MACHINE, SYNC, VECTORS, FakeAws, FakeExecution, served
from tests.fakes.operator.commands import lines, run
from tests.fakes.operator.histories import a_compaction, compacted_by
from tests.fakes.operator.vectors import VectorStores, vector_stores

ASKED = {"collection": "lines", "wait": False}
WORKFLOW = ("--workflow", "vector_store")
FAILED = ("JobFailed", "3 jobs for lines failed, the last of them J3: it is broken")


@pytest.fixture(autouse=True)
def there(aws: FakeAws) -> Iterator[VectorStores]:
    with vector_stores() as stores:
        aws.outputs = dict(VECTORS)
        aws.dynamodb, aws.s3, aws.sqs = stores.dynamodb, stores.s3, stores.sqs
        yield stores


def ended(name: str, output: dict[str, Any] | None = None, asked: Any = ASKED, **more: Any) -> FakeExecution:
    history = a_compaction(output, asked=asked, **more)
    return served(name, history, machine=COMPACTION_MACHINE, asked=asked, output=output, error=more.get("error"))


def aborted(name: str, asked: Any = ASKED) -> FakeExecution:
    execution = ended(name, asked=asked)
    last = {**execution.history[-1], "id": 99, "type": "ExecutionAborted", "executionAbortedEventDetails": {}}
    execution.history.append(last)
    execution.status = "ABORTED"
    return execution


class TestRuns:
    def test_a_row_says_what_became_of_each_request(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("first", compacted_by("J1", 2)))
        aws.stepfunctions.add(ended("second", {"status": "coalesced", "ticket": 2, "owner": "a:first"}))
        aws.stepfunctions.add(ended("sweep-1", asked={"flight": {"key": "words", "mode": "sweep"}}, ticket=0))
        (document,) = lines(run("runs", *WORKFLOW, "--json"))
        found = {each["name"]: each for each in document["runs"]}
        assert (found["first"]["became"], found["first"]["version"], found["first"]["job"]) == ("covered", 8, "J1")
        assert (found["second"]["became"], found["second"]["ticket"]) == ("coalesced", 2)
        assert (found["sweep-1"]["collection"], found["sweep-1"]["status"]) == ("words", "RUNNING")
        assert "covered, version 8" in run("runs", *WORKFLOW).stdout

    def test_one_that_failed_names_its_error(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("first", error=FAILED))
        (document,) = lines(run("runs", *WORKFLOW, "--json"))
        assert (document["runs"][0]["status"], document["runs"][0]["error"]) == ("FAILED", "JobFailed")
        assert "JobFailed" in run("runs", *WORKFLOW).stdout

    def test_before_the_first_it_says_how_to_begin(self) -> None:
        assert "millrace store embed RECEIPT FILE --wait" in run("runs").stdout
        assert "vector_store has not run yet" in run("watch").stderr


class TestWatch:
    def test_the_version_and_what_was_merged_are_told(self, aws: FakeAws, there: VectorStores) -> None:
        rows = {"read": 9, "applied": 7, "overtaken": 2, "bad": 0, "notes": 0}
        call = {"outcome": "published", "deltas": ["d1", "d2"], "rows": rows, "bad": [], "unreadable": []}
        there.put("runs/lines/J1.json", json.dumps({"calls": [call]}).encode())
        aws.stepfunctions.add(ended("first", compacted_by("J1", 2)))
        done = run("watch", "first")
        assert done.exit_code == ExitCode.OK, done.output
        assert "lines: ticket 1: covered by job J1" in done.stdout
        assert "version 8: 2 deltas merged, 7 rows applied" in done.stdout

    def test_rows_and_deltas_that_could_not_be_merged_have_an_exit_code_and_their_reasons(
        self, aws: FakeAws, there: VectorStores
    ) -> None:
        call = {
            "outcome": "published",
            "deltas": ["d1"],
            "rows": {"read": 9, "applied": 7, "overtaken": 0, "bad": 1, "notes": 0},
            "bad": [{"key": "lines/changes/d1.ndjson", "line": 2, "reason": "at is missing"}],
            "unreadable": [{"delta": "d2", "reason": "it is cut off", "aside": False}],
        }
        there.put("runs/lines/J1.json", json.dumps({"calls": [call]}).encode())
        aws.stepfunctions.add(ended("first", compacted_by("J1", 2)))
        done = run("watch", "first")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "lines/changes/d1.ndjson, line 2: at is missing" in done.stdout
        assert "delta lines/d2: it is cut off" in done.stdout
        assert "s3://store/runs/lines/J1.json" in done.stdout
        end = lines(run("watch", "first", "--json"))[-1]
        assert (end["exitCode"], end["merged"]["badRows"], end["merged"]["unreadable"]) == (3, 1, 1)

    def test_one_that_failed_says_why_and_the_way_back(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("first", error=FAILED))
        done = run("watch", "first")
        assert done.exit_code == ExitCode.FAILED
        assert "JobFailed: 3 jobs for lines failed" in done.stdout
        assert "millrace store rollback lines" in done.stdout

    def test_a_coalesced_one_is_well(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("second", {"status": "coalesced", "ticket": 2, "owner": "a:first"}))
        done = run("watch")
        assert done.exit_code == ExitCode.OK
        assert "ticket 2: coalesced, first serves it" in done.stdout

    def test_the_time_limit_ends_the_watching_and_says_how_to_go_on(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("first"))
        done = run("watch", "first", "--time-limit", "0")
        assert done.exit_code == ExitCode.FAILED
        assert "millrace watch --workflow vector_store first" in done.stderr


class TestRedrive:
    def test_one_that_was_cut_off_goes_on_where_it_stood(self, aws: FakeAws) -> None:
        first = aborted("first")
        aws.stepfunctions.add(first)
        done = run("redrive", "first", *WORKFLOW)
        assert done.exit_code == ExitCode.OK, done.output
        assert first.redrives == 1
        assert len(aws.stepfunctions.executions) == 1
        assert "redriven first" in done.stdout

    @pytest.mark.parametrize("asked", [ASKED, {"flight": {"key": "lines", "mode": "sweep"}}])
    def test_after_a_failure_a_new_request_stands_for_it(self, aws: FakeAws, asked: Any) -> None:
        first = ended("first", asked=asked, error=FAILED)
        aws.stepfunctions.add(first)
        done = run("redrive", "first", *WORKFLOW)
        assert done.exit_code == ExitCode.OK, done.output
        assert first.redrives == 0
        again = aws.stepfunctions.executions[1]
        assert json.loads(again.input or "") == {"collection": "lines", "wait": False}
        assert again.machine == COMPACTION_MACHINE

    def test_watched_it_ends_with_what_became_of_it(self, aws: FakeAws) -> None:
        def end(execution: FakeExecution) -> None:
            execution.history, execution.status = a_compaction(compacted_by("J2")), "SUCCEEDED"

        aws.stepfunctions.add(ended("first", error=FAILED))
        aws.stepfunctions.becomes = end
        done = run("redrive", "first", *WORKFLOW, "--watch")
        assert done.exit_code == ExitCode.OK, done.output
        assert json.loads(aws.stepfunctions.executions[1].input or "")["wait"] is True
        assert "covered by job J2" in done.stdout

    def test_one_that_runs_is_left_alone(self, aws: FakeAws) -> None:
        aws.stepfunctions.add(ended("first"))
        done = run("redrive", "first", *WORKFLOW)
        assert done.exit_code == ExitCode.ALREADY_RUNNING
        assert "first runs" in done.stderr

    @pytest.mark.parametrize(
        ("execution", "says"),
        [
            (ended("first", compacted_by()), "first has ended well"),
            (
                ended("first", asked={"collection": "pages"}, ticket=0, error=("InputInvalid", "no")),
                "for no collection",
            ),
        ],
    )
    def test_where_nothing_is_left_to_take_up_it_says_so(
        self, aws: FakeAws, execution: FakeExecution, says: str
    ) -> None:
        aws.stepfunctions.add(execution)
        done = run("redrive", "first", *WORKFLOW)
        assert done.exit_code == ExitCode.OK
        assert says in done.stdout
        assert len(aws.stepfunctions.executions) == 1

    def test_a_workflow_whose_requests_are_served_anyway_says_what_to_type_instead(self, aws: FakeAws) -> None:
        aws.outputs = dict(SYNC)
        done = run("redrive", "first", "--workflow", "kb_sync")
        assert done.exit_code == ExitCode.USAGE
        assert "millrace sync SOURCE --wait" in done.stderr
