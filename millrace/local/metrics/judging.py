"""The state of an alarm, out of the values of its last periods: pure (CloudWatch user guide, "Evaluating an alarm" and
"Configuring how CloudWatch alarms treat missing data").
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.local.metrics.expressions import Series

OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Judgement:
    """`state` is None where the alarm stays in the one it has."""

    state: str | None
    reason: str


def judged(alarm: Mapping[str, Any], values: Series) -> Judgement:
    """`values` are those of the alarm's last EvaluationPeriods, the newest at the end."""
    breaches, words = COMPARISONS[alarm["ComparisonOperator"]]
    threshold = float(alarm["Threshold"])
    missing = alarm.get("TreatMissingData") or "missing"
    enough = int(alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"])
    present = [value for value in values if value is not None]
    if not present and missing in ("missing", "ignore"):
        if missing == "ignore":
            return Judgement(None, "")
        return Judgement(UNKNOWN, f"Insufficient Data: {len(values)} datapoints were unknown.")
    bad = [value for value in present if breaches(value, threshold)]
    number = len(bad) + (len(values) - len(present) if missing == "breaching" else 0)
    state = ALARM if number >= enough else OK
    was = "was" if number == 1 else "were"
    shown = ", ".join(str(value) for value in bad) or "none"
    said = "were" if state == OK and not number else was
    return Judgement(
        state,
        f"Threshold Crossed: {number} out of the last {len(values)} datapoints [{shown}] {said} {words} the threshold "
        f"({threshold}) (minimum {enough} for ALARM).",
    )
