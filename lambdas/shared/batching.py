"""Cutting what comes one by one into what a call takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def cut(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """Lists of at most so many items, in order, all but the last of them full."""
    rest = iter(items)
    while some := list(islice(rest, most)):
        yield some


def fill(items: Iterable[T], size_of: Callable[[T], int], *, most: int, most_bytes: int) -> Iterator[list[T]]:
    """Lists of at most so many items and bytes, in order, each as full as it can be. An item that is larger than a list
    may be stands alone."""
    some: list[T] = []
    filled = 0
    for item in items:
        size = size_of(item)
        if some and (len(some) == most or filled + size > most_bytes):
            yield some
            some, filled = [], 0
        some.append(item)
        filled += size
    if some:
        yield some
