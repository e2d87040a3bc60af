from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.documents import Document
from kendra_ingestion.packing import DOCUMENT_MAX_BYTES, REQUEST_MAX_BYTES, in_tens, lower_bound, pack

sizes_within_limit = st.lists(st.integers(0, DOCUMENT_MAX_BYTES), max_size=60)


def documents(sizes: list[int]) -> list[Document]:
    return [{"documentId": str(place), "size": size} for place, size in enumerate(sizes)]


@given(sizes_within_limit)
def test_every_document_is_in_exactly_one_request_in_order(sizes: list[int]) -> None:
    given_documents = documents(sizes)
    assert [document for request in pack(given_documents) for document in request] == given_documents


@given(sizes_within_limit)
def test_no_request_passes_the_limits(sizes: list[int]) -> None:
    for request in pack(documents(sizes)):
        assert 1 <= len(request) <= 10
        assert sum(document["size"] for document in request) <= REQUEST_MAX_BYTES


@given(sizes_within_limit)
def test_documents_of_at_most_5_mb_need_no_request_above_the_lower_bound(sizes: list[int]) -> None:
    assert len(list(pack(documents(sizes)))) == lower_bound(sizes)


@pytest.mark.parametrize("number", [1, 9, 10, 11, 100, 101])
def test_ten_of_the_largest_documents_fit_into_one_request(number: int) -> None:
    assert len(list(pack(documents([DOCUMENT_MAX_BYTES] * number)))) == -(-number // 10)


def test_a_request_is_closed_before_it_grows_past_50_mb() -> None:
    """For a sink that takes larger documents."""
    requests = list(pack(documents([30 * 1024 * 1024, 30 * 1024 * 1024, 1])))
    assert [len(request) for request in requests] == [1, 2]


@given(st.lists(st.text(), max_size=55))
def test_ids_go_in_tens(ids: list[str]) -> None:
    requests = list(in_tens(ids))
    assert [document_id for request in requests for document_id in request] == ids
    assert len(requests) == -(-len(ids) // 10)
    assert all(len(request) <= 10 for request in requests)
