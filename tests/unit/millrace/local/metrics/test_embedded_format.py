from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.local.metrics.embedded_format import Measured, measured


def line(dimensions: list[list[str]], **values: Any) -> str:
    metrics = [{"Name": name, "Unit": "Count"} for name in values]
    directive = {"Namespace": "IncidentKBSync", "Dimensions": dimensions, "Metrics": metrics}
    told = {"Timestamp": 1_795_352_400_500, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": told, "service": "incident_sync", "run": 7, **values})


def of(name: str, value: float, **dimensions: str) -> Measured:
    return Measured("IncidentKBSync", name, dimensions, value, "Count", 1_795_352_400.5)


def test_each_value_of_each_metric_is_one() -> None:
    found = measured(line([["service"]], SyncErrors=[2, 0], IncidentsSynced=5))
    assert found == [
        of("SyncErrors", 2, service="incident_sync"),
        of("SyncErrors", 0, service="incident_sync"),
        of("IncidentsSynced", 5, service="incident_sync"),
    ]


def test_each_set_of_dimensions_is_another_metric() -> None:
    assert measured(line([["service"], ["service", "run"]], A=1)) == [
        of("A", 1, service="incident_sync"),
        of("A", 1, service="incident_sync", run="7"),
    ]


def test_a_metric_may_have_no_dimensions() -> None:
    assert measured(line([], A=1)) == [of("A", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "START RequestId: 1",
        '{"level": "INFO", "message": "_aws"}',
        '{"_aws": ',
        '{"_aws": {"Timestamp": 1}}',
        '{"_aws": 5}',
        '["_aws"]',
        line([["missing"]], A=1),
        line([["service"]], A="text"),
    ],
)
def test_what_is_not_in_the_format_has_no_metrics(text: str) -> None:
    assert measured(text) == []
