from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.figure import Figure

GOOD = Figure("good", 1, "s", 2, "at most")
BAD = Figure("bad", 3, "s", 2, "at most")


def measuring(monkeypatch: pytest.MonkeyPatch, **figures: Figure) -> None:
    """Put modules with these figures in place of the real ones."""
    monkeypatch.setattr(benchmarks, "names", lambda: sorted(figures))
    modules = {f"benchmarks.{name}": SimpleNamespace(run=lambda each=each: [each]) for name, each in figures.items()}
    monkeypatch.setattr(benchmarks.importlib, "import_module", modules.__getitem__)


def test_what_measures_something_is_found_and_helpers_are_not() -> None:
    assert set(benchmarks.names()) == {
        "changed",
        "compaction",
        "compaction_floor",
        "corpus",
        "demo",
        "incidents",
        "merge_million",
        "options",
        "packing",
        "pairing",
        "plan_million",
        "quota",
        "sync_burst",
    }


def test_a_missed_bar_is_exit_code_1_and_stands_in_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measuring(monkeypatch, one=GOOD, two=BAD)
    assert benchmarks.main([]) == 1
    said = capsys.readouterr().out
    assert "missed" in said
    assert "holds" in said


def test_only_what_is_named_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    measuring(monkeypatch, one=GOOD, two=BAD)
    assert benchmarks.main(["one"]) == 0
    assert "bad" not in capsys.readouterr().out


def test_an_unknown_name_measures_nothing_and_names_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measuring(monkeypatch, one=GOOD)
    assert benchmarks.main(["one", "three"]) == 2
    said = capsys.readouterr()
    assert "three" in said.err
    assert "one" in said.err
    assert said.out == ""
