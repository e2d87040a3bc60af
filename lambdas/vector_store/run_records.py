"""The adapter for the records of runs, `runs/<collection>/<job>.json`: what every call of a job has read and done, and
each row that it could not take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.store_errors import ask_for_all, code_of, is_missing
from vector_store.errors import StoreUnavailable

CONFLICTS = 10
"""How often to try while another call of the same job writes its own part."""

ROWS_MAX = 1_000
"""Rows of a kind that a call's part names; it counts them all."""

OTHERS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
"""S3's answers where another writer was faster (user guide, "Conditional writes")."""


class Read(NamedTuple):
    """A record as it was read. `etag` is empty where there is none yet."""

    calls: list[dict[str, Any]]
    etag: str


class RunRecords:
    """S3. Every method raises StoreUnavailable."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._place = f"the bucket {bucket}"

    def key(self, collection: str, job: str) -> str:
        """Where a job's record is."""
        return f"runs/{collection}/{job}.json"

    def write(self, collection: str, job: str, call: Mapping[str, Any]) -> None:
        """Write what one call says into its job's record, in place of what the same call (`call["call"]`) said before.
        Two calls of one job may be at work at once: neither takes the other's part away."""
        key = self.key(collection, job)
        for left in reversed(range(CONFLICTS)):
            read = self._read(key)
            calls = [part for part in read.calls if part["call"] != call["call"]] + [dict(call)]
            body = json.dumps({"collection": collection, "job": job, "calls": calls}, ensure_ascii=False).encode()
            condition = {"IfMatch": read.etag} if read.etag else {"IfNoneMatch": "*"}
            try:
                ask_for_all(
                    self._place,
                    self._client.put_object,
                    Bucket=self._bucket,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    **condition,
                )
            except StoreUnavailable as error:
                if code_of(error) not in OTHERS or not left:
                    raise
            else:
                return

    def _read(self, key: str) -> Read:
        try:
            reply = ask_for_all(self._place, self._client.get_object, Bucket=self._bucket, Key=key)
            return Read(json.loads(ask_for_all(self._place, reply["Body"].read))["calls"], reply["ETag"])
        except StoreUnavailable as error:
            if is_missing(error):
                return Read([], "")
            raise
