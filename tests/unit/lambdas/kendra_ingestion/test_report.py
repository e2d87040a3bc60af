from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion import report
from kendra_ingestion.outcomes import FINAL, Outcome, failed

COUNTS = {
    "planned": 15,
    "indexed": 10,
    "updated": 1,
    "deleted": 1,
    "unchanged": 0,
    "failed": 3,
    "unverified": 0,
}
NOTHING = dict.fromkeys(("planned", *FINAL), 0)

texts = st.text(st.characters(exclude_categories=["Cs"]))
nasty = st.tuples(st.sampled_from([*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20'\"", ",", ""]), texts).map("".join)


def cells(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8"), newline="")))


def test_the_header_is_the_contracts() -> None:
    assert report.header() == b"jobId,documentId,errorCode,errorMessage\r\n"


def test_a_row_is_what_rfc_4180_writes() -> None:
    row = failed("emp-1", "Refused", 'says "no", twice\nand more')
    assert report.rows("job-1", [row]) == b'job-1,emp-1,Refused,"says ""no"", twice\nand more"\r\n'


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20"])
def test_no_cell_begins_as_a_formula(first: str) -> None:
    (row,) = cells(report.rows("job", [failed(f"{first}1+1", f"{first}X", f"{first}cmd")]))
    assert row == ["job", f"'{first}1+1", f"'{first}X", f"'{first}cmd"]


@given(st.lists(st.tuples(nasty, nasty, nasty), max_size=5))
def test_every_row_can_be_read_back_and_none_begins_as_a_formula(rows: list[tuple[str, str, str]]) -> None:
    written = report.rows("job", [Outcome(first, "failed", code, message) for first, code, message in rows])
    read = cells(written)
    assert [tuple(cell.removeprefix("'") for cell in row[1:]) for row in read] == rows
    assert not any(cell[:1] in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20") for row in read for cell in row if cell)


def test_the_summary_holds_counts_times_and_places() -> None:
    body = report.summary(
        job_id="job-1",
        run="run-1",
        attempt="execution-1",
        prefix="team/day",
        started_at="2025-10-05T12:00:00Z",
        finished_at="2025-10-05T12:01:00Z",
        counts=COUNTS,
        codes={"Refused": 1, "MissingMetadata": 2, "NotProcessed": 4},
        stopped=False,
        retry={"job": "job-0"},
        report="s3://r/failures.csv",
    )
    fields = json.loads(body)
    assert fields["counts"] == COUNTS
    assert list(fields["failuresByCode"]) == ["NotProcessed", "MissingMetadata", "Refused"]
    assert fields["retryable"] == 4
    assert fields["permanent"] == {"MissingMetadata": 2, "Refused": 1}
    assert fields["retry"] == {"job": "job-0"}
    assert fields["note"] == "15 planned: 10 indexed, 1 updated, 1 deleted, 3 failed"


def test_an_empty_job_says_so() -> None:
    assert "nothing to do" in report.headline(NOTHING)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "3 of 15 documents failed"),
        ({"failed": 0, "unverified": 3}, "3 of 15 documents unverified"),
        ({"failed": 0}, "all 15 documents done"),
    ],
)
def test_the_subject_tells_the_worst(change: dict[str, int], says: str) -> None:
    assert says in report.subject("job-1", COUNTS | change)


@given(st.text(max_size=300))
def test_a_subject_is_one_that_sns_takes(job_id: str) -> None:
    subject = report.subject(job_id, COUNTS)
    assert len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()


def test_a_stopped_job_says_how_far_it_came_and_how_to_go_on() -> None:
    assert report.subject("job-1", COUNTS, stopped=True) == "Millrace: stopped after 12 of 15 documents, job job-1"
    assert "redrive" in report.message("job-1", COUNTS, {}, stopped=True, report="f", summary="s")
    assert report.headline(NOTHING, stopped=True) == "stopped before anything was planned"


def test_the_message_says_why_and_where() -> None:
    message = report.message(
        "job-1",
        COUNTS | {"unverified": 1},
        {"Refused": 1, "MissingMetadata": 2},
        stopped=False,
        report="s3://r/f",
        summary="s3://r/s",
    )
    assert message.index("MissingMetadata: 2") < message.index("Refused: 1")
    assert "s3://r/f" in message
    assert "s3://r/s" in message
    assert "had not answered when the deadline passed" in message


def test_a_message_with_many_reasons_stays_short() -> None:
    codes = {f"Code{number}": 1 for number in range(1000)}
    message = report.message("job-1", COUNTS, codes, stopped=False, report="f", summary="s")
    assert "and 980 more reasons in the summary" in message
    assert len(message) < 2_000
