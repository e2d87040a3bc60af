from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.documents import Document
from kendra_ingestion.packing import (
    BEDROCK_LIMITS,
    DOCUMENT_MAX_BYTES,
    KENDRA_LIMITS,
    LIMITS,
    MEGABYTE,
    Limits,
    in_tens,
    limits_of,
    lower_bound,
    pack,
)
from kendra_ingestion.settings import SINKS

ALL_LIMITS = list(LIMITS.values())
SEED = 20251005

sizes_within_limit = st.lists(st.integers(0, DOCUMENT_MAX_BYTES), max_size=60)
any_sizes = sizes_within_limit | st.lists(st.sampled_from([0, 1, 9, 10, 11, 20, 21]), max_size=60)
any_limits = st.sampled_from([*ALL_LIMITS, Limits(3, 20)])


def documents(sizes: list[int]) -> list[Document]:
    return [{"documentId": str(place), "size": size} for place, size in enumerate(sizes)]


def ids(requests: list[list[Document]]) -> list[str]:
    return [document["documentId"] for request in requests for document in request]


def in_order(sizes: list[int], limits: Limits) -> int:
    """How many requests it takes to close each one when the next document does not fit."""
    requests, number, filled = 0, limits.documents, 0
    for size in sizes:
        if number == limits.documents or filled + size > limits.bytes:
            requests, number, filled = requests + 1, 0, 0
        number, filled = number + 1, filled + size
    return requests


@given(any_sizes, any_limits)
def test_every_document_is_in_exactly_one_request(sizes: list[int], limits: Limits) -> None:
    assert sorted(ids(pack(documents(sizes), limits)), key=int) == [str(place) for place in range(len(sizes))]


@given(any_sizes, any_limits)
def test_no_request_passes_the_limits(sizes: list[int], limits: Limits) -> None:
    """A document that passes them alone travels alone."""
    for request in pack(documents(sizes), limits):
        assert 1 <= len(request) <= limits.documents
        assert sum(document["size"] for document in request) <= limits.bytes or len(request) == 1


@given(any_sizes, any_limits)
def test_packing_is_between_the_lower_bound_and_packing_in_order(sizes: list[int], limits: Limits) -> None:
    assert lower_bound(sizes, limits) <= len(pack(documents(sizes), limits)) <= in_order(sizes, limits)


@given(any_sizes, any_limits)
def test_the_same_documents_are_packed_the_same_way(sizes: list[int], limits: Limits) -> None:
    assert pack(documents(sizes), limits) == pack(iter(documents(sizes)), limits)


@given(sizes_within_limit)
def test_what_kendra_takes_is_packed_in_order_and_at_the_lower_bound(sizes: list[int]) -> None:
    """Ten of its largest documents fit together."""
    requests = pack(documents(sizes), KENDRA_LIMITS)
    assert len(requests) == lower_bound(sizes, KENDRA_LIMITS)
    assert ids(requests) == [str(place) for place in range(len(sizes))]


@given(st.lists(st.integers(0, BEDROCK_LIMITS.bytes // 10), max_size=60))
def test_small_documents_are_packed_in_order_and_at_the_lower_bound_for_bedrock_too(sizes: list[int]) -> None:
    requests = pack(documents(sizes), BEDROCK_LIMITS)
    assert len(requests) == lower_bound(sizes, BEDROCK_LIMITS)
    assert ids(requests) == [str(place) for place in range(len(sizes))]


@pytest.mark.parametrize("number", [1, 9, 10, 11, 100, 101])
def test_ten_of_the_largest_documents_fit_into_one_request_to_kendra(number: int) -> None:
    assert len(pack(documents([DOCUMENT_MAX_BYTES] * number), KENDRA_LIMITS)) == -(-number // 10)


@pytest.mark.parametrize("number", [1_000, 6_400])
@pytest.mark.parametrize(
    ("size", "at_most"),
    [
        pytest.param(lambda chance: chance.randint(1_000, DOCUMENT_MAX_BYTES), 1.03, id="mixed, to 5 MB"),
        pytest.param(lambda chance: min(DOCUMENT_MAX_BYTES, int(chance.lognormvariate(10.8, 2))), 1.03, id="long tail"),
        pytest.param(
            lambda chance: min(DOCUMENT_MAX_BYTES, int(chance.lognormvariate(12.6, 1.5))), 1.03, id="heavy tail"
        ),
        pytest.param(lambda chance: 3_000_000 if chance.random() < 0.1 else 2_000, 1.03, id="a tenth is large"),
        pytest.param(lambda chance: chance.randint(4 * MEGABYTE, DOCUMENT_MAX_BYTES), 1.03, id="large"),
        pytest.param(lambda chance: chance.randint(1_000, 2_000_000), 1.05, id="mixed, to 2 MB"),
        pytest.param(lambda chance: chance.randint(1_000_000, 2_000_000), 1.18, id="three seldom fit together"),
    ],
)
def test_large_documents_need_few_requests_above_the_lower_bound(
    size: Callable[[random.Random], int], at_most: float, number: int
) -> None:
    """The last distribution's bound counts bytes alone, and cannot be reached."""
    chance = random.Random(SEED)
    sizes = [size(chance) for _ in range(number)]
    assert len(pack(documents(sizes), BEDROCK_LIMITS)) <= at_most * lower_bound(sizes, BEDROCK_LIMITS)


def test_the_lower_bound_knows_what_cannot_travel_together() -> None:
    limits = Limits(documents=3, bytes=20)
    assert lower_bound([], limits) == 0
    assert lower_bound([1] * 7, limits) == 3
    assert lower_bound([11, 11, 11], limits) == 3
    assert lower_bound([7, 7, 7], limits) == 2
    assert lower_bound([21, 1, 1, 1], limits) == 2


def test_every_sink_has_limits() -> None:
    assert set(LIMITS) == set(SINKS)
    assert limits_of("kendra") == (10, 50 * MEGABYTE)


def test_bytes_packed_for_bedrock_fit_into_6_mb_as_base64_with_room_for_metadata() -> None:
    as_base64 = -(-BEDROCK_LIMITS.bytes // 3) * 4
    assert as_base64 + BEDROCK_LIMITS.documents * 13_000 <= 6_000_000


@given(st.lists(st.text(), max_size=55))
def test_ids_go_in_tens(given_ids: list[str]) -> None:
    requests = list(in_tens(given_ids))
    assert [document_id for request in requests for document_id in request] == given_ids
    assert len(requests) == -(-len(given_ids) // 10)
    assert all(len(request) <= 10 for request in requests)
