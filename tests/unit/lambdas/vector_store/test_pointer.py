from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.dynamodb import FakeDynamoDB, Table
from tests.fakes.s3 import client_error
from vector_store.errors import PointerMoved, StoreUnavailable
from vector_store.pointer import Pointer, Pointers


def version(number: int, token: str = "a") -> Pointer:
    return Pointer(number, f"lines/snapshot/{number:010}-{token}/", 10 * number, "f" * 64, "2026-11-22T13:00:00Z")


@pytest.fixture
def pointers() -> Pointers:
    return Pointers(FakeDynamoDB(vector_store=Table("id")), "vector-store")


def test_what_is_published_is_what_is_read(pointers: Pointers) -> None:
    assert pointers.read("lines") is None
    pointers.publish("lines", version(1), over=None)
    pointers.publish("lines", version(2), over=version(1))
    assert pointers.read("lines") == version(2)
    assert pointers.read("words") is None


@pytest.mark.parametrize("over", [None, version(1), version(2, "another")])
def test_nobody_publishes_over_what_they_have_not_read(pointers: Pointers, over: Pointer | None) -> None:
    pointers.publish("lines", version(2), over=None)
    with pytest.raises(PointerMoved, match="version 3 is not published"):
        pointers.publish("lines", version(3), over=over)
    assert pointers.read("lines") == version(2)


class Throttled:
    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> None:
            raise client_error(name, "ThrottlingException")

        return call


def test_a_table_that_throttles_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        Pointers(Throttled(), "vector-store").read("lines")
    with pytest.raises(StoreUnavailable):
        Pointers(Throttled(), "vector-store").publish("lines", version(1), over=None)
