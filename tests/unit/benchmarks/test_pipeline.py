from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from benchmarks.pipeline import Pipeline, lawful

NOTHING = {"indexed": 0, "updated": 0, "deleted": 0, "unchanged": 0, "failed": 0, "unverified": 0}


def test_each_document_has_one_outcome() -> None:
    assert lawful({"planned": 5, **NOTHING, "indexed": 3, "failed": 2}, 5)


def test_a_document_without_an_outcome_breaks_the_law() -> None:
    assert not lawful({"planned": 5, **NOTHING, "indexed": 4}, 5)


def test_a_document_that_was_not_planned_breaks_the_law() -> None:
    assert not lawful({"planned": 4, **NOTHING, "indexed": 4}, 5)


def test_calls_to_the_index_are_those_of_the_pipeline_and_not_of_whoever_looks_on() -> None:
    calls = [
        {"principal": "millrace-process-batch", "action": "kendra:BatchPutDocument", "count": 3},
        {"principal": "millrace-process-batch", "action": "kendra:DescribeIndex", "count": 1},
        {"principal": "millrace-process-batch", "action": "s3:PutObject", "count": 7},
        {"principal": "root", "action": "kendra:BatchGetDocumentStatus", "count": 500},
    ]
    instance = cast(Any, SimpleNamespace(calls=lambda: calls))
    assert Pipeline(instance, cast(Any, None)).sink_calls() == 4
