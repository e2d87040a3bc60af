"""Search: the records of a collection whose texts are nearest to a text.

A container keeps the snapshot that it has opened while the pointer stays: fetching and opening one takes seconds, a
search in it some milliseconds."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from shared.clock import SystemClock
from vector_store import assembly, embed_assembly
from vector_store.changes import INTEGER_MAX, is_unicode
from vector_store.errors import EmbeddingRefused, EventInvalid
from vector_store.events import check_members, collection_in
from vector_store.kept_snapshot import KeptSnapshot
from vector_store.telemetry import logger, tracer
from vector_store.titan import TEXT_MAX_CHARACTERS, Titan

MEMBERS = frozenset({"collection", "text", "limit", "where"})
LIMIT, LIMIT_MAX = 10, 100

WHERE_MAX_FIELDS = 20
"""More conditions than anybody has fields; Chroma joins a table for each."""

WHOLE = frozenset({"line", "word"})
"""The metadata that are whole numbers; every other number of a store is a float, and Chroma tells 1 from 1.0."""

FLOAT_MAX = sys.float_info.max

Where = Mapping[str, Any]


class Question(NamedTuple):
    """What is searched for. `where` is Chroma's filter."""

    collection: str
    text: str
    limit: int
    where: Where | None


def asked(event: Mapping[str, Any]) -> Question:
    """The question of an event. Raises EventInvalid, which names the member and holds no text."""
    check_members(event, MEMBERS, "a search")
    collection, text, limit = collection_in(event), event.get("text"), event.get("limit", LIMIT)
    if not isinstance(text, str) or not text.strip() or len(text) > TEXT_MAX_CHARACTERS or not is_unicode(text):
        raise EventInvalid(f"text is no text of 1 to {TEXT_MAX_CHARACTERS:,} characters, or all of it is spaces")
    if type(limit) is not int or not 1 <= limit <= LIMIT_MAX:
        raise EventInvalid(f"limit is {ascii(limit)[:80]}; allowed: a whole number from 1 to {LIMIT_MAX}")
    return Question(collection, text, limit, _where(event.get("where", {})))


def search(question: Question, kept: KeptSnapshot, titan: Titan) -> dict[str, Any]:
    """The answer: the snapshot's version and the hits, nearest first. Version 0 where nothing is published.

    Raises EventInvalid where Bedrock refuses the text, StoreUnavailable, SnapshotInvalid and ConfigurationInvalid."""
    with kept.published() as published:
        if published is None:
            return {"version": 0, "hits": []}
        (vector,) = titan.embed([question.text], beat=_never)
        if isinstance(vector, EmbeddingRefused):
            raise EventInvalid(f"text: Bedrock refuses it: {vector}")
        hits = published.store.search(vector, limit=question.limit, where=question.where)
        return {"version": published.pointer.version, "hits": [hit._asdict() for hit in hits]}


def _where(given: object) -> Where | None:
    if not isinstance(given, Mapping) or len(given) > WHERE_MAX_FIELDS:
        raise EventInvalid(f"where is no object of at most {WHERE_MAX_FIELDS} fields")
    conditions = [{_name(name): _value(name, value)} for name, value in given.items()]
    return {"$and": conditions} if len(conditions) > 1 else conditions[0] if conditions else None


def _name(name: object) -> str:
    if not isinstance(name, str) or not name or name.startswith(("$", "#")) or not is_unicode(name):
        raise EventInvalid(f"where names {ascii(name)[:80]}, which is no field of a record")
    return name


def _value(name: str, value: object) -> str | bool | int | float:
    match value:
        case str() if is_unicode(value):
            return value
        case bool():
            return value
        case int() | float() if abs(value) <= (INTEGER_MAX if name in WHOLE else FLOAT_MAX):
            if name not in WHOLE:
                return float(value)
            if value == int(value):
                return int(value)
    number = "a whole number" if name in WHOLE else "a number"
    raise EventInvalid(f"where.{name[:80]} is neither a text, {number}, true nor false")


def _never() -> None:
    """Nothing has to be renewed while one text is embedded."""


@cache
def _kept(collection: str) -> KeptSnapshot:
    return KeptSnapshot(collection, assembly.snapshots(collection), assembly.pointers(), dimension=assembly.dimension())


@cache
def _titan() -> Titan:
    return embed_assembly.asking_titan(SystemClock())


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    question = asked(event)
    return search(question, _kept(question.collection), _titan())
