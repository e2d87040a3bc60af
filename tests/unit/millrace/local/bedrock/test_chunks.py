from __future__ import annotations

import pytest

from millrace.local.bedrock.chunks import Chunking, NotEmulated, chunking_of, split


def words(count: int) -> str:
    return " ".join(f"w{number}" for number in range(count))


def test_a_short_text_is_one_chunk():
    assert split("  one\ntwo  ", Chunking(10)) == ["one\ntwo"]


def test_every_word_is_in_a_chunk_and_no_chunk_is_too_long():
    chunks = split(words(1000), Chunking(30))
    assert " ".join(chunks) == words(1000)
    assert max(len(chunk.split()) for chunk in chunks) == 30


def test_a_chunk_ends_with_a_sentence_where_it_can():
    text = "one two three four. five six seven eight nine ten eleven"
    assert split(text, Chunking(6)) == ["one two three four.", "five six seven eight nine ten", "eleven"]


def test_a_sentence_that_ends_too_early_does_not_make_a_tiny_chunk():
    assert split("One. two three four five six seven eight", Chunking(6))[0] == "One. two three four five six"


def test_an_overlap_begins_the_next_chunk_with_the_end_of_the_last():
    assert split("a b c d e f g", Chunking(4, overlap=1)) == ["a b c d", "d e f g"]


def test_an_overlap_of_a_whole_chunk_still_ends():
    assert len(split(words(10), Chunking(2, overlap=2))) < 20


def test_no_chunking_keeps_a_document_whole():
    assert split(words(1000), chunking_of({"chunkingConfiguration": {"chunkingStrategy": "NONE"}})) == [words(1000)]


def test_tokens_are_counted_as_words():
    fixed = {"maxTokens": 400, "overlapPercentage": 10}
    given = {"chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": fixed}
    assert chunking_of({"chunkingConfiguration": given}) == Chunking(300, 30)
    assert chunking_of({}) == Chunking(225)


def test_a_strategy_that_is_not_emulated_is_named():
    with pytest.raises(NotEmulated, match="SEMANTIC"):
        chunking_of({"chunkingConfiguration": {"chunkingStrategy": "SEMANTIC"}})
