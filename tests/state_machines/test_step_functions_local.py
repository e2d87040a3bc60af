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
from tests.state_machines.cases import CASES, MACHINES, RETRY_CASES, Case, named
from tests.state_machines.promises import check, check_retries, edges_not_taken, unforeseen_calls
from tests.state_machines.running import Run, run_cases

pytestmark = pytest.mark.network

Runs = dict[str, dict[str, Run]]
Definitions = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def local_runs(
    definitions: Definitions,
    cases: dict[str, list[Case]],
    mocks: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
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
        return {
            option: run_cases(client, machine, definitions[option], cases[option])
            for option, machine in MACHINES.items()
        }


@pytest.mark.parametrize(("option", "case"), CASES, ids=named)
def test_the_execution_goes_the_way_of_its_case(option: str, case: Case, local_runs: Runs) -> None:
    check(case, local_runs[option][case.name])


@pytest.mark.parametrize(("option", "case"), RETRY_CASES, ids=named)
def test_a_task_is_retried_as_its_retrier_says(
    option: str, case: Case, local_runs: Runs, definitions: Definitions
) -> None:
    check_retries(case, local_runs[option][case.name], definitions[option])


@pytest.mark.parametrize("option", MACHINES)
def test_the_cases_together_take_every_edge(option: str, local_runs: Runs, definitions: Definitions) -> None:
    assert edges_not_taken(local_runs[option].values(), definitions[option]) == []


@pytest.mark.parametrize("option", MACHINES)
def test_no_case_calls_what_it_does_not_foresee(option: str, local_runs: Runs) -> None:
    assert unforeseen_calls(local_runs[option]) == []
