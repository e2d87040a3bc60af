from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.usage import PRICES, Resource, costs, used
from millrace.executions.view import RunView, Visit

NOW = datetime(2025, 10, 5, 12, tzinfo=UTC)


def view(*retries: int) -> RunView:
    return RunView(visits=[Visit(n, "State", "Task", NOW, "{}", retries=each) for n, each in enumerate(retries)])


def call(action: str, count: int, *, allowed: bool = True) -> dict[str, Any]:
    return {"principal": "millrace-verify", "action": action, "resource": "*", "allowed": allowed, "count": count}


def test_a_retry_is_a_transition_of_its_own() -> None:
    assert used(view(0, 2, 0), [], [])[Resource.TRANSITIONS] == 5


def test_an_invocation_is_read_from_its_report_and_other_lines_are_not() -> None:
    log = [
        "START RequestId: 1 Version: $LATEST",
        '{"message": "REPORT RequestId: no"}',
        "REPORT RequestId: 1\tDuration: 1500 ms\tBilled Duration: 1500 ms\tMemory Size: 512 MB\tMax Memory Used: 0 MB",
        "REPORT RequestId: 2\tDuration: 250 ms\tBilled Duration: 250 ms\tMemory Size: 2048 MB\tMax Memory Used: 0 MB",
    ]
    found = used(view(), log, [])
    assert found[Resource.INVOCATIONS] == 2
    assert found[Resource.GIGABYTE_SECONDS] == pytest.approx(1.5 * 0.5 + 0.25 * 2)


def test_each_write_of_a_transaction_takes_two_units() -> None:
    calls = [call("dynamodb:UpdateItem", 3), call("dynamodb:PutItem", 1), call("dynamodb:GetItem", 4)]
    found = used(view(), [], calls)
    assert (found[Resource.TABLE_WRITES], found[Resource.TABLE_READS]) == (8, 4)


def test_a_refused_call_and_one_that_is_free_cost_nothing() -> None:
    found = used(view(), [], [call("s3:PutObject", 7, allowed=False), call("lambda:InvokeFunction", 9)])
    assert sum(found.values()) == 0


def test_costs_are_summed_by_service() -> None:
    found = {Resource.INVOCATIONS: 1_000_000.0, Resource.GIGABYTE_SECONDS: 1_000_000.0, Resource.TRANSITIONS: 4_000.0}
    assert costs(found) == {"Lambda": pytest.approx(0.2 + 13.3334), "Step Functions": pytest.approx(0.1)}


def test_everything_that_is_counted_has_a_price() -> None:
    assert set(PRICES) == set(Resource)
    assert min(PRICES.values()) > 0
