"""What tests of the vector store's functions may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.silence import silenced
from vector_store.telemetry import logger


@pytest.fixture
def quiet() -> Iterator[None]:
    """Many invocations tell nothing new."""
    with silenced(logger):
        yield
