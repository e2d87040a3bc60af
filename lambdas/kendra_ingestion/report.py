"""The report that people read: failures.csv, summary.json, and the notification. Pure text in, text out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from kendra_ingestion.failures import permanent
from kendra_ingestion.outcomes import DELETED, FAILED, INDEXED, UNCHANGED, UNVERIFIED, UPDATED, Outcome

HEADER = ("jobId", "documentId", "errorCode", "errorMessage")

SUBJECT_MAX_CHARACTERS = 100
"""SNS: a subject is ASCII, begins with a letter, number or punctuation, and has at most 100 characters."""

RISKY_FIRST_CHARACTERS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20'")
"""What a spreadsheet may take for the start of a formula, in its full-width forms too; and the apostrophe itself, so
that taking away one in front always gives back the real text."""


def header() -> bytes:
    """The first line of failures.csv."""
    return _rows([HEADER])


def rows(job_id: str, failures: Iterable[Outcome]) -> bytes:
    """The lines of failures.csv for these failures, as RFC 4180 writes them, in UTF-8.

    A cell that a spreadsheet could take for a formula gets an apostrophe in front; the real text is the cell
    without it.
    """
    return _rows(
        (_safe(job_id), _safe(row.document_id), _safe(row.error_code or ""), _safe(row.error_message or ""))
        for row in failures
    )


def summary(
    *,
    job_id: str,
    run: str,
    attempt: str,
    prefix: str,
    started_at: str,
    finished_at: str,
    counts: Mapping[str, int],
    codes: Mapping[str, int],
    stopped: bool,
    retry: Mapping[str, Any] | None,
    report: str,
) -> bytes:
    """summary.json: the counts of the law, the failures by code and which of them can never succeed as they are, what
    became of the job that this one retries, the times (ISO 8601) and the report's place."""
    most_first = dict(sorted(codes.items(), key=lambda item: (-item[1], item[0])))
    fields = {
        "jobId": job_id,
        "run": run,
        "execution": attempt,
        "prefix": prefix,
        "startedAt": started_at,
        "finishedAt": finished_at,
        "stopped": stopped,
        "counts": dict(counts),
        "failuresByCode": most_first,
        "retryable": sum(number for code, number in codes.items() if not permanent(code)),
        "permanent": {code: number for code, number in most_first.items() if permanent(code)},
        **({} if retry is None else {"retry": dict(retry)}),
        "report": report,
        "note": headline(counts, stopped=stopped),
    }
    return json.dumps(fields, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"


def headline(counts: Mapping[str, int], *, stopped: bool = False) -> str:
    """One sentence that says how the job ended."""
    planned = counts["planned"]
    if planned == 0 and stopped:
        return "stopped before anything was planned"
    if planned == 0:
        return "nothing to do: the folder holds no document and the manifest deletes none"
    parts = [
        f"{counts[name]:,} {name}"
        for name in (INDEXED, UPDATED, DELETED, UNCHANGED, FAILED, UNVERIFIED)
        if counts[name]
    ]
    return f"{planned:,} planned: {', '.join(parts)}"


def subject(job_id: str, counts: Mapping[str, int], *, stopped: bool = False) -> str:
    """The notification's subject: at most 100 ASCII characters, the outcome first."""
    if stopped:
        done = counts["planned"] - counts[FAILED] - counts[UNVERIFIED]
        text = f"Millrace: stopped after {done:,} of {counts['planned']:,} documents, job {job_id}"
    elif counts[FAILED]:
        text = f"Millrace: {counts[FAILED]:,} of {counts['planned']:,} documents failed, job {job_id}"
    elif counts[UNVERIFIED]:
        text = f"Millrace: {counts[UNVERIFIED]:,} of {counts['planned']:,} documents unverified, job {job_id}"
    else:
        text = f"Millrace: all {counts['planned']:,} documents done, job {job_id}"
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    return plain if len(plain) <= SUBJECT_MAX_CHARACTERS else plain[: SUBJECT_MAX_CHARACTERS - 3] + "..."


def message(
    job_id: str, counts: Mapping[str, int], codes: Mapping[str, int], *, stopped: bool, report: str, summary: str
) -> str:
    """The notification's text: what happened, why documents failed, and where to read more."""
    lines = [f"Job {job_id}: {headline(counts, stopped=stopped)}."]
    if stopped:
        lines += [
            "",
            "The job was stopped. Its manifest is still in its place: to go on, redrive it.",
        ]
    if codes:
        most = sorted(codes.items(), key=lambda item: (-item[1], item[0]))
        lines += ["", "Failed documents by reason:", *(f"  {code}: {number:,}" for code, number in most[:20])]
        if len(most) > 20:
            lines.append(f"  and {len(most) - 20} more reasons in the summary")
    if counts[UNVERIFIED]:
        lines += ["", "Unverified: the index accepted them, and had not answered when the deadline passed."]
    lines += ["", f"Failures: {report}", f"Summary: {summary}"]
    return "\n".join(lines)


def real_text(cell: str) -> str:
    """A cell of failures.csv without the apostrophe that guards it: one in front is always the guard, because real ones
    are guarded, too."""
    return cell.removeprefix("'")


def _safe(cell: str) -> str:
    return f"'{cell}" if cell[:1] in RISKY_FIRST_CHARACTERS else cell


def _rows(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8")
