"""What becomes of a document that a knowledge base has accepted: read, extract, split, index; or delete."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from millrace.local.bedrock import metadata
from millrace.local.bedrock.chunks import chunking_of, split
from millrace.local.bedrock.content import bucket_and_key
from millrace.local.bedrock.formats import kind_of_bytes, kind_of_file
from millrace.local.bedrock.limits import FILE_BYTES, REASON_CHARACTERS
from millrace.local.bedrock.scan import SIDECAR
from millrace.local.bedrock.store import DataSource, KnowledgeBase, Store
from millrace.local.search.indexing import Worker
from millrace.local.search.reading import Reader
from millrace.local.search.store import Indexed, Status, Work
from millrace.local.search.text import Unindexable, extract

log = logging.getLogger(__name__)


class Ignored(Unindexable):
    """Knowledge bases do not take such a document; it is left out, which is no failure of theirs."""


@dataclass(frozen=True)
class Split:
    """A document that is ready to be indexed, with its chunks."""

    document: Indexed
    chunks: list[str]


class Indexer(Worker):
    """`arn` names a knowledge base for the trust policy of its role; `account` owns all buckets there are."""

    def __init__(self, store: Store, reader: Reader, arn: Callable[[KnowledgeBase], str], account: str) -> None:
        super().__init__(store)
        self._bases = store
        self._reader = reader
        self._arn = arn
        self._account = account

    def _prepared(self, due: Sequence[Work]) -> list[Split | Unindexable | None]:
        sources = {source_id: self._bases.data_source(source_id) for source_id in {work.collection for work in due}}
        bases = {
            source.knowledge_base_id: self._bases.knowledge_base(source.knowledge_base_id)
            for source in sources.values()
            if source is not None
        }
        prepared = []
        for work in due:
            source = sources[work.collection]
            prepared.append(self._outcome(work, source, bases[source.knowledge_base_id] if source else None))
        return prepared

    def _outcome(self, work: Work, source: DataSource | None, base: KnowledgeBase | None) -> Split | Unindexable | None:
        if work.document is None or source is None or base is None:
            return None
        reading = Reading(self._reader, work.role_arn, self._arn(base), self._account)
        return outcome_of(work.id, work.document, source, reading)

    def _applied(self, work: Work, outcome: Split | Unindexable | None, now: float) -> Status | None:
        if isinstance(outcome, Unindexable):
            return status_of(outcome, now)
        self._bases.forget_object(work.collection, work.id)
        if outcome is None:
            self._store.remove_document(work.collection, work.id)
            return None
        self._store.put_document(work.collection, outcome.document, outcome.chunks)
        return status_of(outcome, now)


def outcome_of(document_id: str, document: dict[str, Any], source: DataSource, reading: Reading) -> Split | Unindexable:
    """The document ready to be indexed, or why it cannot be."""
    try:
        text = reading.text(document["content"])
        attributes, access = reading.attributes(document)
        chunking = chunking_of(source.description.get("vectorIngestionConfiguration", {}))
        return Split(Indexed(document_id, "", text, attributes, access), split(text, chunking))
    except Unindexable as reason:
        return reason
    except Exception as error:
        log.exception("indexing of %s failed", document_id)
        return Unindexable(f"The embedded AWS failed to index this document: {error!r}", "InternalError")


def status_of(outcome: Split | Unindexable, now: float) -> Status:
    if isinstance(outcome, Split):
        return Status("INDEXED", settled=now)
    status = "IGNORED" if isinstance(outcome, Ignored) else "FAILED"
    return Status(status, outcome.code, str(outcome)[:REASON_CHARACTERS], now)


@dataclass(frozen=True)
class Reading:
    """Reads what a document names, with the knowledge base's role."""

    reader: Reader
    role_arn: str
    source_arn: str
    account: str

    def text(self, content: dict[str, Any]) -> str:
        if content["dataSourceType"] == "S3":
            return self._text_of_object(content["s3"]["s3Location"])
        custom = content["custom"]
        if custom["sourceType"] == "S3_LOCATION":
            return self._text_of_object(custom["s3Location"])
        inline = custom["inlineContent"]
        if inline["type"] == "TEXT":
            return extract(inline["textContent"]["data"].encode(), "PLAIN_TEXT")
        given = inline["byteContent"]
        return extract(base64.b64decode(given["data"]), kind_of_bytes(given["mimeType"]) or "PLAIN_TEXT")

    def _text_of_object(self, location: dict[str, str]) -> str:
        kind = kind_of_file(location["uri"])
        if kind is None:
            raise Ignored(f"The file format of {location['uri']} is not supported")
        content = self._object(location)
        if len(content) > FILE_BYTES:
            raise Ignored(f"{location['uri']} is {len(content)} bytes; the limit of a file is {FILE_BYTES}")
        return extract(content, kind)

    def attributes(self, document: dict[str, Any]) -> tuple[dict[str, metadata.Value], list[dict[str, Any]]]:
        """The document's attributes and access control list."""
        given = document.get("metadata", {})
        if given.get("type") == "S3_LOCATION":
            location = given["s3Location"]
            return metadata.of_file(self._object(location), location["uri"]), []
        if document["content"]["dataSourceType"] == "S3":
            return self._sidecar(document["content"]["s3"]["s3Location"]["uri"] + SIDECAR), []
        return metadata.of_attributes(given.get("inlineAttributes", [])), given.get("accessControlList", [])

    def _sidecar(self, uri: str) -> dict[str, metadata.Value]:
        """The attributes of the file beside an object of an S3 data source; none if there is no such file."""
        try:
            content = self._object({"uri": uri})
        except Unindexable as error:
            if error.code == "NoSuchKey":
                return {}
            raise
        return metadata.of_file(content, uri)

    def _object(self, location: dict[str, str]) -> bytes:
        bucket, key = bucket_and_key(location["uri"])
        owner = location.get("bucketOwnerAccountId", self.account)
        if owner != self.account:
            raise Unindexable(f"Access to {location['uri']} is denied: {owner} does not own the bucket", "AccessDenied")
        return self.reader.read(bucket, key, self.role_arn, self.source_arn)
