"""The collections, and where in the bucket what is theirs lies. docs/vector_store.md has the table."""

from __future__ import annotations

LINES, WORDS = "lines", "words"
COLLECTIONS = (LINES, WORDS)


def changes_key(collection: str, delta: str) -> str:
    """The file of a delta of changes."""
    return f"{collection}/changes/{delta}.ndjson"


def vectors_prefix(collection: str, run_id: str) -> str:
    """What the keys of a delta of vectors begin with."""
    return f"{collection}/delta/{run_id}/"
