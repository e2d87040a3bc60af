"""Every machine on the embedded engine: each case goes its way, and together those of a machine take every edge."""

from __future__ import annotations

import pytest

from tests.state_machines.cases.case import Case
from tests.state_machines.promises import check, check_retries, edges_not_taken, unforeseen_calls
from tests.state_machines.running import Definitions, Runs
from tests.state_machines.suites import EACH_CASE, EACH_RETRY_CASE, SUITES, named

pytestmark = pytest.mark.network


@pytest.mark.parametrize(("machine", "case"), EACH_CASE, ids=named)
def test_the_execution_goes_the_way_of_its_case(machine: str, case: Case, runs: Runs) -> None:
    check(case, runs[machine][case.name])


@pytest.mark.parametrize(("machine", "case"), EACH_RETRY_CASE, ids=named)
def test_a_task_is_retried_as_its_retrier_says(machine: str, case: Case, runs: Runs, definitions: Definitions) -> None:
    check_retries(case, runs[machine][case.name], definitions[machine])


@pytest.mark.parametrize("machine", SUITES)
def test_the_cases_together_take_every_edge(machine: str, runs: Runs, definitions: Definitions) -> None:
    assert edges_not_taken(runs[machine].values(), definitions[machine]) == []


@pytest.mark.parametrize("machine", SUITES)
def test_no_case_calls_what_it_does_not_foresee(machine: str, runs: Runs) -> None:
    assert unforeseen_calls(runs[machine]) == []
