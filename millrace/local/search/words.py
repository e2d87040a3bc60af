"""Which words of a question are looked for, and what marks them where they were found."""

from __future__ import annotations

import re

COMMON_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "can",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "its",
        "me",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "should",
        "so",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
QUERY_WORDS = 30
BEGIN, END = "\x01", "\x02"


def expression(text: str) -> str | None:
    """An FTS5 expression that finds any of the text's words; None if there is no word in it.

    Words like "the" are left out, unless there are no others.
    """
    words = re.findall(r"\w+", text.lower())[:QUERY_WORDS]
    telling = [word for word in words if word not in COMMON_WORDS] or words
    return " OR ".join(f'"{word}"' for word in dict.fromkeys(telling)) or None
