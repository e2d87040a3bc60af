"""Sending requests to the sink, and what its answers mean for each document: the one piece that every worker uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from kendra_ingestion.calling import Calls, Means, Piece, Reply
from kendra_ingestion.documents import Action, Document
from kendra_ingestion.errors import DocumentInvalid, SinkMisconfigured, SinkQuotaExceeded
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.metadata import AttributeType, check_attributes
from kendra_ingestion.outcomes import SENT, Outcome, failed
from kendra_ingestion.sink import Rejected, Sink
from kendra_ingestion.telemetry import duration

REJECTION_RETRIES = 4
"""How often a document that the sink rejected for a fault of its own is tried again."""

Mark = Callable[[Sequence[Document]], None]


class Sending:
    """Sends requests of one kind.

    `mark` notes in the ledger that documents are about to reach the sink. It runs in the thread that then calls the
    sink, so a document is never sent unmarked, and marking costs the pace nothing.
    """

    def __init__(self, action: Action, sink: Sink, means: Means, mark: Mark) -> None:
        self._action = action
        self._sink = sink
        self._mark = mark
        self._calls: Calls[Document, list[Rejected]] = Calls(self._send, means)
        self._rejections: Counter[tuple[int, str]] = Counter()

    def send(self, pieces: Iterable[Piece[Document]], *, stop_at: float) -> Iterator[tuple[int, list[Outcome]]]:
        """Yield outcomes as they become known, each time with the origin of the piece that they belong to. Raises as
        `Calls.run` does."""
        for reply in self._calls.run(pieces, stop_at=stop_at):
            duration("SendDuration", reply.seconds)
            if outcomes := self._outcomes(reply):
                yield reply.piece.origin, outcomes

    def _send(self, documents: Sequence[Document]) -> list[Rejected]:
        self._mark(documents)
        if self._action == "put":
            return self._sink.put(documents)
        return self._sink.delete([document["documentId"] for document in documents])

    def _outcomes(self, reply: Reply[Document, list[Rejected]]) -> list[Outcome]:
        if reply.refusal is not None:
            full = isinstance(reply.refusal, SinkQuotaExceeded)
            code = FailureCode.QUOTA_EXCEEDED if full else FailureCode.REFUSED
            return [failed(reply.piece.items[0]["documentId"], code, str(reply.refusal))]
        rejected = {item.document_id: item for item in reply.answer or ()}
        retried = self._retry(reply.piece, rejected)
        return [
            failed(document_id, rejected[document_id].code, rejected[document_id].message)
            if document_id in rejected
            else Outcome(document_id, SENT)
            for document_id in (item["documentId"] for item in reply.piece.items)
            if document_id not in retried
        ]

    def _retry(self, piece: Piece[Document], rejected: Mapping[str, Rejected]) -> set[str]:
        """Try those again that the sink rejected for a fault of its own."""
        passing = {item.document_id for item in rejected.values() if item.passing}
        self._rejections.update((piece.origin, document_id) for document_id in passing)
        again = {
            document_id for document_id in passing if self._rejections[piece.origin, document_id] <= REJECTION_RETRIES
        }
        items = tuple(item for item in piece.items if item["documentId"] in again)
        return again if items and self._calls.again(piece._replace(items=items)) else set()


def unfit(documents: Iterable[Document], types: Mapping[str, AttributeType] | None) -> list[Outcome]:
    """The failures of documents whose attributes the sink would not take; None as `types` takes any."""
    if types is None:
        return []
    found = []
    for document in documents:
        try:
            check_attributes(document["attributes"], types)
        except DocumentInvalid as error:
            found.append(failed(document["documentId"], error.code, error.message))
    return found


def misconfigured(documents: Iterable[Document], error: SinkMisconfigured) -> list[Outcome]:
    """The failures of documents that cannot be sent before somebody mends the sink's configuration."""
    return [failed(document["documentId"], FailureCode.SINK_MISCONFIGURED, str(error)) for document in documents]
