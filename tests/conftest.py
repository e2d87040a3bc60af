"""What every test may ask for: `embedded_aws`, one embedded AWS per test process, stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millrace.local.instance import Instance, Options


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance.start(tmp_path_factory.mktemp("embedded-aws"), Options())
    yield instance
    instance.stop()
