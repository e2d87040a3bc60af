"""A finished job's report, as AggregateFailures left it in the reports bucket, and the manifest that it obeyed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.errors import NotFound
from millrace.objects import find_object

OUTCOMES = ("indexed", "updated", "deleted", "unchanged", "failed", "unverified")
COLUMNS = ("documentId", "errorCode", "errorMessage")


@dataclass(frozen=True)
class Failure:
    document_id: str
    error_code: str
    error_message: str


class Reports:
    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def place(self, job_id: str, name: str) -> str:
        return f"s3://{self._bucket}/{self._key(job_id, name)}"

    def summary(self, job_id: str) -> dict[str, Any]:
        """summary.json as it stands. Raises NotFound where the job has not come to its report."""
        return json.loads(self._report(job_id, "summary.json"))

    def has(self, job_id: str) -> bool:
        """Whether a job of this id has come to its report."""
        return find_object(self._s3, self._bucket, self._key(job_id, "summary.json")) is not None

    def failures(self, job_id: str) -> Iterator[Failure]:
        """The rows of failures.csv, without the apostrophes that keep spreadsheets from reading formulas."""
        text = io.StringIO(self._report(job_id, "failures.csv").decode("utf-8"), newline="")
        for row in csv.DictReader(text):
            yield Failure(*(row[name].removeprefix("'") for name in COLUMNS))

    def manifest(self, job_id: str, run: str) -> dict[str, Any]:
        """The manifest that this run of the job obeyed: of the work area, or archived when that has expired. Raises
        NotFound where both have."""
        for key in (f"_work/{job_id}/{run}/manifest.json", f"_archive/{job_id}/manifest.json"):
            body = find_object(self._s3, self._bucket, key)
            if body is not None:
                return json.loads(body)
        raise NotFound(
            f"the manifest of job {job_id} has expired in {self._bucket}, so nobody knows which ids it deleted; "
            "submit the documents again: millrace submit FOLDER"
        )

    def _report(self, job_id: str, name: str) -> bytes:
        body = find_object(self._s3, self._bucket, self._key(job_id, name))
        if body is None:
            raise NotFound(
                f"job {job_id} has no report at {self.place(job_id, name)}; it may still be running "
                f"(millrace watch {job_id}) or have failed (millrace runs)"
            )
        return body

    @staticmethod
    def _key(job_id: str, name: str) -> str:
        return f"_reports/{job_id}/{name}"


def counts_of(document: Mapping[str, Any]) -> dict[str, int]:
    """`planned` and each outcome's number from a summary or a report's answer; {} where it has none."""
    counts = document.get("counts")
    if not isinstance(counts, Mapping):
        return {}
    return {name: int(counts.get(name, 0)) for name in ("planned", *OUTCOMES)}
