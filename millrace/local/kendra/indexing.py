"""Doing the accepted work when its time has come: read, extract, check, index; or delete."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from millrace.local.kendra.attributes import flaw_of_attributes
from millrace.local.kendra.reading import Reader
from millrace.local.kendra.store import NOT_FOUND, Index, Indexed, Status, Store, Work
from millrace.local.kendra.text import Unindexable, extract, kind_of

AT_ONCE = 100
IDLE_SECONDS = 60.0
log = logging.getLogger(__name__)


class Indexer:
    """`arn` names an index for the trust policy of the role that reads its documents."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        blobs: Callable[[dict[str, Any]], bytes],
        arn: Callable[[Index], str],
    ) -> None:
        self._store = store
        self._reader = reader
        self._blobs = blobs
        self._arn = arn

    def run_due(self, now: float) -> int:
        """Do at most AT_ONCE pieces of work that are due, in order; how many were done."""
        due = self._store.due(now, AT_ONCE)
        indices = {index_id: self._store.index(index_id) for index_id in {work.index_id for work in due}}
        prepared = [(work, self._prepared(work, indices[work.index_id])) for work in due]
        with self._store.transaction():
            for work, outcome in prepared:
                self._store.settle(work, self._applied(work, outcome))
        return len(due)

    def _prepared(self, work: Work, index: Index | None) -> Indexed | Unindexable | None:
        if work.document is None or index is None:
            return None
        try:
            return self._indexed(work, work.document, index)
        except Unindexable as reason:
            return reason
        except Exception as error:
            log.exception("indexing of %s failed", work.id)
            return Unindexable(f"The embedded AWS failed to index this document: {error!r}", "InternalError")

    def _indexed(self, work: Work, document: dict[str, Any], index: Index) -> Indexed:
        attributes = document.get("Attributes", [])
        flaw = flaw_of_attributes(index.attributes, attributes)
        if flaw:
            raise Unindexable(flaw)
        text = extract(self._content(work, document, index), kind_of(document))
        title = document.get("Title") or _title_of(attributes) or PurePosixPath(work.id).name or work.id
        return Indexed(work.id, title, text, attributes, document.get("AccessControlList", []))

    def _content(self, work: Work, document: dict[str, Any], index: Index) -> bytes:
        if "S3Path" not in document:
            return self._blobs(document)
        path = document["S3Path"]
        return self._reader.read(path["Bucket"], path["Key"], work.role_arn, self._arn(index))

    def _applied(self, work: Work, outcome: Indexed | Unindexable | None) -> Status:
        if outcome is None:
            self._store.remove_document(work.index_id, work.id)
            return Status(NOT_FOUND)
        known = self._store.holds(work.index_id, work.id)
        if isinstance(outcome, Unindexable):
            return Status("UPDATE_FAILED" if known else "FAILED", outcome.code, str(outcome)[:2048])
        self._store.put_document(work.index_id, outcome)
        return Status("UPDATED" if known else "INDEXED")


def _title_of(attributes: list[dict[str, Any]]) -> str | None:
    return next(
        (attribute["Value"]["StringValue"] for attribute in attributes if attribute["Key"] == "_document_title"),
        None,
    )


class Background:
    """Runs an indexer in a thread of its own, awake when something is due."""

    def __init__(self, indexer: Indexer, store: Store, clock: Callable[[], float]) -> None:
        self._indexer = indexer
        self._store = store
        self._clock = clock
        self._accepted = threading.Event()
        threading.Thread(target=self._run, name="kendra-indexing", daemon=True).start()

    def wake(self) -> None:
        self._accepted.set()

    def _run(self) -> None:
        while True:
            try:
                self._accepted.clear()
                if self._indexer.run_due(self._clock()):
                    continue
                due = self._store.next_due()
                self._accepted.wait(IDLE_SECONDS if due is None else max(0.0, due - self._clock()))
            except Exception:
                log.exception("indexing failed; it goes on in a second")
                self._accepted.wait(1)
