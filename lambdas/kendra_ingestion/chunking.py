"""How many documents a chunk holds, so that a run of any size stays inside Step Functions' limits.

A chunk costs the execution about a dozen history events of the 25,000 that it may have, and a number in the
state's input. The size doubles every 80 chunks, so it follows from the chunk's number alone: planning
streams, and never needs to know how many documents are still to come.

| documents | chunks | documents in the last chunks |
| ---: | ---: | ---: |
| 1,000 | 10 | 100 |
| 10,000 | 90 | 200 |
| 1,000,000 | 558 | 6,400 |
| 10,000,000 | 818 | 102,400 |
| 49,144,000 | 1,000 | 409,600 |

A Kendra index holds at most about 10,100,000 documents (100,000 in each of 101 storage units, developer
guide)."""

from __future__ import annotations

from kendra_ingestion.errors import PlanTooLarge

FIRST_CHUNK_DOCUMENTS = 100
CHUNKS_OF_ONE_SIZE = 80
MAX_CHUNKS = 1_000


def chunk_size(chunk: int) -> int:
    """The number of documents that the chunk with this number holds when full; a multiple of 10, so that
    every request but a chunk's last is full."""
    if chunk >= MAX_CHUNKS:
        raise PlanTooLarge(
            f"the job has more than the {documents_in(MAX_CHUNKS):,} documents that {MAX_CHUNKS:,} "
            "chunks hold; split the folder into several prefixes, each with its manifest"
        )
    return FIRST_CHUNK_DOCUMENTS << (chunk // CHUNKS_OF_ONE_SIZE)


def documents_in(chunks: int) -> int:
    """The number of documents in that many full chunks."""
    return sum(chunk_size(chunk) for chunk in range(chunks))
