"""The collections, and where in the bucket what is theirs lies. docs/vector_store.md has the table."""

from __future__ import annotations

LINES, WORDS = "lines", "words"
COLLECTIONS = (LINES, WORDS)


def collection_of(record_id: str) -> str:
    """The collection of a record, whose id has two parts in lines and three in words."""
    return WORDS if record_id.count("/") > 1 else LINES


def repair_export_key(token: str, receipt_id: str) -> str:
    """The export of a receipt's texts that a check has found without vectors."""
    return f"exports/check/{token}/{receipt_id}.ndjson"


def changes_key(collection: str, delta: str) -> str:
    """The file of a delta of changes."""
    return f"{collection}/changes/{delta}.ndjson"


def vectors_prefix(collection: str, run_id: str) -> str:
    """What the keys of a delta of vectors begin with."""
    return f"{collection}/delta/{run_id}/"
