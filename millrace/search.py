"""Asking the deployment's sink, to see that what was ingested can be found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from millrace.deployment import Deployment, SyncSource
from millrace.errors import UsageError

TITLE = "_document_title"  # the attribute in which the pipeline keeps a document's title, in either sink
EXCERPT_CHARACTERS = 300  # as much as Kendra's own excerpts hold
NOWHERE: Mapping[str, Any] = MappingProxyType({})
_WORD = re.compile(r"\w+")
MOST_RESULTS = 100  # Query's PageSize and Retrieve's numberOfResults


@dataclass(frozen=True)
class Answer:
    document_id: str
    title: str
    excerpt: str
    uri: str

    def as_dict(self) -> dict[str, str]:
        return {"documentId": self.document_id, "title": self.title, "excerpt": self.excerpt, "uri": self.uri}


class Search(Protocol):
    """What can be asked. `name` is how a sentence calls it."""

    name: str

    def ask(self, question: str, limit: int = 10, where: Mapping[str, Any] = NOWHERE) -> list[Answer]:
        """The best `limit` (1 to 100) documents for a question, best first; only those whose metadata has these values.
        Raises UsageError where that cannot be asked."""


class KendraIndex:
    name = "Kendra"

    def __init__(self, kendra: Any, index_id: str) -> None:
        self._kendra = kendra
        self._index_id = index_id

    def ask(self, question: str, limit: int = 10, where: Mapping[str, Any] = NOWHERE) -> list[Answer]:
        if where:
            raise UsageError("only a knowledge base is asked by metadata; name its data source: --source SOURCE")
        said = self._kendra.query(IndexId=self._index_id, QueryText=question, PageSize=limit)
        return [self._answer(item) for item in said.get("ResultItems", [])]

    @staticmethod
    def _answer(item: dict[str, Any]) -> Answer:
        return Answer(
            document_id=item.get("DocumentId", ""),
            title=item.get("DocumentTitle", {}).get("Text", ""),
            excerpt=_one_line(item.get("DocumentExcerpt", {}).get("Text", "")),
            uri=item.get("DocumentURI", ""),
        )


class KnowledgeBase:
    name = "the knowledge base"

    def __init__(self, runtime: Any, knowledge_base_id: str) -> None:
        self._runtime = runtime
        self._knowledge_base_id = knowledge_base_id

    def ask(self, question: str, limit: int = 10, where: Mapping[str, Any] = NOWHERE) -> list[Answer]:
        """As Search. A knowledge base answers with passages: of several of one document, the best stands for it."""
        said = self._runtime.retrieve(
            knowledgeBaseId=self._knowledge_base_id,
            retrievalQuery={"text": question},
            retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": MOST_RESULTS, **_filter(where)}},
        )
        best: dict[str, Answer] = {}
        for passage in said["retrievalResults"]:
            answer = self._answer(passage)
            best.setdefault(answer.document_id, answer)
        return list(best.values())[:limit]

    @staticmethod
    def _answer(passage: dict[str, Any]) -> Answer:
        location = passage.get("location", {})
        uri = location.get("s3Location", {}).get("uri", "")
        return Answer(
            document_id=location.get("customDocumentLocation", {}).get("id", uri),
            title=passage.get("metadata", {}).get(TITLE, ""),
            excerpt=_one_line(passage.get("content", {}).get("text", "")),
            uri=uri,
        )


def of(deployment: Deployment, client: Callable[[str], Any]) -> Search:
    """What the deployment's documents can be found in: kendra_ingestion's sink, and without that workflow the only sync
    source. `client` makes a client of a service."""
    if deployment.kendra_ingestion is None:
        return of_source(deployment.sync.source(None), client)
    ingestion = deployment.kendra_ingestion
    if ingestion.sink == "bedrock":
        return KnowledgeBase(client("bedrock-agent-runtime"), ingestion.knowledge_base_id or "")
    return KendraIndex(client("kendra"), ingestion.kendra_index_id or "")


def of_source(source: SyncSource, client: Callable[[str], Any]) -> Search:
    """What the documents of a sync source can be found in."""
    return KnowledgeBase(client("bedrock-agent-runtime"), source.knowledge_base_id)


def shortened(text: str, question: str, most: int = EXCERPT_CHARACTERS) -> str:
    """The stretch of a text that holds the most of the question's words, for a passage longer than a person reads."""
    if len(text) <= most:
        return text
    asked = {word.lower() for word in _WORD.findall(question)}
    found = [(match.start(), match.group().lower()) for match in _WORD.finditer(text) if match.group().lower() in asked]

    def worth(begin: int) -> int:
        return len({word for at, word in found if begin <= at < begin + most})

    begin = max((at for at, _ in found), key=worth, default=0)
    begin = min(begin, len(text) - most)
    stretch = text[begin : begin + most]
    return f"{'...' if begin else ''}{stretch.strip()}{'...' if begin + most < len(text) else ''}"


def _filter(where: Mapping[str, Any]) -> dict[str, Any]:
    """As Retrieve takes it: one condition stands alone, and more are joined."""
    wanted = [{"equals": {"key": name, "value": value}} for name, value in where.items()]
    if not wanted:
        return {}
    return {"filter": wanted[0] if len(wanted) == 1 else {"andAll": wanted}}


def _one_line(text: str) -> str:
    return " ".join(text.split())
