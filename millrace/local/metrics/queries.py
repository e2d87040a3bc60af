"""From points to series: the values of the queries of GetMetricData, and of an alarm, over a row of periods.

* InvalidQuery   a request's queries do not fit together
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millrace.local.metrics.expressions import Expression, InvalidExpression, Series, parsed

Query = Mapping[str, Any]
"""A MetricDataQuery: an `Id` with a `MetricStat` or an `Expression`."""
Points = list[dict[str, Any]]
"""Of one metric, with its exact dimensions, as MiniStack keeps them; each has a `Timestamp`."""
DEFAULT_PERIOD = 60


class InvalidQuery(ValueError):
    pass


@dataclass(frozen=True)
class Row:
    """So many periods of so many seconds, the first from `start` on."""

    start: float
    period: int
    number: int

    @classmethod
    def ending(cls, end: float, period: int, number: int) -> Row:
        """The last periods before a moment, and that moment."""
        return cls(end - period * number, period, number)

    @classmethod
    def between(cls, start: float, end: float, period: int) -> Row:
        """The periods that begin at multiples of their length and have a part between two moments."""
        first = start // period * period
        return cls(first, period, max(0, -int(-(end - first) // period)))

    @property
    def starts(self) -> list[float]:
        return [self.start + self.period * at for at in range(self.number)]

    def series(self, points: Points, value_of: Callable[[Points], float | None]) -> Series:
        """`value_of` makes one value of the points of a period."""
        periods: list[Points] = [[] for _ in range(self.number)]
        for point in points:
            at = int((point["Timestamp"] - self.start) // self.period)
            if at == self.number and point["Timestamp"] == self.start + self.period * self.number:
                at -= 1  # the last moment is in the last period
            if 0 <= at < self.number:
                periods[at].append(point)
        return tuple(value_of(each) if each else None for each in periods)


def check(queries: Sequence[Query]) -> None:
    """Raise InvalidQuery, InvalidExpression for queries that cannot be evaluated together."""
    ids = [query["Id"] for query in queries]
    if len(set(ids)) < len(ids):
        raise InvalidQuery("Two of the queries have the same id")
    expressions = {query["Id"]: parsed(query["Expression"]) for query in queries if query.get("Expression")}
    for name, expression in expressions.items():
        unknown = sorted((expression.ids or set()) - set(ids))
        if unknown:
            raise InvalidExpression(f"{name}: there is no query {', '.join(unknown)}")
    if len({period_of(query) for query in queries if query.get("MetricStat")}) > 1:
        raise InvalidQuery("the embedded AWS evaluates queries of one period together")
    _in_order(expressions)


def period_of(query: Query) -> int:
    return int(query["MetricStat"].get("Period") or DEFAULT_PERIOD)


def period_of_all(queries: Sequence[Query]) -> int:
    return next((period_of(query) for query in queries if query.get("MetricStat")), DEFAULT_PERIOD)


def evaluated(queries: Sequence[Query], series_of: Callable[[Mapping[str, Any]], Series]) -> dict[str, Series]:
    """The series of each query by its id; `series_of` gives that of a MetricStat."""
    known = {query["Id"]: series_of(query["MetricStat"]) for query in queries if query.get("MetricStat")}
    metrics = dict(known)
    expressions = {query["Id"]: parsed(query["Expression"]) for query in queries if query.get("Expression")}
    for name in _in_order(expressions):
        expression = expressions[name]
        known[name] = expression.evaluate(metrics if expression.ids is None else known)
    return known


def _in_order(expressions: Mapping[str, Expression]) -> list[str]:
    """The expressions so that each stands behind those that it reads. Raises InvalidQuery where they go in circles."""
    order: list[str] = []
    left = dict(expressions)
    while left:
        ready = [name for name, each in left.items() if not (each.ids or frozenset()) & left.keys()]
        if not ready:
            raise InvalidQuery(f"{', '.join(left)} read each other")
        order += ready
        for name in ready:
            del left[name]
    return order
