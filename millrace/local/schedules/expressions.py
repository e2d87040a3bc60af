"""When a schedule is due: `rate(5 minutes)`, `cron(0 8 * * ? *)`, `at(2026-01-31T08:00:00)`, in its time zone.

* InvalidExpression   it is none of these
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from millrace.local.anchors import hold

RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)s?\)")
AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


class InvalidExpression(ValueError):
    pass


class Expression(Protocol):
    """Moments are seconds since the epoch."""

    def after(self, moment: float, *, made: float, start: float | None) -> float | None:
        """The first moment after this one at which it is due; None when there is none any more.

        `made` is when the schedule was made or changed, `start` its start date.
        """


@dataclass(frozen=True)
class Rate:
    """Counted from the start date, which is its first moment, or from when it was made, which is not."""

    seconds: int

    def after(self, moment: float, *, made: float, start: float | None) -> float | None:
        first = made + self.seconds if start is None else start
        return first if moment < first else first + self.seconds * ((moment - first) // self.seconds + 1)


@dataclass(frozen=True)
class At:
    """Once; a start date means nothing to it (API reference, CreateSchedule)."""

    moment: float

    def after(self, moment: float, *, made: float, start: float | None) -> float | None:
        return self.moment if self.moment > moment else None


@dataclass(frozen=True)
class Cron:
    """`fields` are MiniStack's."""

    fields: Any
    zone: tzinfo

    def after(self, moment: float, *, made: float, start: float | None) -> float | None:
        """A time that a change of the clocks leaves out is due when the clocks have gone on."""
        from ministack.services import eventbridge

        next_fire = hold(eventbridge, "_cron_next_fire", "replace(second=0, microsecond=0) + timedelta(minutes=1)")
        since = moment if start is None else max(moment, start - 1)
        local = datetime.fromtimestamp(since, self.zone).replace(tzinfo=None)
        found = next_fire(self.fields, local)
        return found.replace(tzinfo=self.zone).timestamp() if found else None


def parsed(expression: str, zone: str) -> Expression:
    """Raises InvalidExpression."""
    from ministack.services import eventbridge

    try:
        known = ZoneInfo(zone) if zone != "UTC" else UTC
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidExpression(f"Invalid Schedule Expression Timezone {zone}.") from None
    if rate := RATE.fullmatch(expression):
        return Rate(int(rate[1]) * SECONDS[rate[2]])
    if at := AT.fullmatch(expression):
        try:
            return At(datetime.fromisoformat(at[1]).replace(tzinfo=known).timestamp())
        except ValueError:
            raise InvalidExpression(f"Invalid Schedule Expression {expression}.") from None
    fields = hold(eventbridge, "_parse_cron_fields", "Parse AWS cron(Min Hr DoM Mon DoW Year)")(expression)
    if fields is not None and in_range(fields):
        return Cron(fields, known)
    raise InvalidExpression(f"Invalid Schedule Expression {expression}.")


def in_range(fields: Any) -> bool:
    """Whether minutes, hours and months of a cron expression exist, which MiniStack does not ask."""
    minutes, hours, _, months, *_ = fields
    return minutes <= set(range(60)) and hours <= set(range(24)) and months <= set(range(1, 13))
