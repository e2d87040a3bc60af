"""Expressions are read as DynamoDB reads them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.model.expressions import InvalidExpression, allows, updated

ITEM = {"n": {"N": "10"}, "owner": {"S": "me"}}
NAMES = {"#n": "n", "#owner": "owner", "#gone": "gone"}
VALUES = {":me": {"S": "me"}, ":you": {"S": "you"}, ":one": {"N": "1"}, ":nine": {"N": "9"}}


def condition(text: str) -> dict[str, Any]:
    return {"ConditionExpression": text, "ExpressionAttributeNames": NAMES, "ExpressionAttributeValues": VALUES}


def update(text: str) -> dict[str, Any]:
    return {
        "Key": {},
        "UpdateExpression": text,
        "ExpressionAttributeNames": NAMES,
        "ExpressionAttributeValues": VALUES,
    }


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("#n > :nine", True),  # as numbers: as text, 10 comes before 9
        ("#n = :nine", False),
        ("attribute_exists(#owner) AND #owner = :you", False),
        ("attribute_not_exists(#gone) AND #owner = :me", True),
        ("#owner = :me OR #owner = :you AND #n = :nine", True),  # AND binds closer
        ("(#owner = :me OR #owner = :you) AND #n = :nine", False),
        ("#gone = :me", False),
        ("#gone <> :me", False),
    ],
)
def test_a_condition_holds_as_dynamodb_says(text: str, holds: bool) -> None:
    assert allows(condition(text), ITEM) is holds


def test_an_update_reads_the_item_as_it_was() -> None:
    assert updated(update("SET #owner = :you, #gone = #owner REMOVE #n"), ITEM) == {
        "owner": {"S": "you"},
        "gone": {"S": "me"},
    }


def test_adding_to_what_is_not_there_begins_at_zero() -> None:
    assert updated(update("ADD #gone :one, #n :one"), ITEM)["gone"] == {"N": "1"}


def test_if_not_exists_reads_its_second_operand_only_where_the_first_is_missing() -> None:
    assert updated(update("SET #owner = if_not_exists(#owner, #gone)"), ITEM) == ITEM
    assert updated(update("SET #gone = if_not_exists(#gone, #owner)"), ITEM)["gone"] == {"S": "me"}


@pytest.mark.parametrize("text", ["SET #owner = #gone", "SET #owner :me", "PUT #owner = :me", "SET #owner = :me %"])
def test_what_dynamodb_refuses_is_an_error(text: str) -> None:
    with pytest.raises(InvalidExpression):
        updated(update(text), ITEM)
