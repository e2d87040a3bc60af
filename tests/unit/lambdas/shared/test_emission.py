from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools.metrics import MetricUnit

from shared.emission import emit


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_values_of_one_name_are_one_metric_of_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    values = [("Jobs", MetricUnit.Count, 1.0), ("Age", MetricUnit.Seconds, 2.5), ("Jobs", MetricUnit.Count, 3.0)]
    emit(values, namespace="Space", service="sync")
    (record,) = written(capsys)
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Space"
    assert directive["Dimensions"] == [["service"]]
    assert (record["service"], record["Jobs"], record["Age"]) == ("sync", [1.0, 3.0], [2.5])


def test_dimensions_stand_beside_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    emit([("Jobs", MetricUnit.Count, 1.0)], namespace="Space", service="sync", key="KB/DS")
    (record,) = written(capsys)
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    assert {"service", "key"} in [set(names) for names in directive["Dimensions"]]
    assert record["key"] == "KB/DS"
