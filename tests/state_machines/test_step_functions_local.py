"""The cases of test_kendra_ingestion.py on Step Functions Local, in a container.

Skipped where Docker or the image is not to be had; REQUIRE_STEP_FUNCTIONS_LOCAL=1 makes that a failure, and
MILLRACE_STEPFUNCTIONS_LOCAL_IMAGE names another image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.state_machines import step_functions_local
from tests.state_machines.cases import CASES, MACHINE, Case, retry_cases
from tests.state_machines.promises import check, check_retries, edges_not_taken, unforeseen_calls
from tests.state_machines.rendering import rendered
from tests.state_machines.running import Run, run_cases

pytestmark = pytest.mark.network


@pytest.fixture(scope="session")
def local_runs(
    definition: dict[str, Any],
    cases: list[Case],
    mocks: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Run]:
    image = step_functions_local.image()
    try:
        step_functions_local.find_image(image)
    except step_functions_local.NotToBeHad as error:
        if step_functions_local.required():
            pytest.fail(f"Step Functions Local: {error}", pytrace=False)
        pytest.skip(f"Step Functions Local: {error}")
    mock_file: Path = tmp_path_factory.mktemp("step-functions-local") / "mocks.json"
    mock_file.write_text(json.dumps(mocks), encoding="utf-8")
    with step_functions_local.started(image, mock_file) as client:
        return run_cases(client, MACHINE, definition, cases)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.promise)
def test_the_execution_goes_the_way_of_its_case(case: Case, local_runs: dict[str, Run]) -> None:
    check(case, local_runs[case.name])


@pytest.mark.parametrize("case", list(retry_cases(rendered())), ids=lambda case: case.promise)
def test_a_task_is_retried_as_its_retrier_says(
    case: Case, local_runs: dict[str, Run], definition: dict[str, Any]
) -> None:
    check_retries(case, local_runs[case.name], definition)


def test_the_cases_together_take_every_edge(local_runs: dict[str, Run], definition: dict[str, Any]) -> None:
    assert edges_not_taken(local_runs.values(), definition) == []


def test_no_case_calls_what_it_does_not_foresee(local_runs: dict[str, Run]) -> None:
    assert unforeseen_calls(local_runs) == []
