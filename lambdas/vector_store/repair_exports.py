"""The adapter for what a check has found without vectors: exports in the bucket, and their messages to the embedding
worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from shared.outbox import Envelope, Outbox, Untaken, in_batches
from shared.store_errors import ask_for_all
from vector_store.drift import Unembedded
from vector_store.embed_request import Request
from vector_store.errors import StoreUnavailable
from vector_store.places import repair_export_key


class Export(NamedTuple):
    """What is to be embedded of one receipt, as the run of this id."""

    receipt: str
    run_id: str
    texts: list[Unembedded]


class RepairExports:
    """The bucket and the queue. Objects are written through the pool."""

    def __init__(self, s3: Any, bucket: str, outbox: Outbox, pool: Executor) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._outbox = outbox
        self._pool = pool

    def send(self, token: str, exports: Sequence[Export]) -> None:
        """Write the exports, and then send one message for each. Raises StoreUnavailable."""
        requests = [
            Request(it.receipt, it.run_id, self._bucket, repair_export_key(token, it.receipt)) for it in exports
        ]
        list(self._pool.map(self._put, requests, exports))
        letters = (Envelope(json.dumps(it._asdict()), it.receipt_id, it.run_id) for it in requests)
        for batch in in_batches(letters):
            try:
                self._outbox.send(batch)
            except (Untaken, ClientError) as error:
                raise StoreUnavailable(f"exports not sent to the embedding worker: {error}") from error

    def _put(self, request: Request, export: Export) -> None:
        body = "".join(f"{json.dumps(it._asdict(), ensure_ascii=False)}\n" for it in export.texts).encode()
        ask_for_all(
            f"the bucket {self._bucket}",
            self._s3.put_object,
            Bucket=self._bucket,
            Key=request.key,
            Body=body,
            ContentType="application/x-ndjson",
        )
