from __future__ import annotations

from datetime import UTC, datetime

import pytest

from millrace.local.schedules.expressions import InvalidExpression, parsed


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def after(
    expression: str, moment: str, *, zone: str = "UTC", made: str = "2026-01-01", start: str | None = None
) -> str:
    found = parsed(expression, zone).after(at(moment), made=at(made), start=at(start) if start else None)
    return datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%d %H:%M:%S") if found is not None else "never"


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2026-01-01 00:00:00", "2026-01-01 00:05:00"),
        ("2026-01-01 00:04:59", "2026-01-01 00:05:00"),
        ("2026-01-01 00:05:00", "2026-01-01 00:10:00"),
        ("2026-01-01 07:03:20", "2026-01-01 07:05:00"),
    ],
)
def test_a_rate_is_counted_from_when_it_was_made(moment, due):
    assert after("rate(5 minutes)", moment) == due


def test_a_rate_with_a_start_date_begins_there():
    assert after("rate(1 hour)", "2026-01-01", start="2026-01-03 10:30:00") == "2026-01-03 10:30:00"
    assert after("rate(1 hour)", "2026-01-03 10:30:00", start="2026-01-03 10:30:00") == "2026-01-03 11:30:00"
    assert after("rate(2 days)", "2026-01-04", start="2025-12-31 01:00:00") == "2026-01-04 01:00:00"


@pytest.mark.parametrize(
    ("expression", "zone", "due"),
    [
        ("cron(30 8 * * ? *)", "UTC", "2026-06-01 08:30:00"),
        ("cron(30 8 * * ? *)", "Europe/Berlin", "2026-06-01 06:30:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-06-01 00:15:00"),
        ("cron(0 0 ? * MON-FRI *)", "Asia/Tokyo", "2026-06-01 15:00:00"),
        ("cron(0 12 L * ? 2027)", "UTC", "2027-01-31 12:00:00"),
        ("cron(0 12 * * ? 2025)", "UTC", "never"),
    ],
)
def test_a_cron_is_due_in_its_time_zone(expression, zone, due):
    assert after(expression, "2026-06-01 00:00:00", zone=zone) == due


def test_a_cron_can_be_due_at_its_start_date():
    assert after("cron(0 8 * * ? *)", "2026-01-01", start="2026-03-01 08:00:00") == "2026-03-01 08:00:00"


def test_a_moment_is_due_once():
    assert after("at(2026-02-01T10:00:30)", "2026-01-01", zone="America/New_York") == "2026-02-01 15:00:30"
    assert after("at(2026-02-01T10:00:30)", "2026-02-01 10:00:30") == "never"


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)",
        "rate(5 seconds)",
        "rate(5minutes)",
        "cron(* * * * * *)",
        "cron(61 * * * ? *)",
        "at(2026-02-30T10:00:00)",
        "at(now)",
        "",
        "daily",
    ],
)
def test_what_is_no_expression_is_refused(expression):
    with pytest.raises(InvalidExpression):
        parsed(expression, "UTC")


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(InvalidExpression, match="Mars/Olympus"):
        parsed("rate(1 hour)", "Mars/Olympus")
