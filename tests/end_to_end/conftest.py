"""The whole stack, once per test process: an embedded AWS with `terraform/` applied to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.up(tmp_path_factory.mktemp("stack"))
    yield stack
    stack.instance.stop()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A folder of the ingestion bucket that no other test uses."""
    return "tests/" + "".join(c if c.isalnum() else "-" for c in request.node.name)


@pytest.fixture
def sample() -> Path:
    return Path(__file__).parents[2] / "sample" / "kendra_ingestion"
