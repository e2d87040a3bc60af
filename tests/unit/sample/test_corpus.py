"""A corpus from Python's own documentation: large, unique, the same each time."""

from __future__ import annotations

import json
import os
import sysconfig
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from sample.kendra_ingestion import corpus
from sample.kendra_ingestion.corpus import Entry, entries, entries_of_module, main, metadata, write

ATTRIBUTES = Path(__file__).parents[3] / "sample" / "kendra_ingestion" / "index_attributes.json"
SOURCE = b'''"""A module."""

class Shape(Base):
    """A shape."""

    def area(self, scale, *, unit="m"):
        """Its area."""
        def inner():
            """A helper."""

if True:
    async def fetch(address):
        """Fetch it."""

def silent():
    pass
'''


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_modules_classes_methods_and_functions_are_found_wherever_they_stand() -> None:
    found = [(entry.name, entry.kind, entry.line) for entry in entries_of_module("shapes", SOURCE)]
    assert found == [
        ("", "module", 1),
        ("Shape", "class", 3),
        ("Shape.area", "method", 6),
        ("Shape.area.inner", "function", 8),
        ("fetch", "function", 12),
    ]


def test_a_signature_and_its_parameters_are_those_of_the_source() -> None:
    by_name = {entry.name: entry for entry in entries_of_module("shapes", SOURCE)}
    assert by_name["Shape"].signature == "class Shape(Base)"
    assert by_name["Shape.area"].signature == "def area(self, scale, *, unit='m')"
    assert by_name["Shape.area"].parameters == ("scale", "unit")
    assert by_name["fetch"].signature == "async def fetch(address)"


def test_a_source_that_cannot_be_parsed_is_passed_over() -> None:
    assert list(entries_of_module("template", b"def {name}():")) == []


def test_a_name_defined_twice_gets_two_ids(tmp_path: Path) -> None:
    twice = [Entry("m", "f", "function", line, "def f()", (), "It.") for line in (3, 9)]
    assert write(iter(twice), tmp_path) == 2
    ids = {json.loads(path.read_bytes())["DocumentId"] for path in tmp_path.rglob("*.metadata.json")}
    assert ids == {"python/m.f", "python/m.f:9"}


def test_names_that_differ_in_case_alone_do_not_meet_on_any_file_system(tmp_path: Path) -> None:
    both = [Entry("m", name, "class", 1, "", (), "It.") for name in ("Lock", "lock")]
    write(iter(both), tmp_path)
    assert len({name.lower() for name in read(tmp_path)}) == 4


def test_half_a_surrogate_pair_is_written_as_valid_utf8(tmp_path: Path) -> None:
    write(iter([Entry("m", "f", "function", 1, "def f()", (), "half \ud800 a pair")]), tmp_path)
    (body,) = [path for path in tmp_path.rglob("*.json") if not path.name.endswith(".metadata.json")]
    assert json.loads(body.read_text("utf-8"))["documentation"] == "half ? a pair"


def test_every_attribute_is_defined_by_the_index_with_its_type() -> None:
    types = {entry["Name"]: entry["Type"] for entry in json.loads(ATTRIBUTES.read_text())}
    python_types: dict[str, type[Any]] = {"STRING_VALUE": str, "LONG_VALUE": int, "STRING_LIST_VALUE": list}
    many = Entry("m", "f", "function", 1, "def f()", tuple(f"p{n}" for n in range(30)), "It.")
    attributes = metadata(many, "python/m.f")["Attributes"]
    for name, value in attributes.items():
        assert isinstance(value, python_types[types[name]])
    assert len(attributes["parameters"]) == 10


def test_the_library_of_this_python_gives_thousands_of_documents_the_same_each_time(tmp_path: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    assert sum(1 for _ in islice(entries(library), corpus.MINIMUM)) == corpus.MINIMUM
    for name in ("one", "two"):
        write(islice(entries(library), 300), tmp_path / name)
    assert read(tmp_path / "one") == read(tmp_path / "two")


def test_the_librarys_tests_are_no_part_of_it(tmp_path: Path) -> None:
    for place in ("json/decoder.py", "test/test_json.py", "site-packages/other.py"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text('"""A module."""')
    assert [entry.module for entry in entries(tmp_path)] == ["json.decoder"]


class TestCommand:
    def test_a_limit_is_kept(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([str(tmp_path / "corpus"), "--limit", "20"]) == 0
        assert len(read(tmp_path / "corpus")) == 40
        assert "20 documents" in capsys.readouterr().out

    def test_a_folder_that_holds_something_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(SystemExit) as ended:
            main([str(tmp_path)])
        assert ended.value.code == 2
        assert os.listdir(tmp_path) == ["thesis.txt"]  # noqa: PTH208

    def test_too_few_documents_are_an_error_that_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "library").mkdir()
        monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path / "library"))
        assert main([str(tmp_path / "corpus")]) == 1
        assert "only 0 documents" in capsys.readouterr().err
