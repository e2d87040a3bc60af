from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import generated
from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.plan_million import ModelledClock, figures_of, measured
from kendra_ingestion import aws

FOUND: dict[str, Any] = {
    "documents": 1_000_000,
    "seconds": 80.0,
    "sdkSeconds": 0.0007,
    "passSeconds": [870.0, 300.0],
    "megabytes": 400.0,
    "answerBytes": 2_800,
    "planned": 1_000_000,
    "failed": generated.unpaired(1_000_000),
    "chunks": 558,
    "inChunks": 1_000_000 - generated.unpaired(1_000_000),
}


def figures(**changes: Any) -> dict[str, Figure]:
    return {figure.name.partition(", ")[2]: figure for figure in figures_of(FOUND | changes)}


def test_a_plan_inside_lambdas_limits_holds() -> None:
    assert all(figure.holds for figure in figures_of(FOUND))


@pytest.mark.parametrize(
    "beyond",
    [{"seconds": 901.0}, {"megabytes": 1_770.0}, {"chunks": 1_001}, {"answerBytes": 65_537}, {"passSeconds": [901.0]}],
)
def test_a_plan_beyond_one_of_the_limits_misses_its_bar(beyond: dict[str, Any]) -> None:
    assert sum(not figure.holds for figure in figures_of(FOUND | beyond)) == 1


def test_the_modelled_passes_are_summed_and_the_longest_is_held_to_the_bar() -> None:
    found = figures()
    assert found["all passes with S3's time modelled"].value == 1_170
    assert found["the longest of them"].value == 870


@pytest.mark.parametrize("lost", [{"planned": 999_999}, {"failed": 0}, {"inChunks": 999_000}])
def test_a_plan_that_loses_a_document_has_no_figures(lost: dict[str, Any]) -> None:
    with pytest.raises(BenchmarkFailed, match="1,000,000"):
        figures_of(FOUND | lost)


def test_reading_is_as_slow_as_one_core_or_as_the_connections_let_it(tmp_path: Path) -> None:
    s3 = generated.GeneratedS3(1, tmp_path)
    waiting, computing = ModelledClock(s3, 0.0), ModelledClock(s3, 0.01)
    before = waiting.monotonic(), computing.monotonic()
    s3.reads = 32_000
    assert waiting.monotonic() - before[0] == pytest.approx(100, abs=1)
    assert computing.monotonic() - before[1] == pytest.approx(320, abs=1)


@pytest.fixture
def own_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client of AWS that is kept for a process is made anew here, and not left behind."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    aws.s3.cache_clear()
    yield
    aws.s3.cache_clear()


@pytest.mark.usefixtures("own_client")
def test_a_small_folder_is_planned_whole(tmp_path: Path) -> None:
    found = measured(1_500, tmp_path)
    assert figures_of(found)
    assert (found["planned"], found["failed"], len(found["passSeconds"])) == (1_500, 2, 1)
    assert 0 < found["sdkSeconds"] < 0.1
