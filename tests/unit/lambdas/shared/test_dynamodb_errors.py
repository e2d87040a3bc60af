from __future__ import annotations

from botocore.exceptions import ClientError

from shared.dynamodb_errors import CONDITION_FAILED, hindrances, reasons


def cancelled(*codes: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "why"},
            "CancellationReasons": [{"Code": code} for code in codes],
        },
        "TransactWriteItems",
    )


def test_a_cancelled_transaction_tells_each_item_in_order_and_what_hindered_it() -> None:
    error = cancelled("None", CONDITION_FAILED, "TransactionConflict")
    assert reasons(error) == ["None", CONDITION_FAILED, "TransactionConflict"]
    assert hindrances(error) == {CONDITION_FAILED, "TransactionConflict"}


def test_any_other_error_is_told_by_its_code() -> None:
    error = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "GetItem")
    assert reasons(error) == []
    assert hindrances(error) == {"ThrottlingException"}
