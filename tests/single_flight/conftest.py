"""The embedded AWS of the campaign and the stages on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.single_flight.definitions import Change, as_it_is
from tests.single_flight.stage import Cloud, Stage

StageOf = Callable[..., Stage]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An embedded AWS of its own, because its calls stand still and no wait takes time."""
    cloud = Cloud(tmp_path_factory.mktemp("single-flight"))
    yield cloud
    cloud.instance.stop()


@pytest.fixture(scope="session")
def stage_of(cloud: Cloud) -> StageOf:
    """The stage of the definition with that change; the one that is deployed, where none is given."""
    stages: dict[Change, Stage] = {}

    def get(change: Change = as_it_is) -> Stage:
        if change not in stages:
            stages[change] = Stage(cloud, change)
        return stages[change]

    return get
