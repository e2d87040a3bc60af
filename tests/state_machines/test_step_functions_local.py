"""The cases of every machine on Step Functions Local, in a container.

Skipped where Docker or the image is not to be had; REQUIRE_STEP_FUNCTIONS_LOCAL=1 makes that a failure, and
MILLRACE_STEPFUNCTIONS_LOCAL_IMAGE names another image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.state_machines import step_functions_local
from tests.state_machines.cases.case import Case
from tests.state_machines.promises import check, check_retries, edges_not_taken, unforeseen_calls
from tests.state_machines.running import Definitions, Runs, run_cases
from tests.state_machines.suites import ALL_CASES, EACH_CASE, EACH_RETRY_CASE, SUITES, named

pytestmark = pytest.mark.network


@pytest.fixture(scope="session")
def local_runs(definitions: Definitions, mocks: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Runs:
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
        return {name: run_cases(client, name, definition, ALL_CASES[name]) for name, definition in definitions.items()}


@pytest.mark.parametrize(("machine", "case"), EACH_CASE, ids=named)
def test_the_execution_goes_the_way_of_its_case(machine: str, case: Case, local_runs: Runs) -> None:
    check(case, local_runs[machine][case.name])


@pytest.mark.parametrize(("machine", "case"), EACH_RETRY_CASE, ids=named)
def test_a_task_is_retried_as_its_retrier_says(
    machine: str, case: Case, local_runs: Runs, definitions: Definitions
) -> None:
    check_retries(case, local_runs[machine][case.name], definitions[machine])


@pytest.mark.parametrize("machine", SUITES)
def test_the_cases_together_take_every_edge(machine: str, local_runs: Runs, definitions: Definitions) -> None:
    assert edges_not_taken(local_runs[machine].values(), definitions[machine]) == []


@pytest.mark.parametrize("machine", SUITES)
def test_no_case_calls_what_it_does_not_foresee(machine: str, local_runs: Runs) -> None:
    assert unforeseen_calls(local_runs[machine]) == []
