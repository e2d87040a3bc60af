from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.operator.incidents import IncidentStores, incident_stores


@pytest.fixture
def there() -> Iterator[IncidentStores]:
    """Both tables and the bucket, empty."""
    with incident_stores() as stores:
        yield stores
