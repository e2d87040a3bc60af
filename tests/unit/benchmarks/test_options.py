from __future__ import annotations

import pytest

from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.options import Measured, figures_of
from benchmarks.pipeline import Run
from benchmarks.usage import Resource
from millrace.executions.view import RunView


def measured(seconds: float = 50.0, indexed: int = 5_000, messages: int = 0) -> Measured:
    used = {Resource.TRANSITIONS: 4_000.0, Resource.INVOCATIONS: 1_000_000.0}
    run = Run(seconds, RunView(), {"planned": 5_000, "indexed": indexed, "failed": 5_000 - indexed})
    return Measured(run, {"BatchPutDocument": 500, "BatchGetDocumentStatus": 510}, messages, used)


def figures(**options: Measured) -> dict[str, Figure]:
    return {figure.name.removeprefix("options, "): figure for figure in figures_of(options)}


def test_both_options_stand_beside_each_other() -> None:
    found = figures(sfn=measured(50.0), sqs=measured(200.0, messages=500))
    assert (found["sfn: end to end"].value, found["sqs: end to end"].value) == (100, 25)
    assert (found["sfn: end to end"].holds, found["sqs: end to end"].holds) == (True, False)
    assert (found["sfn: messages"].value, found["sqs: messages"].value) == (0, 500)
    assert found["sqs: BatchGetDocumentStatus"].value == 510


def test_the_cost_is_that_of_a_hundred_thousand_documents() -> None:
    found = figures(sfn=measured())
    assert found["sfn: modelled cost of 100,000, Step Functions"].value == pytest.approx(20 * 0.1)
    assert found["sfn: modelled cost of 100,000, all"].value == pytest.approx(20 * (0.1 + 0.2))


def test_options_that_end_differently_are_not_compared() -> None:
    with pytest.raises(BenchmarkFailed, match="differ"):
        figures(sfn=measured(), sqs=measured(indexed=4_999))
