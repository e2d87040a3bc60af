from __future__ import annotations

from typing import Any

import pytest

from millrace.local.states.paths import InvalidPath, NoSuchPath, place, read


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", {"a": [1, {"b": 2}]}),
        ("$.a[1].b", 2),
        ("$.a[-1].b", 2),
        ("$['a'][0]", 1),
        ("$.a[*]", [1, {"b": 2}]),
        ("$.a[0:1]", [1]),
        ("$..b", [2]),
    ],
)
def test_a_path_reads_what_it_names(path: str, found: Any) -> None:
    assert read(path, {"a": [1, {"b": 2}]}) == found


@pytest.mark.parametrize("path", ["$.b", "$.a[2]", "$.a[-3]", "$.a.b", "$.b[*]"])
def test_a_definite_path_must_exist(path: str) -> None:
    with pytest.raises(NoSuchPath):
        read(path, {"a": [1, 2]})


def test_a_text_that_is_no_path_is_refused() -> None:
    with pytest.raises(InvalidPath):
        read("$.[", {})


def test_a_value_is_placed_in_a_copy() -> None:
    document = {"a": {"b": 1}}
    assert place("$.a.c.d", document, 2) == {"a": {"b": 1, "c": {"d": 2}}}
    assert document == {"a": {"b": 1}}


def test_the_root_is_replaced() -> None:
    assert place("$", {"a": 1}, [2]) == [2]


@pytest.mark.parametrize(("path", "error"), [("$.a.b.c", NoSuchPath), ("$.l[5]", NoSuchPath), ("$.l[*]", InvalidPath)])
def test_a_value_is_placed_only_where_there_is_one_place(path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        place(path, {"a": {"b": "text"}, "l": [1]}, 0)
