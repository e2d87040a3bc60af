"""A small store of words for the benchmarks that compact one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.word_store import WordStore, dynamodb


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WordStore]:
    place: Path = tmp_path_factory.mktemp("words")
    with dynamodb() as client:
        yield WordStore(place, client, words=200, dimension=4)
