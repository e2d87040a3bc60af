"""What every unit test stands on."""

from __future__ import annotations

from collections.abc import Iterator
from threading import RLock
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber


@pytest.fixture(autouse=True, scope="session")
def moto_answers_one_call_at_a_time() -> Iterator[None]:
    """moto is not made for threads: while one call's transaction copies a table, another's write breaks it."""
    answer, one_at_a_time = BotocoreStubber.process_request, RLock()

    def process_request(self: BotocoreStubber, request: Any) -> Any:
        with one_at_a_time:
            return answer(self, request)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BotocoreStubber, "process_request", process_request)
        yield
