"""What the images find on an embedded AWS: what the worker works on, and deltas that wait for a compaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from tests.fakes import embed_surroundings
from vector_store.changes import Change
from vector_store.deltas import Deltas
from vector_store.places import LINES


class Surroundings(embed_surroundings.Surroundings):
    def environment(self, **more: str) -> dict[str, str]:
        """A container's whole environment."""
        return {**self._aws.environment(), "AWS_XRAY_SDK_ENABLED": "false", **self.variables(), **more}

    def tell(self, changes: Iterable[Change], run: str, records: int) -> None:
        """Register what the delta writer would: a delta of changes, and the vectors of a run."""
        deltas = Deltas(self.dynamodb, self.s3, table=self.store, bucket=self.bucket, collection=LINES)
        for delta in (deltas.write("changes", changes), deltas.vectors(run, records, at="")):
            deltas.register(delta, datetime.now(UTC))
