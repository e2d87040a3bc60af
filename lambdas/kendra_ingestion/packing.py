"""Packing documents into requests.

While no document is larger than a tenth of a request's bytes, ten of them always fit together, so packing in
order needs exactly ceil(n / 10) requests, which is the lower bound: no cleverer order can do better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from kendra_ingestion.documents import Document

T = TypeVar("T")

MEGABYTE = 1024 * 1024

REQUEST_MAX_DOCUMENTS = 10
"""BatchPutDocument, BatchDeleteDocument and BatchGetDocumentStatus take 1 to 10 items (API model)."""

REQUEST_MAX_BYTES = 50 * MEGABYTE
"""50 MB in all: the documents of one BatchPutDocument request when they come from S3 (design limit)."""

DOCUMENT_MAX_BYTES = 5 * MEGABYTE
"""5 MB of extracted text a document (Kendra quotas); a JSON or text file is its own text."""


def pack(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Pack documents, in order, into requests of at most 10 documents and 50 MB.

    Each document must be at most 5 MB (`DOCUMENT_MAX_BYTES`); larger ones are failures before they come here.
    """
    request: list[Document] = []
    request_bytes = 0
    for document in documents:
        size = document["size"]
        if request and (len(request) == REQUEST_MAX_DOCUMENTS or request_bytes + size > REQUEST_MAX_BYTES):
            yield request
            request, request_bytes = [], 0
        request.append(document)
        request_bytes += size
    if request:
        yield request


def in_tens(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut ids into requests of at most 10 (BatchDeleteDocument and BatchGetDocumentStatus)."""
    request: list[T] = []
    for item in items:
        request.append(item)
        if len(request) == REQUEST_MAX_DOCUMENTS:
            yield request
            request = []
    if request:
        yield request


def lower_bound(sizes: Iterable[int]) -> int:
    """The fewest requests that could carry documents of these sizes in bytes: max(ceil(n / 10), bytes / 50
    MB)."""
    number = total = 0
    for size in sizes:
        number += 1
        total += size
    return max(-(-number // REQUEST_MAX_DOCUMENTS), -(-total // REQUEST_MAX_BYTES))
