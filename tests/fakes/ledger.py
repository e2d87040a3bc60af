"""The ledger in memory, by the same rules as the real one (test_ledger.py holds both to them)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kendra_ingestion.documents import Document
from kendra_ingestion.ledger import UNKNOWN, Entry
from kendra_ingestion.outcomes import DELETED, INDEXED, SENT, UNCHANGED, UPDATED, Outcome


class FakeLedger:
    """The ledger as one run sees it. Runs that share `entries` share the table."""

    def __init__(self, entries: dict[str, Entry], *, run: str) -> None:
        self.entries = entries
        self.run = run

    def known(self, document_ids: Iterable[str]) -> dict[str, Entry]:
        return {document_id: self.entries[document_id] for document_id in document_ids if document_id in self.entries}

    def mark(self, documents: Sequence[Document]) -> None:
        for document in documents:
            before = self.entries.get(document["documentId"])
            under_way = before is not None and before.outcome == SENT
            contested = before is not None and (before.contested or (under_way and before.run != self.run))
            self.entries[document["documentId"]] = Entry(self.run, SENT, document.get("digest"), contested)

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            entry = self.entries.get(outcome.document_id)
            if outcome.outcome == UNCHANGED or entry is None or entry[:2] != (self.run, SENT):
                continue
            if entry.contested:
                self.entries[outcome.document_id] = Entry(self.run, UNKNOWN)
            elif outcome.outcome == DELETED:
                del self.entries[outcome.document_id]
            else:
                digest = entry.digest if outcome.outcome in (INDEXED, UPDATED) else None
                self.entries[outcome.document_id] = Entry(self.run, outcome.outcome, digest)
