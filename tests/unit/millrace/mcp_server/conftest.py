from __future__ import annotations

import pytest

from millrace import deployment
from millrace.cli.context import Context
from millrace.mcp_server import batches
from tests.fakes.operator.mcp_world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """What every call of the test talks to; looks and tries follow each other fast."""
    world = World()
    monkeypatch.setattr(deployment, "find", world.find)
    monkeypatch.setattr(Context, "seconds_between_looks", 0.01)
    monkeypatch.setattr(batches, "SECONDS_BETWEEN_TRIES", 0.01)
    return world
