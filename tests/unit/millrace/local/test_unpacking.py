from __future__ import annotations

from pathlib import Path

from millrace.local.unpacking import unpack
from tests.fakes.deployed import archive


def test_the_same_package_is_unpacked_once(tmp_path: Path):
    first = unpack(tmp_path, "task", [archive({"a.py": "x = 1"})])
    marked = (first / "a.py").stat().st_ino
    again = unpack(tmp_path, "task", [archive({"a.py": "x = 1"})])
    other = unpack(tmp_path, "task", [archive({"a.py": "x = 2"})])
    assert first == again
    assert other != first
    assert (again / "a.py").stat().st_ino == marked


def test_packages_lie_over_each_other_in_their_order(tmp_path: Path):
    place = unpack(tmp_path, "opt", [archive({"a": "1", "b": "1"}), archive({"b": "2"})])
    assert ((place / "a").read_text(), (place / "b").read_text()) == ("1", "2")
