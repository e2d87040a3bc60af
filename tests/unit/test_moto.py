"""Tests whose code works in threads may stand on moto."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from moto import mock_aws


def test_transactions_and_plain_writes_of_many_threads_all_take_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName="items",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )

        def write(number: int) -> None:
            put: dict[str, Any] = {"TableName": "items", "Item": {"id": {"S": str(number)}}}
            if number % 2:
                client.put_item(**put)
            else:
                client.transact_write_items(TransactItems=[{"Put": put}])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(200)))
        assert client.scan(TableName="items")["Count"] == 200
