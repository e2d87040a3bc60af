"""Asking the Kendra index, to see that what was ingested can be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    document_id: str
    title: str
    excerpt: str
    uri: str

    def as_dict(self) -> dict[str, str]:
        return {"documentId": self.document_id, "title": self.title, "excerpt": self.excerpt, "uri": self.uri}


def ask(kendra: Any, index_id: str, question: str, limit: int = 10) -> list[Answer]:
    """The best `limit` (1 to 100) documents for a question, best first."""
    said = kendra.query(IndexId=index_id, QueryText=question, PageSize=limit)
    return [_answer(item) for item in said.get("ResultItems", [])]


def _answer(item: dict[str, Any]) -> Answer:
    return Answer(
        document_id=item.get("DocumentId", ""),
        title=item.get("DocumentTitle", {}).get("Text", ""),
        excerpt=" ".join(item.get("DocumentExcerpt", {}).get("Text", "").split()),
        uri=item.get("DocumentURI", ""),
    )
