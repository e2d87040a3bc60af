from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figure import Figure
from benchmarks.quota import REQUESTS_PER_SECOND, Told, figures_of, write_documents
from millrace import submission

TOLD = Told("told", 1.0, 0.95)


def counted(calls: int, throttled: int, per_second: float = REQUESTS_PER_SECOND) -> dict[str, Any]:
    return {"calls": calls, "throttled": throttled, "perSecond": per_second}


def figures(put: dict[str, Any], get: dict[str, Any], lost: int = 0) -> dict[str, Figure]:
    found = figures_of(TOLD, {"BatchPutDocument": put, "BatchGetDocumentStatus": get}, lost)
    return {figure.name.partition(": ")[2]: figure for figure in found}


def test_polling_is_counted_apart_from_sending() -> None:
    found = figures(counted(400, 4), counted(500, 100))
    assert found["throttled"].value == pytest.approx(0.01)
    assert found["throttled"].holds
    assert found["throttled, verifying"].value == pytest.approx(0.2)
    assert not found["throttled, verifying"].holds


def test_a_rate_that_is_not_used_misses_its_bar() -> None:
    found = figures(counted(400, 0, 0.94 * REQUESTS_PER_SECOND), counted(400, 0))
    assert found["sustained"].value == pytest.approx(0.94)
    assert not found["sustained"].holds


def test_one_lost_document_misses_its_bar() -> None:
    assert not figures(counted(400, 0), counted(400, 0), lost=1)["lost"].holds


def test_the_documents_are_pairs_with_the_ids_that_are_returned(tmp_path: Path) -> None:
    ids = write_documents(tmp_path, 12)
    found = submission.survey(tmp_path)
    assert (found.pairs, found.flawless) == (12, True)
    written = [json.loads(path.read_bytes())["DocumentId"] for path in sorted(tmp_path.glob("*.metadata.json"))]
    assert written == ids
