from __future__ import annotations

import math
from typing import Any

import pytest

from benchmarks.sync_burst import Measured, Upload, figures_of, lateness

JOB_SECONDS = 20.0


def job(ended: float, *seen: str, status: str = "COMPLETE") -> dict[str, Any]:
    covered = [{"key": key, "etag": f'"{etag}"'} for key, _, etag in (item.partition("@") for item in seen)]
    return {"status": status, "ended": ended, "covered": covered}


def test_an_upload_is_covered_by_the_first_complete_job_that_saw_it() -> None:
    uploads = [Upload("a", "1", 10.0), Upload("b", "1", 11.0)]
    jobs = [job(20.0, "a@1"), job(30.0, "a@1", "b@1"), job(40.0, "a@1", "b@1")]
    assert lateness(uploads, jobs) == [10.0, 19.0]


def test_a_scan_of_an_older_version_covers_nothing() -> None:
    assert lateness([Upload("a", "2", 10.0)], [job(20.0, "a@1")]) == [None]


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", "IN_PROGRESS"])
def test_a_job_that_is_not_complete_covers_nothing(status: str) -> None:
    assert lateness([Upload("a", "1", 10.0)], [job(20.0, "a@1", status=status)]) == [None]


def test_lateness_is_told_in_job_durations_and_never_hides_what_is_not_covered() -> None:
    late = [JOB_SECONDS] * 95 + [2 * JOB_SECONDS] * 5
    assert Measured(JOB_SECONDS, late, jobs=2, burst_seconds=1.0).percentile_95 == 1.0
    assert Measured(JOB_SECONDS, [*late[:94], None, *late[95:]], jobs=2, burst_seconds=1.0).percentile_95 == 2.0
    assert math.isinf(Measured(JOB_SECONDS, [*late[:90], *[None] * 10], jobs=2, burst_seconds=1.0).percentile_95)


def test_only_single_flight_has_bars() -> None:
    missed = Measured(JOB_SECONDS, [None, 1.0], jobs=3, burst_seconds=1.0, executions=51)
    held = {figure.name.rpartition(": ")[2]: figure.holds for figure in figures_of("it", 2, missed, bars=True)}
    assert [name for name, holds in held.items() if not holds] == [
        "not covered",
        "jobs",
        "upload to covered, 95%",
        "executions",
    ]
    assert all(figure.holds for figure in figures_of("it", 2, missed))


def test_a_burst_that_is_longer_than_a_job_misses_its_bar() -> None:
    figures = list(figures_of("it", 2, Measured(JOB_SECONDS, [1.0], jobs=1, burst_seconds=JOB_SECONDS + 1), bars=True))
    assert [figure.name for figure in figures if not figure.holds] == ["burst of 2, it: uploading"]
