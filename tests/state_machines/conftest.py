"""Both definitions as the tests run them, their mock file, and the runs of all cases on the embedded engine.

Each fixture has the deploy options as keys; runs are found by their cases' names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.state_machines.answers import SENDING
from tests.state_machines.cases import MACHINES, Case, cases_of, retry_cases
from tests.state_machines.edges import task_names
from tests.state_machines.mocks import mock_file, together
from tests.state_machines.rendering import kendra_ingestion, quickened
from tests.state_machines.running import Run, configure, run_cases


@pytest.fixture(scope="session")
def definitions() -> dict[str, dict[str, Any]]:
    return {option: quickened(kendra_ingestion(option)) for option in MACHINES}


@pytest.fixture(scope="session")
def cases(definitions: dict[str, dict[str, Any]]) -> dict[str, list[Case]]:
    return {
        option: [*cases_of(option), *retry_cases(definition, SENDING[option])]
        for option, definition in definitions.items()
    }


@pytest.fixture(scope="session")
def mocks(definitions: dict[str, dict[str, Any]], cases: dict[str, list[Case]]) -> dict[str, Any]:
    """The content of Step Functions Local's mock file for all cases."""
    return together(
        mock_file(machine, {case.name: case.answers for case in cases[option]}, task_names(definitions[option]))
        for option, machine in MACHINES.items()
    )


@pytest.fixture(scope="session")
def embedded_engine(mocks: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An embedded AWS of its own, because its mock file and its skipped waits hold for the whole instance."""
    folder: Path = tmp_path_factory.mktemp("engine")
    instance = Instance.start(folder, Options(enforce_iam=False))
    try:
        configure(instance, {"stepfunctions._sfn_mock_config": mocks, "stepfunctions._SFN_WAIT_SCALE": 0})
        yield instance
    finally:
        instance.stop()


@pytest.fixture(scope="session")
def runs(
    embedded_engine: Instance, definitions: dict[str, dict[str, Any]], cases: dict[str, list[Case]]
) -> dict[str, dict[str, Run]]:
    client = embedded_engine.client("stepfunctions")
    return {
        option: run_cases(client, machine, definitions[option], cases[option]) for option, machine in MACHINES.items()
    }
