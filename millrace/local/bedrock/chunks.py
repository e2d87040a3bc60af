"""Splitting a document's text into the chunks that are found and shown.

Source: user guide, "How content chunking works for knowledge bases": by default about 300 tokens that end with a
sentence where they can; FIXED_SIZE of a given length and overlap; NONE keeps a document whole. Tokens are counted as
three words to four tokens, because the embedding model that would count them is not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WORDS_PER_TOKEN = 3 / 4
DEFAULT_TOKENS = 300


class NotEmulated(Exception):
    """The strategy exists on AWS and not here; the message is its name."""


@dataclass(frozen=True)
class Chunking:
    """At most `words` words a chunk (None: the whole text), the last `overlap` of which begin the next one too."""

    words: int | None
    overlap: int = 0


def chunking_of(configuration: Mapping[str, Any]) -> Chunking:
    """The chunking of a VectorIngestionConfiguration. Raises NotEmulated."""
    given = configuration.get("chunkingConfiguration")
    if given is None:
        return Chunking(_words(DEFAULT_TOKENS))
    strategy = given["chunkingStrategy"]
    if strategy == "NONE":
        return Chunking(None)
    if strategy != "FIXED_SIZE":
        raise NotEmulated(f"the chunking strategy {strategy}")
    fixed = given.get("fixedSizeChunkingConfiguration", {"maxTokens": DEFAULT_TOKENS, "overlapPercentage": 20})
    words = _words(fixed["maxTokens"])
    return Chunking(words, words * fixed["overlapPercentage"] // 100)


def _words(tokens: int) -> int:
    return max(1, int(tokens * WORDS_PER_TOKEN))


def split(text: str, chunking: Chunking) -> list[str]:
    """The text's chunks, in order; each word is in one of them at least."""
    if chunking.words is None:
        return [text]
    return list(_pieces(text, [match.span() for match in re.finditer(r"\S+", text)], chunking.words, chunking.overlap))


def _pieces(text: str, words: list[tuple[int, int]], most: int, overlap: int) -> Iterator[str]:
    begin = 0
    while begin < len(words):
        end = min(begin + most, len(words))
        if end < len(words):
            end = _end_of_sentence(text, words, begin, end)
        yield text[words[begin][0] : words[end - 1][1]]
        if end == len(words):
            return
        begin = max(end - overlap, begin + 1)


def _end_of_sentence(text: str, words: list[tuple[int, int]], begin: int, end: int) -> int:
    """The last end of a sentence in the second half of the chunk, or the chunk's own end."""
    for position in range(end, begin + (end - begin) // 2, -1):
        if text[words[position - 1][1] - 1] in ".!?":
            return position
    return end
