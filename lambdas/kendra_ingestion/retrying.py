"""Which documents failed in an earlier job, and which of them are worth another try. Pure.

Memory at 1,000,000 failed ids: 105 MB."""

from __future__ import annotations

import csv
import struct
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any

from kendra_ingestion.failures import FailureCode, permanent
from kendra_ingestion.metadata import default_id
from kendra_ingestion.pairing import METADATA_SUFFIX, Found
from kendra_ingestion.planning import ID_DIGEST_BYTES, id_digest
from kendra_ingestion.report import real_text

MET, PLANNED, NOTES = 1, 2, 2
"""Noted beside a failed id: this job's folder or deletes have it; it is planned again. Two bits."""

PACKED = struct.Struct(f">{ID_DIGEST_BYTES}sI")


class Retry:
    """The failed ids of an earlier job, the origin. Asked about every document and every delete of a new one, it knows
    in the end of each id whether it is planned again, can never succeed, or is gone."""

    def __init__(self, job: str, started_at: float, codes: list[str], failed: dict[bytes, int]) -> None:
        self._job = job
        self._started_at = started_at
        self._codes = codes
        self._failed = failed
        """By the id's digest: the place of its code in `_codes`, shifted by what is noted beside it."""

    @classmethod
    def of(cls, job: str, report: Iterable[str], started_at: str) -> Retry:
        """Read the lines of the origin's failures.csv. `started_at`, when the origin began, is in ISO 8601.

        Where an id has several rows, the code counts that another try can help against.
        """
        places: dict[str, int] = {}
        failed: dict[bytes, int] = {}
        for _, document_id, code, _ in islice(csv.reader(report), 1, None):
            place = places.setdefault(real_text(code), len(places)) << NOTES
            if failed.setdefault(digest := id_digest(real_text(document_id)), place) != place and not permanent(code):
                failed[digest] = place
        return cls(job, datetime.fromisoformat(started_at).timestamp(), list(places), failed)

    def wants(self, found: Found, document_id: str | None, bucket: str) -> bool:
        """Whether to plan a document of the folder. `document_id` is what its metadata gives, None where it gives none
        that can be used.

        It may have failed under that id, or under the default id of either of its files: its metadata could not be read
        then, or was alone. What can never succeed as it is, is planned if one of the files is younger than the origin.
        """
        key = found.key
        names = (document_id, default_id(bucket, key), default_id(bucket, key + METADATA_SUFFIX))
        met = [digest for name in names if name is not None and (digest := id_digest(name)) in self._failed]
        wanted = any(found.modified > self._started_at or not permanent(self._code(digest)) for digest in met)
        self._note(met, planned=wanted)
        return wanted

    def wants_delete(self, document_id: str, *, held: bool) -> bool:
        """Whether to plan a delete. `held`: the folder holds a document with the id; where it no longer does, a delete
        that conflicted with it can succeed."""
        digest = id_digest(document_id)
        if digest not in self._failed:
            return False
        code = self._code(digest)
        wanted = not permanent(code) or (code == FailureCode.CONFLICTING_DELETE and not held)
        self._note([digest], planned=wanted)
        return wanted

    def summary(self) -> dict[str, Any]:
        """What became of the failed ids: `{"job", "failed", "planned", "neverSucceed": {code: number}, "gone"}`, where
        failed = planned + those that can never succeed + gone."""
        never: Counter[str] = Counter()
        planned = gone = 0
        for noted in self._failed.values():
            if noted & PLANNED:
                planned += 1
            elif noted & MET:
                never[self._codes[noted >> NOTES]] += 1
            else:
                gone += 1
        return {
            "job": self._job,
            "failed": len(self._failed),
            "planned": planned,
            "neverSucceed": dict(sorted(never.items())),
            "gone": gone,
        }

    def state(self) -> dict[str, Any]:
        """All that the next pass needs, besides the failed ids."""
        return {"job": self._job, "startedAt": self._started_at, "codes": self._codes}

    def packed(self) -> bytes:
        """The failed ids in 20 bytes each, for the next pass."""
        return b"".join(PACKED.pack(digest, noted) for digest, noted in self._failed.items())

    @classmethod
    def resume(cls, state: dict[str, Any], packed: bytes) -> Retry:
        """Go on from where the pass before stopped."""
        return cls(state["job"], state["startedAt"], state["codes"], dict(PACKED.iter_unpack(packed)))

    def _code(self, digest: bytes) -> str:
        return self._codes[self._failed[digest] >> NOTES]

    def _note(self, digests: Iterable[bytes], *, planned: bool) -> None:
        for digest in digests:
            self._failed[digest] |= MET | PLANNED if planned else MET
