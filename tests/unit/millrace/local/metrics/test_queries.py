from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from millrace.local.metrics.expressions import InvalidExpression, Series
from millrace.local.metrics.queries import InvalidQuery, Row, check, evaluated, period_of_all


def stat(name: str, period: int = 60) -> dict[str, Any]:
    return {"Id": name, "MetricStat": {"Metric": {"MetricName": name}, "Period": period, "Stat": "Sum"}}


def of(name: str, expression: str) -> dict[str, Any]:
    return {"Id": name, "Expression": expression}


SERIES: Mapping[str, Series] = {"a": (1.0, 2.0), "b": (10.0, None)}


def values(*queries: dict[str, Any]) -> dict[str, Series]:
    check(queries)
    return evaluated(queries, lambda told: SERIES[told["Metric"]["MetricName"]])


def points(*moments: float) -> list[dict[str, Any]]:
    return [{"Timestamp": moment, "Value": 1.0} for moment in moments]


def test_points_are_in_the_period_that_they_fall_into() -> None:
    row = Row.ending(100, 10, 3)
    assert row.starts == [70, 80, 90]
    assert row.series(points(69, 70, 79.9, 95, 100, 101), lambda found: float(len(found))) == (2, None, 2)


def test_a_row_between_two_moments_begins_at_a_multiple_of_the_period() -> None:
    assert Row.between(65, 200, 60).starts == [60, 120, 180]
    assert Row.between(60, 120, 60).starts == [60]


def test_an_expression_may_read_another_whatever_their_order() -> None:
    found = values(of("twice", "sum * 2"), of("sum", "a + b"), stat("a"), stat("b"))
    assert (found["sum"], found["twice"]) == ((11.0, None), (22.0, None))


def test_metrics_are_the_metrics_and_not_the_expressions() -> None:
    assert values(stat("a"), of("one", "a + 100"), of("all", "SUM(METRICS())"))["all"] == (1.0, 2.0)


def test_the_period_is_that_of_the_metrics() -> None:
    assert period_of_all([of("x", "a"), stat("a", 300)]) == 300


def test_an_unknown_id_is_named() -> None:
    with pytest.raises(InvalidExpression, match="x: there is no query b, c"):
        check([of("x", "a + b + c"), stat("a")])


@pytest.mark.parametrize(
    ("queries", "words"),
    [
        ([of("x", "y"), of("y", "x")], "x, y read each other"),
        ([stat("a"), stat("a")], "the same id"),
        ([stat("a", 60), stat("b", 300)], "one period"),
    ],
)
def test_queries_that_do_not_fit_together_are_refused(queries: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(InvalidQuery, match=words):
        check(queries)
