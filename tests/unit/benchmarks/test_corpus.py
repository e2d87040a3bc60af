from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import corpus
from millrace import submission


def test_the_sink_is_called_twice_for_ten_documents_at_its_rate() -> None:
    calls = 2 * 500 / corpus.REQUESTS_PER_SECOND
    assert corpus.sink_seconds(5_000) == pytest.approx(calls - 2 + corpus.INDEXING_SECONDS)


def test_calls_that_the_sink_had_saved_up_take_no_time() -> None:
    assert corpus.sink_seconds(10) == corpus.INDEXING_SECONDS


def test_a_document_named_like_metadata_is_no_metadata(tmp_path: Path) -> None:
    for name, document_id in (("a.json", "a"), ("x.metadata.json", "x")):
        (tmp_path / name).write_text("{}")
        (tmp_path / f"{name}.metadata.json").write_text(json.dumps({"DocumentId": document_id}))
    assert sorted(corpus.document_ids(submission.survey(tmp_path))) == ["a", "x"]


def test_report_and_index_are_compared_document_by_document() -> None:
    statuses = {"good": "INDEXED", "bad": "FAILED", "silently lost": "NOT_FOUND", "failed and there": "INDEXED"}
    assert corpus.differences(statuses, {"bad", "failed and there"}, statuses) == 2
    assert corpus.differences(["never heard of"], [], statuses) == 1
