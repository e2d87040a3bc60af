"""Stacks, each an embedded AWS with `terraform/` applied to it: one of a kind in a test process, made when needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.stack import Stack, StackOf

pytest.register_assert_rewrite("tests.end_to_end.campaign")


@pytest.fixture(scope="session")
def stack_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackOf]:
    """The stack with that deploy option and that sink."""
    running: dict[tuple[str, str], Stack] = {}

    def get(option: str, sink: str) -> Stack:
        if (option, sink) not in running:
            folder = tmp_path_factory.mktemp(f"{option}-{sink}-")
            running[option, sink] = Stack.up(folder, deploy_option=option, sink=sink)
        return running[option, sink]

    yield get
    for stack in running.values():
        stack.instance.stop()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, stack_of: StackOf) -> Stack:
    """Kendra, with the option that a test is parametrized with (`stack.BOTH_OPTIONS`); else Step Functions alone."""
    return stack_of(getattr(request, "param", "sfn"), "kendra")


@pytest.fixture
def healthy(stack: Stack) -> Iterator[Stack]:
    """The stack, without the faults that other tests ordered, or that this one orders."""
    stack.instance.forget_faults()
    yield stack
    stack.instance.forget_faults()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A folder of the ingestion bucket that no other test uses."""
    return "tests/" + "".join(c if c.isalnum() else "-" for c in request.node.name)


@pytest.fixture
def sample() -> Path:
    return Path(__file__).parents[2] / "sample" / "kendra_ingestion"
