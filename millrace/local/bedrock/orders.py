"""What is ordered for the next ingestion jobs of a data source: for tests of whoever starts them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

OUTCOMES = ("COMPLETE", "FAILED", "STOPPED")


class InvalidOrder(ValueError):
    pass


@dataclass(frozen=True)
class Order:
    """How the next `count` jobs of the data source go.

    `seconds` is how long they take, the pace's unless given. With `hold` they go on when they are released. A job that
    is to fail or to be stopped scans the bucket and indexes nothing; `reason` is what a failed one says.
    """

    data_source_id: str
    outcome: str = "COMPLETE"
    count: int = 1
    seconds: float | None = None
    hold: bool = False
    reason: str = "A failure that was ordered"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Order:
        """Raises InvalidOrder."""
        unknown = given.keys() - {known.name for known in fields(cls)}
        if unknown:
            raise InvalidOrder(f"an order has no {', '.join(sorted(unknown))}")
        try:
            order = cls(**given)
        except TypeError as error:
            raise InvalidOrder(str(error)) from None
        if order.outcome not in OUTCOMES:
            raise InvalidOrder(f"an outcome is {', '.join(OUTCOMES)}, not {order.outcome!r}")
        if order.count < 1:
            raise InvalidOrder("count is at least 1")
        if order.seconds is not None and order.seconds < 0:
            raise InvalidOrder("seconds must not be negative")
        return order


class Orders:
    """Those that no job has taken yet. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Order] = []

    def add(self, order: Order) -> None:
        with self._lock:
            self._waiting.append(order)

    def take(self, data_source_id: str) -> Order:
        """The first order for the data source, once less; the plain one if there is none."""
        with self._lock:
            for place, order in enumerate(self._waiting):
                if order.data_source_id == data_source_id:
                    self._waiting[place : place + 1] = (
                        [replace(order, count=order.count - 1)] if order.count > 1 else []
                    )
                    return order
        return Order(data_source_id)

    def all(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(order) for order in self._waiting]

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
