"""MiniStack's points, read by exact dimensions and written by one hand at a time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.metrics.embedded_format import Measured
from millrace.local.metrics.expressions import Series
from millrace.local.metrics.queries import Points, Row


class Store:
    """All in the account and region of the running scope."""

    def __init__(self) -> None:
        from ministack.services import cloudwatch

        self._cloudwatch: Any = cloudwatch
        self._writing = threading.RLock()

    def install(self) -> None:
        service = self._cloudwatch
        hold(service, "_dims_key", "sorted(dims.items())")
        hold(service, "_calc_stats", '"SampleCount": count')
        hold(service, "_stat_value", "_is_percentile_stat(stat_name)")
        for name, anchor in (
            ("_evict_old_metrics", "_metrics[key] = [p for p in pts"),
            ("record_metric", "_metric_bucket((namespace, metric_name, _dims_key(dims))).append("),
            ("_store_datum", "bucket = _metric_bucket("),
        ):
            patch(service, name, self._alone, anchor)

    def _alone(self, original: Callable[..., None]) -> Callable[..., None]:
        """Functions and executions write in threads, while requests make the lists anew."""

        @functools.wraps(original)
        def write(*told: Any, **more: Any) -> None:
            with self._writing:
                original(*told, **more)

        return write

    def record(self, namespace: str, name: str, value: float, unit: str, dimensions: Mapping[str, str]) -> None:
        self._cloudwatch.record_metric(namespace, name, value, unit, dict(dimensions))

    def keep(self, one: Measured) -> None:
        self._cloudwatch._store_datum(
            one.namespace, one.name, dict(one.dimensions), one.at, one.unit, one.value, None, None, None
        )

    def series(self, stat: Mapping[str, Any], row: Row) -> Series:
        """The values of a MetricStat."""
        metric = stat["Metric"]
        dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or []}
        key = (metric["Namespace"], metric["MetricName"], self._cloudwatch._dims_key(dimensions))
        with self._writing:
            points: Points = list(self._cloudwatch._metrics.get(key) or [])
        return row.series(points, lambda found: self._value(found, stat["Stat"]))

    def _value(self, points: Points, statistic: str) -> float | None:
        value = self._cloudwatch._stat_value(self._cloudwatch._calc_stats(points), statistic, points)
        return None if value is None else float(value)
