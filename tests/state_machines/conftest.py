"""The definition as the tests run it, its mock file, and the runs of all cases on the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.local.instance import Instance, Options
from tests.state_machines.cases import CASES, MACHINE, Case, retry_cases
from tests.state_machines.edges import all_states
from tests.state_machines.mocks import mock_file
from tests.state_machines.rendering import quickened, rendered
from tests.state_machines.running import Run, configure, run_cases


@pytest.fixture(scope="session")
def definition() -> dict[str, Any]:
    return quickened(rendered())


@pytest.fixture(scope="session")
def cases(definition: dict[str, Any]) -> list[Case]:
    return [*CASES, *retry_cases(definition)]


@pytest.fixture(scope="session")
def mocks(definition: dict[str, Any], cases: list[Case]) -> dict[str, Any]:
    """The content of Step Functions Local's mock file for all cases."""
    tasks = [name for name, state in all_states(definition).items() if state["Type"] == "Task"]
    return mock_file(MACHINE, {case.name: case.answers for case in cases}, tasks)


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
def runs(embedded_engine: Instance, definition: dict[str, Any], cases: list[Case]) -> dict[str, Run]:
    return run_cases(embedded_engine.client("stepfunctions"), MACHINE, definition, cases)
