"""benchmarks/plan_million.py plans 1,000,000 documents; this plans so many that the rest can be foretold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from benchmarks import generated
from benchmarks.plan_million import ENVIRONMENT, LAMBDA_MEGABYTES, MOST_ANSWER_BYTES
from kendra_ingestion.chunking import MAX_CHUNKS, documents_in

FEW, MANY, MILLION = 5_000, 25_000, 1_000_000


def planned(documents: int) -> dict[str, Any]:
    """What planning that many took, in a process of its own, whose memory is that of planning alone."""
    command = [sys.executable, "-m", "benchmarks.plan_million", str(documents)]
    environment = {**os.environ, **ENVIRONMENT}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


@pytest.fixture(scope="module")
def many() -> dict[str, Any]:
    return planned(MANY)


def test_a_large_folder_is_planned_whole(many: dict[str, Any]) -> None:
    assert (many["planned"], many["failed"]) == (MANY, generated.unpaired(MANY))
    assert many["inChunks"] == MANY - many["failed"]
    assert documents_in(many["chunks"] - 1) < many["inChunks"] <= documents_in(many["chunks"])


def test_a_thousand_chunks_make_a_short_answer(many: dict[str, Any]) -> None:
    assert many["answerBytes"] / many["chunks"] * MAX_CHUNKS < MOST_ANSWER_BYTES / 4


def test_a_million_documents_fit_into_the_functions_memory(many: dict[str, Any]) -> None:
    a_document = (many["megabytes"] - planned(FEW)["megabytes"]) / (MANY - FEW)
    assert many["megabytes"] + a_document * (MILLION - MANY) < LAMBDA_MEGABYTES / 2
