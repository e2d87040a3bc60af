"""The record of a job of compaction, `runs/<collection>/<job>.json`: what it merged, and what it could not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from millrace.objects import find_object
from millrace.store.table import Collection

WORKED = ("published", "nothing new")
"""Outcomes of calls whose deltas wait no more; what any other call has read, a later one reads again."""


@dataclass(frozen=True)
class JobRecord:
    """`refused` are rows and deltas that could not be merged, in words; a call names 1,000 bad rows at most, and `bad`
    counts them all. A delta that was tried again counts once, as it ended. `place` is where all of it stands."""

    place: str
    deltas: int
    applied: int
    bad: int
    unreadable: int
    refused: tuple[str, ...]

    @property
    def flawless(self) -> bool:
        return not self.bad and not self.unreadable

    def as_dict(self) -> dict[str, Any]:
        return {
            "record": self.place,
            "deltas": self.deltas,
            "applied": self.applied,
            "badRows": self.bad,
            "unreadable": self.unreadable,
            "refused": list(self.refused),
        }


def read_record(s3: Any, bucket: str, collection: Collection, job: str) -> JobRecord | None:
    """None where there is none: a job that found nothing to merge writes none."""
    key = f"runs/{collection}/{job}.json"
    body = find_object(s3, bucket, key)
    if body is None:
        return None
    calls = [call for call in json.loads(body)["calls"] if call["outcome"] in WORKED]
    bad = [f"{row['key']}, line {row['line']}: {row['reason']}" for call in calls for row in call["bad"]]
    merged = {delta for call in calls for delta in call["deltas"]}
    last = {row["delta"]: row for call in calls for row in call["unreadable"] if row["delta"] not in merged}
    unreadable = [
        f"delta {collection}/{name}{' (set aside)' if row['aside'] else ''}: {row['reason']}"
        for name, row in last.items()
    ]
    return JobRecord(
        place=f"s3://{bucket}/{key}",
        deltas=len(merged),
        applied=sum(call["rows"]["applied"] for call in calls),
        bad=sum(call["rows"]["bad"] for call in calls),
        unreadable=len(unreadable),
        refused=(*unreadable, *bad),
    )
