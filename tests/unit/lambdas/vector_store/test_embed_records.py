from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_store.embed_records import CHUNK_BYTES, LINE_MAX_BYTES, BadRow, Record, read_records


def read(body: bytes) -> list[Record | BadRow]:
    return list(read_records(io.BytesIO(body), "r1"))


def only(row: Any) -> Record | BadRow:
    (found,) = read(row if isinstance(row, bytes) else json.dumps(row).encode())
    return found


def test_an_id_says_which_collection_a_record_is_of() -> None:
    assert only({"id": "r1/00001", "text": "TOTAL"}) == Record(1, "lines", "r1/00001", None, "TOTAL")
    assert only({"id": "r1/00001/00002", "text": "TOTAL"}) == Record(1, "words", "r1/00001/00002", None, "TOTAL")


@pytest.mark.parametrize(
    ("at", "padded"),
    [("17", "17".zfill(40)), ("9" * 40, "9" * 40), ("17.00000002", "17".zfill(40) + ".00000002"), (None, None)],
)
def test_a_sequence_number_is_padded(at: str | None, padded: str | None) -> None:
    found = only({"id": "r1/00001", "text": "TOTAL", "at": at})
    assert isinstance(found, Record)
    assert found.at == padded


@pytest.mark.parametrize(
    ("row", "collection", "said"),
    [
        (b"{", "lines", "the line is not JSON at column 2: "),
        (b"\xff", "lines", "the line is not UTF-8 at offset 0"),
        (b"[1]", "lines", "the line is no JSON object"),
        (b"[" * 100_000, "lines", "nested too deeply"),
        (b'{"id": ' + b"9" * 5000 + b"}", "lines", "too many digits"),
        (b'{"id": "r1/00001", "text": "\\ud800"}', "lines", "half of a surrogate pair"),
        ({"text": "TOTAL"}, "lines", "id is missing or no text"),
        ({"id": "r1", "text": "TOTAL"}, "lines", "id is neither"),
        ({"id": "r1/1", "text": "TOTAL"}, "lines", "id is neither"),
        ({"id": "r1/00001/00002/00003", "text": "TOTAL"}, "lines", "id is neither"),
        ({"id": "r2/00001/00002", "text": "TOTAL"}, "words", "id is of another receipt"),
        ({"id": "r1/00001/00002"}, "words", "text is missing"),
        ({"id": "r1/00001", "text": " \n"}, "lines", "text is missing, no text, or empty"),
        ({"id": "r1/00001", "text": 7}, "lines", "text is missing, no text, or empty"),
        ({"id": "r1/00001", "text": "TOTAL", "at": 17}, "lines", "at is no sequence number"),
        ({"id": "r1/00001", "text": "TOTAL", "at": "9" * 41}, "lines", "at is no sequence number"),
        ({"id": "r1/00001", "text": "TOTAL", "at": ""}, "lines", "at is no sequence number"),
    ],
)
def test_a_line_that_is_no_record_is_a_row_with_the_reason(row: Any, collection: str, said: str) -> None:
    found = only(row)
    assert isinstance(found, BadRow)
    assert (found.line, found.collection) == (1, collection)
    assert said in found.reason
    assert "TOTAL" not in found.reason


def test_lines_keep_their_numbers_whatever_stands_between_them() -> None:
    good = json.dumps({"id": "r1/00001", "text": "TOTAL"}).encode()
    body = b"\n".join([good, b"", b"{", b"x" * (LINE_MAX_BYTES + 1), b"   ", good + b"\r", good])
    found = read(body)
    assert [row.line for row in found] == [1, 3, 4, 6, 7]
    assert [type(row) for row in found] == [Record, BadRow, BadRow, Record, Record]
    assert "longer than 1,048,576 bytes" in found[2].reason


def test_a_line_too_long_at_the_end_is_a_row_and_one_of_the_most_is_read() -> None:
    assert "longer than" in only(b"x" * (2 * LINE_MAX_BYTES)).reason  # type: ignore[union-attr]
    head, tail = b'{"id": "r1/00001", "text": "', b'"}'
    text = b"x" * (LINE_MAX_BYTES - len(head) - len(tail))
    assert isinstance(only(head + text + tail), Record)


def test_no_more_is_held_than_a_line() -> None:
    class Endless(io.RawIOBase):
        left = 64

        def read(self, size: int = -1, /) -> bytes:
            assert size == CHUNK_BYTES
            self.left -= 1
            return b"x" * size if self.left else b""

    (found,) = read_records(Endless(), "r1")
    assert isinstance(found, BadRow)


@given(st.lists(st.integers(0, 300), max_size=20), st.integers(1, 500))
def test_chunks_do_not_matter(lengths: list[int], size: int) -> None:
    rows = [{"id": f"r1/{number:05}", "text": "x" * (length + 1)} for number, length in enumerate(lengths)]
    body = b"\n".join(json.dumps(row).encode() for row in rows)

    class Slow(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            return super().read(size)

    found = list(read_records(Slow(body), "r1"))
    assert [(row.line, row.id) for row in found] == [(number + 1, row["id"]) for number, row in enumerate(rows)]
