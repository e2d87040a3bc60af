"""What becomes of a document that Kendra has accepted: read, extract, check, index; or delete."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from millrace.local.kendra.attributes import flaw_of_attributes
from millrace.local.kendra.store import Index, Store
from millrace.local.kendra.text import extract, kind_of
from millrace.local.search.indexing import Worker
from millrace.local.search.reading import Reader
from millrace.local.search.store import Indexed, Status, Work
from millrace.local.search.text import Unindexable

log = logging.getLogger(__name__)


class Indexer(Worker):
    """`arn` names an index for the trust policy of the role that reads its documents."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        blobs: Callable[[dict[str, Any]], bytes],
        arn: Callable[[Index], str],
    ) -> None:
        super().__init__(store)
        self._indices = store
        self._reader = reader
        self._blobs = blobs
        self._arn = arn

    def _prepared(self, due: Sequence[Work]) -> list[Indexed | Unindexable | None]:
        indices = {index_id: self._indices.index(index_id) for index_id in {work.collection for work in due}}
        return [self._outcome(work, indices[work.collection]) for work in due]

    def _outcome(self, work: Work, index: Index | None) -> Indexed | Unindexable | None:
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

    def _applied(self, work: Work, outcome: Indexed | Unindexable | None, now: float) -> Status | None:
        if outcome is None:
            self._store.remove_document(work.collection, work.id)
            return None
        known = self._store.holds(work.collection, work.id)
        if isinstance(outcome, Unindexable):
            return Status("UPDATE_FAILED" if known else "FAILED", outcome.code, str(outcome)[:2048], now)
        self._store.put_document(work.collection, outcome)
        return Status("UPDATED" if known else "INDEXED", settled=now)


def _title_of(attributes: list[dict[str, Any]]) -> str | None:
    return next(
        (attribute["Value"]["StringValue"] for attribute in attributes if attribute["Key"] == "_document_title"),
        None,
    )
