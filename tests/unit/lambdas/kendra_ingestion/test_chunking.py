from __future__ import annotations

import pytest

from kendra_ingestion.chunking import MAX_CHUNKS, chunk_size, documents_in
from kendra_ingestion.errors import PlanTooLarge


def chunks_of(documents: int) -> int:
    number = 0
    while documents > 0:
        documents -= chunk_size(number)
        number += 1
    return number


@pytest.mark.parametrize(
    ("documents", "chunks", "last"),
    [(1_000, 10, 100), (10_000, 90, 200), (1_000_000, 558, 6_400), (10_000_000, 818, 102_400)],
)
def test_a_run_of_any_size_has_at_most_a_thousand_chunks(documents: int, chunks: int, last: int) -> None:
    assert chunks_of(documents) == chunks <= MAX_CHUNKS
    assert chunk_size(chunks - 1) == last


def test_a_thousand_chunks_hold_more_than_a_kendra_index() -> None:
    assert documents_in(MAX_CHUNKS) == 49_144_000 > 101 * 100_000


def test_chunks_never_shrink_and_hold_whole_requests() -> None:
    sizes = [chunk_size(number) for number in range(MAX_CHUNKS)]
    assert sizes == sorted(sizes)
    assert all(size % 10 == 0 for size in sizes)


def test_no_chunk_is_a_large_part_of_the_run() -> None:
    """A worker that takes the last chunk alone must not hold up the run for long."""
    for number in range(200, MAX_CHUNKS, 7):
        assert chunk_size(number) <= 0.02 * documents_in(number)


def test_more_documents_than_that_are_refused_with_advice() -> None:
    with pytest.raises(PlanTooLarge, match=r"more than the 49,144,000 documents.*split the folder"):
        chunk_size(MAX_CHUNKS)
