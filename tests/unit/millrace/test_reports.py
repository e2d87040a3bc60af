from __future__ import annotations

import json

import pytest

from millrace.errors import NotFound
from millrace.reports import Failure, Reports, counts_of
from tests.fakes.operator.aws import FakeS3


def reports(**files: str) -> Reports:
    s3 = FakeS3()
    for name, text in files.items():
        place = f"_reports/handbook-1/{name.replace('_', '.')}"
        s3.objects["reports", place] = text.encode()
    return Reports(s3, "reports")


def test_a_row_keeps_commas_quotes_and_lines() -> None:
    csv = 'jobId,documentId,errorCode,errorMessage\r\nhandbook-1,a,Refused,"said ""no"", twice\r\nand left"\r\n'
    assert list(reports(failures_csv=csv).failures("handbook-1")) == [
        Failure("a", "Refused", 'said "no", twice\r\nand left')
    ]


def test_the_apostrophe_against_formulas_is_taken_away_again() -> None:
    csv = "jobId,documentId,errorCode,errorMessage\r\nhandbook-1,'=1+1,Refused,''quoted\r\n"
    assert list(reports(failures_csv=csv).failures("handbook-1")) == [Failure("=1+1", "Refused", "'quoted")]


def test_a_job_without_a_report_says_what_it_may_be() -> None:
    with pytest.raises(NotFound, match=r"s3://reports/_reports/handbook-1/summary\.json.*still be running"):
        reports().summary("handbook-1")


def test_counts_have_every_outcome_of_the_law() -> None:
    summary = reports(summary_json=json.dumps({"counts": {"planned": 2, "indexed": 2}})).summary("handbook-1")
    counts = counts_of(summary)
    assert counts["planned"] == sum(count for name, count in counts.items() if name != "planned") == 2
    assert counts_of({}) == {}


def test_the_manifest_of_a_run_is_its_own_and_else_the_archived_one() -> None:
    s3 = FakeS3()
    found = Reports(s3, "reports")
    with pytest.raises(NotFound, match="manifest of job handbook-1 has expired"):
        found.manifest("handbook-1", "1f2e")
    s3.keep("reports", "_archive/handbook-1/manifest.json", {"jobId": "archived"})
    assert found.manifest("handbook-1", "1f2e") == {"jobId": "archived"}
    s3.keep("reports", "_work/handbook-1/1f2e/manifest.json", {"jobId": "its own"})
    assert found.manifest("handbook-1", "1f2e") == {"jobId": "its own"}
    assert found.manifest("handbook-1", "another") == {"jobId": "archived"}


def test_a_job_has_a_report_when_its_summary_is_there() -> None:
    assert reports(summary_json="{}").has("handbook-1")
    assert not reports().has("handbook-1")
