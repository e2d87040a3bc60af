"""The NDJSON of an export, read line by line: records to embed, and what is wrong with the lines that are none.

Memory does not grow with the file: one line at a time is held, and of one that is too long nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from shared.stream_records import SEQUENCE_DIGITS
from vector_store.changes import RECORD_ID, check_text, parse_json, receipt_of
from vector_store.errors import ChangeInvalid
from vector_store.places import LINES, collection_of

AT = re.compile(rf"\d{{1,{SEQUENCE_DIGITS}}}(?:\.\d{{8}})?", re.ASCII)
"""As an export has it: it may be padded, or a repair's, or neither."""

LINE_MAX_BYTES = 1024 * 1024
"""Titan takes 50,000 characters (user guide, "Amazon Titan Text Embeddings models"), which are at most 600,000 bytes as
JSON writes them."""

CHUNK_BYTES = 64 * 1024


class Record(NamedTuple):
    """A line that can be embedded. `at` is None where the export gave none."""

    line: int
    collection: str
    id: str
    at: str | None
    text: str


class BadRow(NamedTuple):
    """A line that cannot. `reason` says what is wrong and holds none of its text."""

    line: int
    collection: str
    id: str | None
    reason: str


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Wrong(Exception):
    """What is wrong with a line; with it the id, where the line has one."""

    def __init__(self, reason: str, record_id: str | None = None, collection: str = LINES) -> None:
        super().__init__(reason)
        self.record_id = record_id
        self.collection = collection


def read_records(source: Readable, receipt_id: str) -> Iterator[Record | BadRow]:
    """The lines of an export of this receipt, in their order; empty ones are left out. What belongs to no collection
    counts as one of lines."""
    for number, line in _lines(source):
        try:
            yield _record(number, line, receipt_id)
        except _Wrong as wrong:
            yield BadRow(number, wrong.collection, wrong.record_id, str(wrong))


def _lines(source: Readable) -> Iterator[tuple[int, bytes | None]]:
    """The lines with their numbers, from 1; None is one that is longer than is read."""
    number, held, too_long = 1, b"", False
    while chunk := source.read(CHUNK_BYTES):
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            line = held + piece
            if too_long or len(line) > LINE_MAX_BYTES:
                yield number, None
            elif line.strip():
                yield number, line
            number, held, too_long = number + 1, b"", False
        held += rest
        if len(held) > LINE_MAX_BYTES:
            held, too_long = b"", True
    if too_long:
        yield number, None
    elif held.strip():
        yield number, held


def _record(number: int, line: bytes | None, receipt_id: str) -> Record:
    if line is None:
        raise _Wrong(f"the line is longer than {LINE_MAX_BYTES:,} bytes")
    try:
        found = parse_json(line)
    except ChangeInvalid as error:
        raise _Wrong(str(error)) from None
    if not isinstance(found, dict):
        raise _Wrong("the line is no JSON object")
    record_id = found.get("id")
    if not isinstance(record_id, str):
        raise _Wrong("id is missing or no text")
    if not RECORD_ID.fullmatch(record_id):
        raise _Wrong("id is neither <receipt>/<nnnnn>, a line's, nor <receipt>/<nnnnn>/<nnnnn>, a word's")
    collection = collection_of(record_id)
    if receipt_of(record_id) != receipt_id:
        raise _Wrong("id is of another receipt", record_id, collection)
    text, at = found.get("text"), found.get("at")
    if not isinstance(text, str) or not text.strip():
        raise _Wrong("text is missing, no text, or empty", record_id, collection)
    try:
        check_text(text, "text")
    except ChangeInvalid as error:
        raise _Wrong(str(error), record_id, collection) from None
    if at is not None and not (isinstance(at, str) and AT.fullmatch(at)):
        raise _Wrong("at is no sequence number", record_id, collection)
    return Record(number, collection, record_id, at and _padded(at), text)


def _padded(at: str) -> str:
    """A sequence number as the law compares it (docs/vector_store.md): 40 digits, and a repair's suffix."""
    number, dot, suffix = at.partition(".")
    return number.zfill(SEQUENCE_DIGITS) + dot + suffix
