"""The commands about the vector store, against tables that really evaluate conditions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from millrace.errors import ExitCode
from millrace.store.table import Collection
from tests.fakes.checked import agreeing
from tests.fakes.operator.aws import COMPACTION_MACHINE, SYNC, VECTORS, FakeAws, FakeExecution
from tests.fakes.operator.commands import lines, run
from tests.fakes.operator.histories import a_compaction, compacted_by
from tests.fakes.operator.vectors import BEFORE, FakeFunctions, VectorStores, vector_stores

LINES, WORDS = Collection.LINES, Collection.WORDS
WELL = agreeing(version=5, records=7)
HIT: dict[str, Any] = {
    "id": "r-1/00001/00002",
    "distance": 0.12345,
    "document": "TOTAL 12.30",
    "metadata": {"receipt_id": "r-1", "label:TOTAL": "VALID", "label:TAX": "INVALID", "x": 0.5},
}


@pytest.fixture(autouse=True)
def there(aws: FakeAws) -> Iterator[VectorStores]:
    with vector_stores() as stores:
        aws.outputs = dict(VECTORS)
        aws.dynamodb, aws.s3, aws.sqs = stores.dynamodb, stores.s3, stores.sqs
        aws.lambda_ = FakeFunctions()
        yield stores


@pytest.fixture
def functions(aws: FakeAws) -> FakeFunctions:
    found: FakeFunctions = aws.lambda_
    return found


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.ndjson"
    path.write_text('{"id": "r-1/00001", "text": "TOTAL 12.30"}\n{"id": "r-2/00001", "text": "of another"}\n')
    return path


def becomes(aws: FakeAws, outputs: dict[str, Any], **more: Any) -> None:
    """Let the execution that is started for a collection end so."""

    def end(execution: FakeExecution) -> None:
        asked = json.loads(execution.input or "")
        execution.history = a_compaction(outputs.get(asked["collection"]), asked=asked, **more)
        execution.status = "FAILED" if "error" in more else "SUCCEEDED"

    aws.stepfunctions.becomes = end


def test_a_deployment_without_the_workflow_says_how_to_add_it(aws: FakeAws, export: Path) -> None:
    aws.outputs = dict(SYNC)
    for command in (
        ("embed", "r-1", export),
        ("search", "lines", "total"),
        ("compact",),
        ("status",),
        ("retry", "--all"),
        ("rollback", "lines"),
        ("check",),
        ("collect",),
    ):
        done = run("store", *command)
        assert done.exit_code == ExitCode.USAGE, command
        assert "vector_store is not deployed" in done.stderr


class TestEmbed:
    def test_the_export_is_sent_and_what_it_holds_is_told(self, there: VectorStores, export: Path) -> None:
        done = run("store", "embed", "r-1", export)
        assert done.exit_code == ExitCode.OK, done.output
        assert "sent 1 records of receipt r-1" in done.stdout
        assert "1 lines are no records of that receipt" in done.stdout
        (message,) = there.sqs.receive_message(QueueUrl=VECTORS["embed_queue_url"])["Messages"]
        assert json.loads(message["Body"])["receipt_id"] == "r-1"

    def test_a_file_that_the_worker_would_take_nothing_of_is_not_sent(self, there: VectorStores, export: Path) -> None:
        done = run("store", "embed", "r-3", export)
        assert done.exit_code == ExitCode.USAGE
        assert "is a record of receipt r-3" in done.stderr
        assert "Messages" not in there.sqs.receive_message(QueueUrl=VECTORS["embed_queue_url"])

    def test_waiting_ends_with_the_version_that_has_the_vectors(
        self, there: VectorStores, export: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._work(there, monkeypatch, lines=1)
        done = run("store", "embed", "r-1", export, "--wait")
        assert done.exit_code == ExitCode.OK, done.output
        assert "embedded 1 lines, 0 words" in done.stdout
        assert "1 lines are in version 5" in done.stdout

    def test_bad_rows_are_shown_and_have_an_exit_code(
        self, there: VectorStores, export: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = {"line": 2, "id": "r-2/00001", "reason": "id is of another receipt"}
        self._work(there, monkeypatch, row, lines=1)
        done = run("store", "embed", "r-1", export, "--wait")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS, done.output
        assert "line 2 (r-2/00001): id is of another receipt" in done.stdout
        sent, embedded, end = lines(run("store", "embed", "r-1", export, "--wait", "--json"))
        assert (sent["type"], sent["records"], sent["others"]) == ("sent", 1, 1)
        assert (embedded["records"], embedded["bad"]) == ({"lines": 1, "words": 0}, [row])
        assert end == {"type": "end", "versions": {"lines": 5}, "exitCode": 3}

    def test_where_every_line_was_bad_there_is_nothing_to_wait_for(
        self, there: VectorStores, export: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._work(there, monkeypatch, {"line": 1, "id": None, "reason": "text is missing"}, lines=0)
        done = run("store", "embed", "r-1", export, "--wait")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "nothing was embedded, so there is nothing to merge" in done.stdout

    def test_the_time_limit_ends_the_waiting_and_not_the_work(self, export: Path) -> None:
        done = run("store", "embed", "r-1", export, "--wait", "--time-limit", "0")
        assert done.exit_code == ExitCode.FAILED
        assert "it stays in the queue" in done.stderr

    @staticmethod
    def _work(there: VectorStores, monkeypatch: pytest.MonkeyPatch, *bad: dict[str, Any], lines: int) -> None:
        """Let the worker, the delta writer and a compaction be done as soon as the message is sent."""
        send = there.sqs.send_message

        def work(**message: Any) -> None:
            send(**message)
            run_id = message["MessageDeduplicationId"]
            there.put(f"lines/delta/{run_id}/bad.ndjson", b"".join(json.dumps(row).encode() + b"\n" for row in bad))
            there.run("r-1", run_id, lines=lines, words=0)
            there.merged(f"lines/{run_id}", datetime.now(UTC))
            there.pointer(LINES, 5, "lines/snapshot/5-a/")

        monkeypatch.setattr(there.sqs, "send_message", work)


class TestSearch:
    def test_hits_have_their_id_distance_document_and_labels(self, functions: FakeFunctions) -> None:
        functions.answers["search"] = {"version": 5, "hits": [HIT]}
        done = run("store", "search", "words", "the total", "--limit", 3)
        assert done.exit_code == ExitCode.OK, done.output
        assert done.stdout.splitlines() == ["r-1/00001/00002 0.1235", "  TOTAL 12.30", "  TOTAL VALID, TAX INVALID"]
        assert functions.events == [("search", {"collection": "words", "text": "the total", "limit": 3, "where": {}})]
        (document,) = lines(run("store", "search", "words", "the total", "--json"))
        assert (document["version"], document["hits"]) == (5, [HIT])

    def test_records_can_be_limited_by_their_fields(self, functions: FakeFunctions) -> None:
        functions.answers["search"] = {"version": 5, "hits": []}
        done = run("store", "search", "words", "a", "--where", "label:TOTAL=VALID", "--where", "line=2")
        assert "no record of words, version 5, answers this" in done.stdout
        assert functions.events[0][1]["where"] == {"label:TOTAL": "VALID", "line": 2}
        assert run("store", "search", "words", "a", "--where", "label TOTAL").exit_code == ExitCode.USAGE

    def test_before_anything_is_published_it_says_so(self, functions: FakeFunctions) -> None:
        functions.answers["search"] = {"version": 0, "hits": []}
        assert "nothing of lines is published yet" in run("store", "search", "lines", "total").stdout

    @pytest.mark.parametrize(
        ("error", "advice"),
        [
            ("SnapshotInvalid", "millrace store rollback"),
            ("StoreUnavailable", "repeat the command"),
            ("Sandbox.Timedout", "its log is /aws/lambda/millrace-vector-search"),
        ],
    )
    def test_an_error_of_the_function_is_told_with_what_to_do(
        self, functions: FakeFunctions, error: str, advice: str
    ) -> None:
        functions.answers["search"] = (error, "it is broken")
        done = run("store", "search", "lines", "total")
        assert done.exit_code == ExitCode.FAILED
        assert f"millrace-vector-search failed ({error}: it is broken)" in done.stderr
        assert advice in done.stderr

    def test_a_collection_that_there_is_not_is_wrong_usage(self) -> None:
        assert run("store", "search", "pages", "total").exit_code == ExitCode.USAGE


class TestCompact:
    def test_both_collections_are_asked_for_unless_one_is_named(self, aws: FakeAws) -> None:
        done = run("store", "compact")
        assert done.exit_code == ExitCode.OK, done.output
        asked = [json.loads(execution.input or "") for execution in aws.stepfunctions.executions]
        assert asked == [{"collection": "lines", "wait": False}, {"collection": "words", "wait": False}]
        assert {execution.machine for execution in aws.stepfunctions.executions} == {COMPACTION_MACHINE}
        run("store", "compact", "words")
        assert json.loads(aws.stepfunctions.executions[2].input or "")["collection"] == "words"
        assert "millrace watch --workflow vector_store" in done.stdout

    def test_waiting_ends_with_the_version_of_each(self, aws: FakeAws) -> None:
        becomes(aws, {"lines": compacted_by("J1"), "words": compacted_by("J2", key="words", version=None)})
        done = run("store", "compact", "--wait")
        assert done.exit_code == ExitCode.OK, done.output
        assert "lines: ticket 1: covered by job J1" in done.stdout
        assert "version 8: nothing to merge" in done.stdout
        assert "words: ticket 1: covered by job J2" in done.stdout
        assert "version none" in done.stdout

    def test_one_that_failed_or_is_not_covered_is_a_failure_whatever_became_of_the_other(self, aws: FakeAws) -> None:
        becomes(aws, {"lines": compacted_by(), "words": {"status": "superseded", "ticket": 1}})
        assert run("store", "compact", "--wait").exit_code == ExitCode.FAILED
        becomes(aws, {}, error=("JobFailed", "3 jobs failed"))
        done = run("store", "compact", "lines", "--wait")
        assert done.exit_code == ExitCode.FAILED
        assert "nothing was published, the deltas still wait" in done.stdout

    def test_a_script_gets_each_request_each_state_and_each_end(self, aws: FakeAws) -> None:
        becomes(aws, {"lines": compacted_by("J1")})
        asked, *states, end = lines(run("store", "compact", "lines", "--wait", "--json"))
        assert (asked["type"], asked["collection"]) == ("asked", "lines")
        assert "Register" in {line["state"] for line in states}
        assert (end["became"], end["job"]["version"], end["merged"], end["exitCode"]) == ("covered", 8, None, 0)


class TestStatus:
    def test_all_that_stands_and_waits_is_shown(self, there: VectorStores) -> None:
        there.pointer(LINES, 5, "lines/snapshot/5-a/", records=1204)
        there.delta("lines/d1", pending="lines")
        there.delta("words/d2", aside="words", reason="words/changes/d2.ndjson is cut off", attempts=3)
        failure = {
            "job": {"S": "J3"},
            "at": {"S": BEFORE},
            "result": {"S": '{"Error": "SnapshotInvalid", "Cause": "no"}'},
        }
        there.flight(
            LINES, requested={"N": "4"}, completed={"N": "3"}, pendingSince={"S": BEFORE}, lastFailure={"M": failure}
        )
        there.lease(datetime.now(UTC).timestamp() + 60)
        there.sqs.send_message(QueueUrl=VECTORS["lines_queue_url"], MessageBody="{}")
        done = run("store", "status")
        assert done.exit_code == ExitCode.OK, done.output
        for said in (
            "lines: version 5, 1204 records",
            f"1 deltas wait, the oldest since {BEFORE}",
            "1 requests for a compaction",
            "compaction J3 failed at 2025-10-05T11:00:00.000Z: SnapshotInvalid: no",
            "words: nothing yet",
            "words/d2",
            "is cut off",
            "embedding, by lambda: ecs task-1 works until",
        ):
            assert said in done.stdout, said
        (document,) = lines(run("store", "status", "--json"))
        assert document["collections"]["lines"]["published"]["version"] == 5
        assert document["collections"]["lines"]["pending"] == {"number": 1, "oldest": BEFORE}
        assert document["collections"]["words"]["setAside"][0]["delta"] == "words/d2"
        assert document["consumer"]["holder"]["holder"] == "task-1"
        assert document["queues"]["lines"] == {"waiting": 1, "underWay": 0, "delayed": 0}
        assert document["queues"].keys() == {
            "lines",
            "words",
            "embed",
            "changes dead letters",
            "embed dead letters",
            "stream dead letters",
        }

    def test_a_lease_that_is_over_is_nobodys(self, there: VectorStores) -> None:
        there.lease(datetime.now(UTC).timestamp() - 1)
        assert "nobody works now" in run("store", "status").stdout
        (document,) = lines(run("store", "status", "--json"))
        assert document["consumer"] == {"kind": "lambda", "holder": None}


class TestRetry:
    def test_the_named_wait_again_and_the_others_are_refused_by_name(self, there: VectorStores) -> None:
        there.delta("lines/d1", aside="lines", reason="why", attempts=3)
        there.delta("lines/d2", pending="lines")
        done = run("store", "retry", "lines/d1", "lines/d2", "words/d9")
        assert done.exit_code == ExitCode.FAILED
        assert "1 wait again" in done.stdout
        assert "delta lines/d2 is pending" in done.stdout
        assert "no delta words/d9" in done.stdout
        assert there.item("lines/d1")["pending"] == "lines"

    def test_a_run_is_tried_again_by_its_name_in_both_collections(self, there: VectorStores) -> None:
        there.delta("lines/run-1", aside="lines")
        there.delta("words/run-1", aside="words")
        (document,) = lines(run("store", "retry", "run-1", "--json"))
        assert document == {"retried": ["lines/run-1", "words/run-1"], "refused": []}

    def test_of_a_run_that_is_set_aside_in_one_collection_the_other_is_left_alone(self, there: VectorStores) -> None:
        there.delta("lines/run-1", aside="lines")
        there.merged("words/run-1", datetime.now(UTC))
        (document,) = lines(run("store", "retry", "run-1", "--json"))
        assert document == {"retried": ["lines/run-1"], "refused": []}

    def test_all_are_those_that_are_set_aside(self, there: VectorStores) -> None:
        there.delta("lines/d1", aside="lines")
        there.delta("words/d2", aside="words")
        there.delta("words/d3", pending="words")
        (document,) = lines(run("store", "retry", "--all", "--json"))
        assert document == {"retried": ["lines/d1", "words/d2"], "refused": []}
        again = run("store", "retry", "--all")
        assert (again.exit_code, again.stdout.strip()) == (ExitCode.OK, "no delta is set aside")

    @pytest.mark.parametrize("arguments", [(), ("lines/d1", "--all"), ("pages/d1",)])
    def test_what_makes_no_sense_is_wrong_usage(self, arguments: tuple[str, ...]) -> None:
        assert run("store", "retry", *arguments).exit_code == ExitCode.USAGE

    def test_a_delta_that_is_nowhere_is_told_once_a_collection(self) -> None:
        done = run("store", "retry", "d9")
        assert done.exit_code == ExitCode.FAILED
        assert "no delta lines/d9" in done.stdout
        assert "no delta words/d9" in done.stdout


class TestRollback:
    def test_without_a_version_those_that_are_kept_are_listed(self, there: VectorStores) -> None:
        there.snapshot(LINES, 8)
        there.pointer(LINES, 9, there.snapshot(LINES, 9))
        done = run("store", "rollback", "lines")
        assert done.exit_code == ExitCode.OK, done.output
        assert "lines: version 9 is published" in done.stdout
        assert "lines/snapshot/0000000008-a/" in done.stdout
        (document,) = lines(run("store", "rollback", "lines", "--json"))
        assert [kept["version"] for kept in document["kept"]] == [9, 8]

    def test_a_kept_version_is_published_and_what_was_merged_since_waits(self, there: VectorStores) -> None:
        there.snapshot(LINES, 8)
        there.pointer(LINES, 9, "lines/snapshot/9-a/")
        there.merged("lines/d1", datetime.now(UTC))
        done = run("store", "rollback", "lines", 8)
        assert done.exit_code == ExitCode.OK, done.output
        assert "lines: version 8 is published, 80 records" in done.stdout
        assert "1 deltas merged since wait again" in done.stdout
        assert "millrace store check lines --repair" in done.stdout
        pointer = there.table.pointer(LINES)
        assert pointer is not None
        assert pointer.version == 8

    def test_a_version_that_is_not_kept_changes_nothing(self, there: VectorStores) -> None:
        there.pointer(LINES, 9, there.snapshot(LINES, 9))
        done = run("store", "rollback", "lines", 3)
        assert done.exit_code == ExitCode.FAILED
        assert "those that are kept: 9" in done.stderr

    def test_while_a_compaction_runs_nothing_is_changed(self, aws: FakeAws, there: VectorStores) -> None:
        there.snapshot(LINES, 8)
        there.pointer(LINES, 9, "lines/snapshot/9-a/")
        runs = FakeExecution("runs", [], status="RUNNING", machine=COMPACTION_MACHINE)
        there.flight(LINES, owner={"S": aws.stepfunctions.add(runs)})
        done = run("store", "rollback", "lines", 8)
        assert done.exit_code == ExitCode.ALREADY_RUNNING
        assert "millrace watch --workflow vector_store runs" in done.stderr
        runs.status = "ABORTED"
        assert run("store", "rollback", "lines", 8).exit_code == ExitCode.OK, "who has ended is in nobody's way"


class TestCheck:
    def test_where_all_agree_it_says_so(self, functions: FakeFunctions) -> None:
        functions.answers["check"] = {"collections": {"lines": WELL, "words": {**WELL, "version": 0, "records": 0}}}
        done = run("store", "check")
        assert done.exit_code == ExitCode.OK, done.output
        assert "lines: version 5, 7 records: all is as it should be" in done.stdout
        assert "words: nothing is published: all is as it should be" in done.stdout
        assert functions.events == [("check", {"collections": ["lines", "words"], "repair": False})]

    def test_what_differs_has_an_exit_code_and_examples(self, functions: FakeFunctions) -> None:
        examples = [{"id": "r-1/00001", "what": "missing"}]
        functions.answers["check"] = {
            "collections": {"lines": {**WELL, "missing": 2, "different": 1, "examples": examples}}
        }
        done = run("store", "check", "lines")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "2 missing, 1 different" in done.stdout
        assert "r-1/00001" in done.stdout
        assert "millrace store check --repair" in done.stdout
        assert functions.events[0][1]["collections"] == ["lines"]
        (document,) = lines(run("store", "check", "lines", "--json"))
        assert document["left"] == {"lines": 3}

    def test_what_is_repaired_is_well_and_says_when_it_counts(self, functions: FakeFunctions) -> None:
        repaired = {**WELL, "superfluous": 2, "withoutVector": 1, "repaired": 2, "exported": 1}
        functions.answers["check"] = {"collections": {"lines": repaired}}
        done = run("store", "check", "lines", "--repair")
        assert done.exit_code == ExitCode.OK, done.output
        assert "2 repaired, 1 exported to be embedded" in done.stdout
        assert "millrace store compact --wait" in done.stdout
        assert functions.events[0][1]["repair"] is True

    def test_a_text_without_a_vector_is_told_and_is_no_difference(self, functions: FakeFunctions) -> None:
        functions.answers["check"] = {"collections": {"lines": {**WELL, "withoutVector": 4}}}
        done = run("store", "check", "lines")
        assert done.exit_code == ExitCode.OK
        assert "4 texts without a vector" in done.stdout
        assert "millrace store check --repair" in done.stdout

    def test_an_item_that_nobody_understands_cannot_be_repaired(self, functions: FakeFunctions) -> None:
        found = {**WELL, "missing": 1, "repaired": 1, "unreadable": 2}
        functions.answers["check"] = {"collections": {"lines": found}}
        done = run("store", "check", "lines", "--repair")
        assert done.exit_code == ExitCode.FAILED_DOCUMENTS
        assert "2 items that make no sense" in done.stdout


class TestCollect:
    def test_what_was_removed_is_named(self, functions: FakeFunctions) -> None:
        gone = {"lines": ["lines/snapshot/0000000001-a/"], "words": []}
        functions.answers["collect"] = {"dryRun": True, "removed": gone}
        done = run("store", "collect", "--dry-run")
        assert done.exit_code == ExitCode.OK, done.output
        assert "lines: 1 snapshots would be removed" in done.stdout
        assert "lines/snapshot/0000000001-a/" in done.stdout
        assert functions.events == [("collect", {"dryRun": True})]
        assert lines(run("store", "collect", "--json")) == [functions.answers["collect"]]
