from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_sync.dates import EPOCH, read

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "utc", "seconds"),
    [
        ("2025-10-05", "2025-10-05T00:00:00Z", 1_759_622_400),
        ("2025-10-05T12:00:00Z", "2025-10-05T12:00:00Z", 1_759_665_600),
        ("2025-10-05T12:00", "2025-10-05T12:00:00Z", 1_759_665_600),
        ("2025-10-05T12:00:00", "2025-10-05T12:00:00Z", 1_759_665_600),
        ("2025-10-05T14:00:00+02:00", "2025-10-05T12:00:00Z", 1_759_665_600),
        ("2025-10-05T14:00:00+0200", "2025-10-05T12:00:00Z", 1_759_665_600),
        ("2025-10-05T14:00+02", "2025-10-05T12:00:00Z", 1_759_665_600),
        ("2025-10-05T06:30:00-05:30", "2025-10-05T12:00:00Z", 1_759_665_600),
        ("2025-10-05T23:30:00-02:00", "2025-10-06T01:30:00Z", 1_759_714_200),
        ("2025-10-05T12:00:00.123Z", "2025-10-05T12:00:00.123000Z", 1_759_665_600),
        ("2025-10-05T12:00:00,5Z", "2025-10-05T12:00:00.500000Z", 1_759_665_600),
        ("2025-10-05T12:00:00.123456789Z", "2025-10-05T12:00:00.123456Z", 1_759_665_600),
        ("2024-02-29", "2024-02-29T00:00:00Z", 1_709_164_800),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z", -1),
    ],
)
def test_iso_8601_is_read_as_utc(text: str, utc: str, seconds: int) -> None:
    assert read(text) == (utc, seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "05/10/2025",
        "5.10.2025",
        "Oct 5, 2025",
        "2025-10-5",
        "2025-10",
        "20251005",
        "1759665600",
        "2025-W40-7",
        "2025-10-05 12:00:00",
        "2025-10-05t12:00:00z",
        "2025-10-05T",
        "2025-10-05T12Z",
        "2025-10-05T12:00:00 Z",
        "2025-10-05Z",
        "2025-10-05T12:00:00.Z",
        "2025-10-05T12:00:00Z\n",
        " 2025-10-05",
        "２０２５-10-05",  # noqa: RUF001
        "2025-02-29",
        "2025-13-01",
        "2025-10-05T24:00:00Z",
        "2025-10-05T23:59:60Z",
        "2025-10-05T12:00:00+24:00",
        "2025-10-05T12:00:00+02:60",
        "0000-01-01",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_any_other_form_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: 2025-10-05, ") as refused:
        read(text)
    assert not text.strip() or text not in str(refused.value).partition("allowed")[0]


@given(MOMENTS)
def test_every_moment_keeps_its_place_in_time(moment: datetime) -> None:
    text, seconds = read(moment.isoformat())
    assert datetime.fromisoformat(text) == moment
    assert timedelta(0) <= moment - EPOCH - timedelta(seconds=seconds) < timedelta(seconds=1)


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    with suppress(ValueError):
        read(text)
