from __future__ import annotations

from typing import Any

import pytest

from millrace.local.metrics.expressions import Series
from millrace.local.metrics.judging import judged


def state(values: Series, missing: str = "missing", **settings: Any) -> str | None:
    alarm = {
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
        "EvaluationPeriods": len(values),
        "TreatMissingData": missing,
        **settings,
    }
    return judged(alarm, values).state


def test_all_periods_must_be_bad_unless_fewer_are_enough() -> None:
    assert state((1, 2, 0)) == "OK"
    assert state((1, 2, 1)) == "ALARM"
    assert state((0, 2, 0), DatapointsToAlarm=1) == "ALARM"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("notBreaching", "OK"), ("breaching", "ALARM"), ("missing", "INSUFFICIENT_DATA"), ("ignore", None)],
)
def test_where_nothing_is_known_it_is_as_the_alarm_says(missing: str, expected: str | None) -> None:
    assert state((None, None), missing) == expected


def test_missing_values_count_as_the_alarm_says() -> None:
    assert state((5, None), "breaching") == "ALARM"
    assert state((5, None), "notBreaching") == "OK"


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("GreaterThanThreshold", "OK"),
        ("GreaterThanOrEqualToThreshold", "ALARM"),
        ("LessThanThreshold", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM"),
    ],
)
def test_the_threshold_itself(comparison: str, expected: str) -> None:
    assert state((1,), ComparisonOperator=comparison) == expected


def test_the_reason_names_what_was_bad() -> None:
    alarm = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 1.0, "EvaluationPeriods": 3}
    said = judged({**alarm, "DatapointsToAlarm": 1}, (0.0, 7.0, None)).reason
    assert said.startswith(
        "Threshold Crossed: 1 out of the last 3 datapoints [7.0] was greater than the threshold (1.0)"
    )
