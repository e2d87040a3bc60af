"""The messages of LINES_QUEUE and WORDS_QUEUE: a change, or that a CompactionRun has vectors for the collection."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from shared.stream_records import SEQUENCE_DIGITS
from vector_store.changes import ID, Change, canonical, parse_json, read_change
from vector_store.errors import ChangeInvalid, MessageInvalid

AT = re.compile(rf"\d{{{SEQUENCE_DIGITS}}}", re.ASCII)

PREFIX_MAX_BYTES = 1024
"""Bytes of a key of S3 (S3 user guide, "Naming objects")."""


class VectorsReady(NamedTuple):
    """A run has written vectors for one collection: so many records, under a prefix. `at` is its CompactionRun's,
    padded, and counts for the records that have none of their own."""

    run_id: str
    prefix: str
    records: int
    at: str

    def json(self) -> str:
        """The canonical JSON, on one line."""
        delta = {"run_id": self.run_id, "prefix": self.prefix, "records": self.records}
        return canonical({"delta": delta, "at": self.at})


Message = Change | VectorsReady


def body_of(message: Message) -> str:
    """The body that a queue takes; the same message always has the same one.

    JSON escapes every control character; U+FFFE and U+FFFF, which SQS refuses too (API reference, SendMessageBatch),
    are escaped here."""
    return message.json().replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def read_message(body: str) -> Message:
    """Read a body. Raises MessageInvalid, which names the member and holds no document's text."""
    try:
        value = parse_json(body, "the message")
        if isinstance(value, dict) and "delta" in value:
            return _ready(value)
        return read_change(value)
    except ChangeInvalid as error:
        raise MessageInvalid(str(error)) from error


def _ready(value: dict[str, Any]) -> VectorsReady:
    match value:
        case {"delta": {"run_id": str(run_id), "prefix": str(prefix), "records": int(records)}, "at": str(at)}:
            checks = {
                "delta.run_id": ID.fullmatch(run_id),
                "delta.prefix": prefix.isprintable() and len(prefix.encode("utf-8", "replace")) <= PREFIX_MAX_BYTES,
                "delta.records": records > 0 and not isinstance(records, bool),
                "at": AT.fullmatch(at),
            }
            if wrong := [name for name, good in checks.items() if not good]:
                raise MessageInvalid(f"{' and '.join(wrong)}: not what a CompactionRun says")
            return VectorsReady(run_id, prefix, records, at)
    raise MessageInvalid("a message of vectors has delta (run_id, prefix and records) and at")
