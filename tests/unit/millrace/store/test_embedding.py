"""Sending an export, and waiting until its vectors are merged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.errors import NotEmbedded, StillRunning, UsageError
from millrace.executions.watching import Pace
from millrace.store.embedding import BadRow, Embedded, Embedding, Run, new_run, read_export
from millrace.store.table import Collection
from tests.fakes.operator.aws import VECTORS
from tests.fakes.operator.vectors import BUCKET, NOW, VectorStores

LINES, WORDS = Collection.LINES, Collection.WORDS
RUN = Run("r-1", "run-1", BUCKET, "exports/r-1/run-1.ndjson")
LINE = {"id": "r-1/00001", "text": "TOTAL 12.30"}


@pytest.fixture
def embedding(there: VectorStores) -> Embedding:
    return Embedding(there.s3, there.sqs, there.dynamodb, there.deployed)


def export(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "export.ndjson"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def pace(*happen: Callable[[], None]) -> Pace:
    """One look before anything happens, and one after each of these."""
    events, gone = list(happen), [0.0]

    def sleep(seconds: float) -> None:
        gone[0] += seconds
        if events:
            events.pop(0)()

    return Pace(1, len(events), clock=lambda: gone[0], sleep=sleep)


class TestReadExport:
    def test_records_of_the_receipt_are_counted_and_others_are_the_workers_to_refuse(self, tmp_path: Path) -> None:
        word = {"id": "r-1/00001/00001", "text": "TOTAL"}
        found = read_export(export(tmp_path, LINE, "", word, "{broken", {"id": "r-2/00001"}, [1]), "r-1")
        assert (found.records, found.others) == (2, 3)

    def test_an_export_of_another_receipt_is_not_sent(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"none of the 1 lines of .* is a record of receipt r-2"):
            read_export(export(tmp_path, LINE), "r-2")

    def test_an_empty_file_is_not_sent(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="none of the 0 lines"):
            read_export(export(tmp_path, ""), "r-1")

    def test_a_receipt_or_a_file_that_cannot_be_is_wrong_usage(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no id of the form"):
            read_export(export(tmp_path, LINE), "r/1")
        with pytest.raises(UsageError, match="cannot be read: No such file"):
            read_export(tmp_path / "nowhere", "r-1")
        with pytest.raises(UsageError, match="cannot be read"):
            read_export(tmp_path, "r-1")


class TestSend:
    def test_the_file_is_there_before_the_message_that_names_it(
        self, there: VectorStores, embedding: Embedding, tmp_path: Path
    ) -> None:
        path = export(tmp_path, LINE)
        run = new_run(there.deployed, "r-1", NOW)
        embedding.send(run, path)
        assert there.s3.get_object(Bucket=BUCKET, Key=run.key)["Body"].read() == path.read_bytes()
        (message,) = there.sqs.receive_message(QueueUrl=VECTORS["embed_queue_url"], AttributeNames=["All"])["Messages"]
        assert json.loads(message["Body"]) == {
            "receipt_id": "r-1",
            "run_id": run.run_id,
            "bucket": BUCKET,
            "key": f"exports/r-1/{run.run_id}.ndjson",
        }
        sent = message["Attributes"]
        assert (sent["MessageGroupId"], sent["MessageDeduplicationId"]) == ("r-1", run.run_id)

    def test_a_run_that_cannot_be_uploaded_is_not_sent(
        self, there: VectorStores, embedding: Embedding, tmp_path: Path
    ) -> None:
        with pytest.raises(there.s3.exceptions.NoSuchBucket):
            embedding.send(Run("r-1", "run-1", "nowhere", "key"), export(tmp_path, LINE))
        assert "Messages" not in there.sqs.receive_message(QueueUrl=VECTORS["embed_queue_url"])

    def test_each_run_has_a_name_of_its_own_that_the_worker_takes(self, there: VectorStores) -> None:
        runs = {new_run(there.deployed, "r-1", NOW).run_id for _ in range(20)}
        assert len(runs) == 20
        assert all(name.startswith("20251005T120000Z-") and len(name) <= 64 for name in runs)


class TestWaitUntilEmbedded:
    def test_it_ends_with_the_counts_and_the_bad_rows_of_both_collections(
        self, there: VectorStores, embedding: Embedding
    ) -> None:
        row = {"line": 4, "id": None, "reason": "the line is no JSON"}
        there.put("lines/delta/run-1/bad.ndjson", json.dumps(row).encode() + b"\n")
        there.put("words/delta/run-1/bad.ndjson", json.dumps({**row, "line": 5, "id": "r-1/00001/00002"}).encode())
        found = embedding.wait_until_embedded(RUN, pace(lambda: there.run("r-1", "run-1", lines=1, words=2)))
        assert found.records == {LINES: 1, WORDS: 2}
        assert found.bad == (
            BadRow(4, None, "the line is no JSON"),
            BadRow(5, "r-1/00001/00002", "the line is no JSON"),
        )

    def test_a_wait_that_is_over_says_that_the_run_goes_on(self, embedding: Embedding) -> None:
        with pytest.raises(StillRunning, match="run run-1 is not embedded after 0 s; it stays in the queue"):
            embedding.wait_until_embedded(RUN, pace())


class TestWaitUntilMerged:
    def test_it_ends_with_the_version_of_each_collection_that_has_vectors(
        self, there: VectorStores, embedding: Embedding
    ) -> None:
        def merge() -> None:
            there.merged("lines/run-1", NOW)
            there.pointer(LINES, 5, "lines/snapshot/5-a/")

        there.delta("lines/run-1", pending="lines")
        found = embedding.wait_until_merged(RUN, Embedded({LINES: 1, WORDS: 0}, ()), pace(merge))
        assert found == {LINES: 5}

    def test_both_collections_are_waited_for(self, there: VectorStores, embedding: Embedding) -> None:
        there.merged("lines/run-1", NOW)
        there.delta("words/run-1", pending="words")
        with pytest.raises(StillRunning, match="not merged into words"):
            embedding.wait_until_merged(RUN, Embedded({LINES: 1, WORDS: 1}, ()), pace())

    def test_a_delta_that_is_set_aside_is_not_waited_for(self, there: VectorStores, embedding: Embedding) -> None:
        there.delta("lines/run-1", aside="lines", reason="done.json is no JSON")
        with pytest.raises(NotEmbedded, match=r"done.json is no JSON.*millrace store retry lines/run-1"):
            embedding.wait_until_merged(RUN, Embedded({LINES: 1, WORDS: 0}, ()), pace())

    def test_a_run_without_vectors_has_nothing_to_wait_for(self, embedding: Embedding) -> None:
        assert embedding.wait_until_merged(RUN, Embedded({LINES: 0, WORDS: 0}, ()), pace()) == {}
