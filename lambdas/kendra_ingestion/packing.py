"""Packing documents into requests.

While ten of the largest documents fit together, packing in order needs exactly ceil(n / 10) requests, and no cleverer
order can do better. Where they do not, packing in order wastes 10 to 40% of the requests: then the largest documents
go first, each to the request that is emptiest (longest processing time, with a heap)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from kendra_ingestion.documents import Document
from shared.batching import cut, fill

T = TypeVar("T")

MEGABYTE = 1024 * 1024

REQUEST_MAX_DOCUMENTS = 10
"""Every operation of both sinks takes 1 to 10 documents or ids (API models)."""

DOCUMENT_MAX_BYTES = 5 * MEGABYTE
"""5 MB of extracted text a document (Kendra quotas); a JSON or text file is its own text. A knowledge base takes as
much in line (API model), so a folder has the same failures with either sink."""


class Limits(NamedTuple):
    """What one put request may carry. A document that alone has more bytes travels alone."""

    documents: int
    bytes: int


KENDRA_LIMITS = Limits(REQUEST_MAX_DOCUMENTS, 50 * MEGABYTE)
"""50 MB in all: the documents of one BatchPutDocument request when they come from S3 (design limit)."""

BEDROCK_LIMITS = Limits(REQUEST_MAX_DOCUMENTS, 4_400_000)
"""6 MB of payload (Bedrock quotas), in which documents travel as text or base64. In base64 4,400,000 bytes are
5,866,668 characters, which leaves 13,000 a document for metadata; as text a third may be escaped. The sink refuses what
is still too large, and the request is cut in halves."""

LIMITS = {"kendra": KENDRA_LIMITS, "bedrock": BEDROCK_LIMITS}


def limits_of(sink: str) -> Limits:
    """The limits of the sink that `Settings.sink` names."""
    return LIMITS[sink]


def pack(documents: Iterable[Document], limits: Limits) -> list[list[Document]]:
    """Pack documents into as few requests within the limits as can be found, in order where that is among the best."""
    given = list(documents)
    in_order = list(fill(given, _size, most=limits.documents, most_bytes=limits.bytes))
    fewest = lower_bound(map(_size, given), limits)
    return _balanced(given, limits, fewest, len(in_order)) or in_order


def in_tens(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut ids into requests of at most 10."""
    return cut(items, REQUEST_MAX_DOCUMENTS)


def lower_bound(sizes: Iterable[int], limits: Limits) -> int:
    """A number of requests that documents of these sizes in bytes cannot do without: those that fill a request travel
    alone, no two that are larger than half a request travel together, and the rest need room."""
    alone = halves = number = total = 0
    for size in sizes:
        if size > limits.bytes:
            alone += 1
        else:
            halves += size * 2 > limits.bytes
            number += 1
            total += size
    return alone + max(halves, -(-number // limits.documents), -(-total // limits.bytes))


def _balanced(documents: Sequence[Document], limits: Limits, fewest: int, too_many: int) -> list[list[Document]] | None:
    """The fewest requests, from `fewest` up to and without `too_many`, over which the documents can be spread, found by
    bisection; None where no such number was."""
    largest_first = sorted(documents, key=_size, reverse=True)
    best = None
    while fewest < too_many:
        middle = (fewest + too_many) // 2
        spread = _spread(largest_first, limits, middle)
        if spread is None:
            fewest = middle + 1
        else:
            best, too_many = spread, middle
    return best


def _spread(largest_first: Sequence[Document], limits: Limits, number: int) -> list[list[Document]] | None:
    """Give each document to the emptiest of that many requests; None where one does not fit."""
    requests: list[list[Document]] = [[] for _ in range(number)]
    open_requests = [(0, place) for place in range(number)]
    for document in largest_first:
        if not open_requests:
            return None
        filled, place = open_requests[0]
        request, filled = requests[place], filled + document["size"]
        if request and filled > limits.bytes:
            return None
        request.append(document)
        if len(request) < limits.documents:
            heapq.heapreplace(open_requests, (filled, place))
        else:
            heapq.heappop(open_requests)
    return requests


def _size(document: Document) -> int:
    return document["size"]
