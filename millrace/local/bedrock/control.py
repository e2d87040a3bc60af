"""The ingestion jobs of a data source as tests see and order them, beside the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from millrace.local.bedrock.orders import Order, Orders
from millrace.local.bedrock.store import Job, Store


class Control:
    """A ValueError is the caller's mistake. `wake` tells the ingestion of jobs that changed."""

    def __init__(self, store: Store, orders: Orders, *, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        self._store = store
        self._orders = orders
        self._clock = clock
        self._wake = wake

    def order(self, given: Mapping[str, Any]) -> None:
        """Order what happens to the data source's next jobs; the fields are those of an Order."""
        order = Order.of(given)
        self._check(order.data_source_id)
        self._orders.add(order)

    def orders(self) -> list[dict[str, Any]]:
        """The orders that no job has taken yet."""
        return self._orders.all()

    def forget_orders(self) -> None:
        self._orders.clear()

    def release(self, data_source_id: str) -> int:
        """Let the held jobs of the data source go on; how many there were."""
        self._check(data_source_id)
        with self._store.transaction():
            held = [job for job in self._store.jobs(data_source_id) if job.held and job.ended is None]
            for job in held:
                self._store.change_job(replace(job, held=False))
        self._wake()
        return len(held)

    def jobs(self, data_source_id: str, *, covered: bool) -> list[dict[str, Any]]:
        """The jobs of the data source, the oldest first; with `covered` also which objects each one's scan saw."""
        self._check(data_source_id)
        with self._store.transaction():
            return [self._seen(job, covered) for job in self._store.jobs(data_source_id)]

    def _seen(self, job: Job, covered: bool) -> dict[str, Any]:
        more = {"covered": [one._asdict() for one in self._store.coverage(job.id)]} if covered else {}
        return {**asdict(job), "status": job.status(self._clock()), **more}

    def _check(self, data_source_id: str) -> None:
        if self._store.data_source(data_source_id) is None:
            raise ValueError(f"there is no data source {data_source_id}")
