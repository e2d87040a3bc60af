from __future__ import annotations

import pytest

from millrace.local.dynamodb_updates import DistinctPaths, Path, repeated_section


@pytest.mark.parametrize("second", [("a",), ("a", "b"), ("a", 0)])
def test_paths_of_which_one_is_in_the_other_overlap(second: Path):
    for first, then in ((("a",), second), (second, ("a",))):
        paths = DistinctPaths()
        paths.add(first)
        with pytest.raises(ValueError, match="overlap"):
            paths.add(then)


def test_other_paths_stand_side_by_side():
    paths = DistinctPaths()
    for path in (("a", "b"), ("a", "c"), ("ab",), ("l", 0), ("l", 1)):
        paths.add(path)
    assert len(paths) == 5


def test_a_section_that_comes_twice_is_named():
    assert repeated_section(["SET", "a", "b", "remove", "c"]) is None
    assert repeated_section(["SET", "a", "set", "b"]) == "SET"
