from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.operator.vectors import VectorStores, vector_stores


@pytest.fixture
def there() -> Iterator[VectorStores]:
    """The tables, the bucket and the queues, empty."""
    with vector_stores() as stores:
        yield stores
