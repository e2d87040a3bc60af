from __future__ import annotations

import pytest

from millrace.local.bedrock.orders import InvalidOrder, Order, Orders


def test_an_order_holds_for_as_many_jobs_as_it_says_and_the_next_order_after_it():
    orders = Orders()
    orders.add(Order("a", "FAILED", count=2))
    orders.add(Order("a", "STOPPED"))
    assert [orders.take("a").outcome for _ in range(4)] == ["FAILED", "FAILED", "STOPPED", "COMPLETE"]


def test_an_order_is_for_one_data_source():
    orders = Orders()
    orders.add(Order("a", "FAILED"))
    assert orders.take("b").outcome == "COMPLETE"
    assert [order["data_source_id"] for order in orders.all()] == ["a"]


def test_forgotten_orders_change_nothing():
    orders = Orders()
    orders.add(Order("a", "FAILED"))
    orders.clear()
    assert orders.take("a") == Order("a")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"outcome": "FAILED"}, "data_source_id"),
        ({"data_source_id": "a", "result": "FAILED"}, "an order has no result"),
        ({"data_source_id": "a", "outcome": "BROKEN"}, "COMPLETE, FAILED, STOPPED, not 'BROKEN'"),
        ({"data_source_id": "a", "count": 0}, "count is at least 1"),
        ({"data_source_id": "a", "seconds": -1}, "seconds must not be negative"),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_name(given, said):
    with pytest.raises(InvalidOrder, match=said):
        Order.of(given)
