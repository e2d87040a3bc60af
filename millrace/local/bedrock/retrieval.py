"""Retrieve: the chunks whose words fit a question best. Nothing is embedded here, so words decide where AWS compares
vectors: which documents answer a plain question is the same, their order and scores are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from millrace.local.bedrock import filters
from millrace.local.bedrock.bases import Bases, not_emulated
from millrace.local.bedrock.limits import PAGE, RESULTS, SHOWN_KEY_CHARACTERS
from millrace.local.bedrock.store import DataSource, Store
from millrace.local.emulated import ApiError, Operation
from millrace.local.pace import Gate
from millrace.local.search.store import Found
from millrace.local.search.words import expression

SOURCE_ID = "x-amz-bedrock-kb-data-source-id"
SOURCE_URI = "x-amz-bedrock-kb-source-uri"


class Retrieval:
    def __init__(self, store: Store, bases: Bases, gate: Gate) -> None:
        self._store = store
        self._bases = bases
        self._gate = gate

    def operations(self) -> dict[str, Operation]:
        return {"Retrieve": self.retrieve}

    def retrieve(self, request: dict[str, Any]) -> dict[str, Any]:
        base = self._bases.active(request["knowledgeBaseId"])
        self._gate.enter(base.region, "Retrieve")
        search = _search_of(request)
        sources = {source.id: source for source in self._bases.sources(base)}
        count = search.get("numberOfResults", RESULTS)
        first = _start(request.get("nextToken"))
        user = request.get("userContext", {}).get("userId")
        found = self._found(list(sources), request["retrievalQuery"]["text"], search.get("filter", {}), user)
        page = list(islice(found, first, first + count + 1))
        more = {"nextToken": str(first + count)} if len(page) > count else {}
        return {"retrievalResults": [_result(one, sources[one.collection]) for one in page[:count]], **more}

    def _found(
        self, sources: Sequence[str], text: str, condition: Mapping[str, Any], user: str | None
    ) -> Iterator[Found]:
        words = expression(text)
        if words is None or not sources:
            return
        for one in self._store.find(sources, words, PAGE):
            document = one.document
            if filters.passes(condition, document.attributes) and may_see(document.access, user):
                yield one


def may_see(access: Sequence[Mapping[str, str]], user: str | None) -> bool:
    """Whether the user may see a document with this access control list.

    Without a user every document is seen, and one without a list by everybody; a DENY outweighs an ALLOW.
    """
    if user is None or not access:
        return True
    return {entry["access"] for entry in access if entry["name"] == user} == {"ALLOW"}


def score(rank: float) -> float:
    """A score between 0 and 1, more for a better match, of FTS5's rank, which is negative and less for a better one."""
    return -rank / (1 - rank)


def _search_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """The KnowledgeBaseVectorSearchConfiguration. Raises ApiError (ValidationException) when it asks what cannot be."""
    if "guardrailConfiguration" in request:
        raise not_emulated("guardrailConfiguration")
    asked = request["retrievalQuery"]
    if asked.get("type", "TEXT") != "TEXT" or "image" in asked:
        raise not_emulated("a retrievalQuery with an image")
    if not asked.get("text", "").strip():
        raise ApiError("ValidationException", "retrievalQuery.text must not be empty")
    configuration = request.get("retrievalConfiguration", {})
    if "managedSearchConfiguration" in configuration:
        raise not_emulated("managedSearchConfiguration")
    search = configuration.get("vectorSearchConfiguration", {})
    extra = search.keys() & {"implicitFilterConfiguration", "rerankingConfiguration"}
    if extra:
        raise not_emulated(", ".join(sorted(extra)))
    try:
        filters.check(search.get("filter", {}))
    except filters.InvalidFilter as error:
        raise ApiError("ValidationException", str(error)) from None
    return search


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdecimal():
        raise ApiError("ValidationException", "nextToken is not one that Retrieve gave")
    return int(token)


def _result(found: Found, source: DataSource) -> dict[str, Any]:
    document = found.document
    shown = {name: value for name, value in document.attributes.items() if len(name) <= SHOWN_KEY_CHARACTERS}
    if source.type == "CUSTOM":
        location = {"type": "CUSTOM", "customDocumentLocation": {"id": document.id}}
        own = {SOURCE_ID: source.id}
    else:
        location = {"type": "S3", "s3Location": {"uri": document.id}}
        own = {SOURCE_ID: source.id, SOURCE_URI: document.id}
    return {
        "content": {"type": "TEXT", "text": document.text},
        "location": location,
        "metadata": {**shown, **own},
        "score": score(found.rank),
    }
