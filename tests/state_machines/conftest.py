"""Every machine's definition as the tests run it, its mock file, and the runs of all cases on the embedded engine.

Each fixture has the machines' names as keys; runs are found by their cases' names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.state_machines.edges import task_names
from tests.state_machines.mocks import mock_file, together
from tests.state_machines.running import Run, run_cases
from tests.state_machines.suites import ALL_CASES, SUITES
from tests.substrate import MOCKS, WAIT_SCALE, configure


@pytest.fixture(scope="session")
def definitions() -> dict[str, dict[str, Any]]:
    return {name: suite.definition() for name, suite in SUITES.items()}


@pytest.fixture(scope="session")
def mocks(definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The content of Step Functions Local's mock file for all cases."""
    return together(
        mock_file(name, {case.name: case.answers for case in ALL_CASES[name]}, task_names(definition))
        for name, definition in definitions.items()
    )


@pytest.fixture(scope="session")
def embedded_engine(mocks: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An embedded AWS of its own, because its mock file and its skipped waits hold for the whole instance."""
    folder: Path = tmp_path_factory.mktemp("engine")
    instance = Instance.start(folder, Options(enforce_iam=False))
    try:
        configure(instance, {MOCKS: mocks, WAIT_SCALE: 0})
        yield instance
    finally:
        instance.stop()


@pytest.fixture(scope="session")
def runs(embedded_engine: Instance, definitions: dict[str, dict[str, Any]]) -> dict[str, dict[str, Run]]:
    client = embedded_engine.client("stepfunctions")
    return {name: run_cases(client, name, definition, ALL_CASES[name]) for name, definition in definitions.items()}
