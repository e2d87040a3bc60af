from __future__ import annotations

from typing import Any

import pytest

from millrace.local.event_source_mappings import InvalidMapping, reports_failures
from millrace.local.queues.mappings import batching_of, check
from millrace.local.queues.polling import Batching


def test_a_mapping_without_settings_has_lambdas():
    assert batching_of({}) == Batching(size=10, window=0, at_once=5)
    assert not reports_failures({})


def test_a_mappings_settings_are_read():
    mapping = {
        "BatchSize": 1,
        "MaximumBatchingWindowInSeconds": 3,
        "ScalingConfig": {"MaximumConcurrency": 4},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    assert batching_of(mapping) == Batching(size=1, window=3, at_once=4)
    assert reports_failures(mapping)


@pytest.mark.parametrize(
    ("mapping", "fifo"),
    [
        ({"BatchSize": 10}, True),
        ({"BatchSize": 10}, False),
        ({"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 300}, False),
    ],
)
def test_what_lambda_takes_is_taken(mapping: dict[str, Any], fifo):
    check(mapping, fifo=fifo, visibility=60, timeout=60)


@pytest.mark.parametrize(
    ("mapping", "fifo", "timeout", "said"),
    [
        ({"BatchSize": 11}, True, 3, "between 1 and 10 for a FIFO queue"),
        ({"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1}, False, 3, "between 1 and 10000"),
        ({"BatchSize": 11}, False, 3, "must be greater than 0"),
        ({"MaximumBatchingWindowInSeconds": 1}, True, 3, "not supported for FIFO"),
        ({"MaximumBatchingWindowInSeconds": 301}, False, 3, "between 0 and 300"),
        ({"FunctionResponseTypes": ["ReportFailures"]}, False, 3, "ReportBatchItemFailures"),
        ({}, True, 61, "Queue visibility timeout: 60 seconds is less than Function timeout: 61 seconds"),
    ],
)
def test_what_lambda_refuses_is_refused(mapping: dict[str, Any], fifo, timeout, said):
    with pytest.raises(InvalidMapping, match=said):
        check(mapping, fifo=fifo, visibility=60, timeout=timeout)
