"""Asking a running job to stop: a mark in its work area, which every function that loops looks for."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any


def key_of(job_id: str, run: str, execution: str) -> str:
    """Where the mark for one execution is (docs/architecture.md, "Places")."""
    return f"_work/{job_id}/{run}/stop-{execution}.json"


def ask_to_stop(s3: Any, bucket: str, job_id: str, run: str, execution: str, now: datetime) -> str:
    """Leave the mark; return its place. The job ends at the next whole request."""
    key = key_of(job_id, run, execution)
    body = json.dumps({"askedAt": now.isoformat(timespec="seconds")}).encode("ascii")
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return f"s3://{bucket}/{key}"


def withdraw(s3: Any, bucket: str, job_id: str, run: str, execution: str) -> None:
    """Take the mark away, if it is there."""
    s3.delete_object(Bucket=bucket, Key=key_of(job_id, run, execution))
