from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.batching import cut, fill

sizes = st.lists(st.integers(0, 30), max_size=60)


@given(sizes, st.integers(1, 12))
def test_what_is_cut_is_whole_in_order_and_full_but_for_the_end(items: list[int], most: int) -> None:
    lists = list(cut(items, most))
    assert [item for some in lists for item in some] == items
    assert all(len(some) == most for some in lists[:-1])
    assert all(1 <= len(some) <= most for some in lists)


@given(sizes, st.integers(1, 12), st.integers(1, 40))
def test_what_is_filled_is_whole_in_order_and_within_both_limits(items: list[int], most: int, most_bytes: int) -> None:
    lists = list(fill(items, lambda item: item, most=most, most_bytes=most_bytes))
    assert [item for some in lists for item in some] == items
    for some in lists:
        assert 1 <= len(some) <= most
        assert sum(some) <= most_bytes or len(some) == 1
    for some, following in pairwise(lists):
        assert len(some) == most or sum(some) + following[0] > most_bytes
