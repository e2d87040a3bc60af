"""Metrics in a line of a log: CloudWatch's embedded metric format (CloudWatch user guide, "Specification")."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """One value of a metric; `at` is in seconds since 1970."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    value: float
    unit: str
    at: float


def measured(line: str) -> list[Measured]:
    """The values that a line of a log has; none where it is not in the format. A part that breaks it is left out."""
    if '"_aws"' not in line:
        return []
    try:
        told = json.loads(line)
        return list(_of(told, told["_aws"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _of(told: Mapping[str, Any], directive: Mapping[str, Any]) -> Iterator[Measured]:
    at = directive["Timestamp"] / 1000
    for group in directive["CloudWatchMetrics"]:
        for names in group.get("Dimensions") or [[]]:
            dimensions = {name: str(told[name]) for name in names}
            for metric in group["Metrics"]:
                found = told.get(metric["Name"])
                for value in found if isinstance(found, list) else [found]:
                    if isinstance(value, int | float) and not isinstance(value, bool):
                        unit = metric.get("Unit", "None")
                        yield Measured(group["Namespace"], metric["Name"], dimensions, float(value), unit, at)
