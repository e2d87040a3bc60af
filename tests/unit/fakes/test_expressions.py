"""Expressions are read as DynamoDB reads them."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest

from tests.fakes.expressions import Expressions, InvalidExpression

ITEM = {
    "id": {"S": "one"},
    "n": {"N": "10"},
    "owner": {"S": "me"},
    "mark": {"M": {"synced": {"BOOL": True}, "at": {"S": "noon"}}},
}
NAMES = {f"#{name}": name for name in ("id", "n", "owner", "gone", "mark", "synced", "at")}
VALUES = {
    ":me": {"S": "me"},
    ":you": {"S": "you"},
    ":one": {"N": "1"},
    ":nine": {"N": "9"},
    ":ten": {"N": "10.0"},
    ":true": {"BOOL": True},
    ":noon": {"S": "noon"},
    ":mark": {"M": {"synced": {"BOOL": False}}},
}


def request(**texts: str) -> dict[str, Any]:
    """A request with these expressions, and the names and values that they use."""
    used = set(re.findall(r"[#:]\w+", " ".join(texts.values())))
    return {
        "Key": {"id": ITEM["id"]},
        "ExpressionAttributeNames": {token: name for token, name in NAMES.items() if token in used},
        "ExpressionAttributeValues": {token: value for token, value in VALUES.items() if token in used},
        **{f"{kind}Expression": text for kind, text in texts.items()},
    }


def updated(text: str) -> dict[str, Any]:
    """What an update makes of the item, which must stay as it is."""
    before = deepcopy(ITEM)
    after = Expressions(request(Update=text)).updated(ITEM)
    assert before == ITEM
    return after


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("#n > :nine", True),  # as numbers: as text, 10 comes before 9
        ("#n = :nine", False),
        ("#n = :ten", True),
        ("attribute_exists(#owner) AND #owner = :you", False),
        ("attribute_not_exists(#gone) AND #owner = :me", True),
        ("#owner = :me OR #owner = :you AND #n = :nine", True),  # AND binds closer
        ("(#owner = :me OR #owner = :you) AND #n = :nine", False),
        ("#gone = :me", False),
        ("#gone <> :me", True),
        ("#gone < :me", False),
        ("#n <> :me", True),
        ("#n < :me OR #n >= :me", False),  # another type
        ("#mark.#synced = :true AND #mark.#at <= :noon", True),
        ("attribute_exists(#mark.#gone)", False),
        ("attribute_exists(#owner.#at) OR attribute_exists(#gone.#at)", False),
        ("#mark = :mark", False),
    ],
)
def test_a_condition_holds_as_dynamodb_says(text: str, holds: bool) -> None:
    assert Expressions(request(Condition=text)).allow(ITEM) is holds


def test_without_a_condition_every_item_is_allowed() -> None:
    assert Expressions({}).allow({})


def test_an_update_reads_the_item_as_it_was() -> None:
    after = updated("SET #owner = :you, #gone = #owner REMOVE #n, #mark")
    assert after == {"id": {"S": "one"}, "owner": {"S": "you"}, "gone": {"S": "me"}}


def test_an_update_makes_an_item_with_its_key() -> None:
    assert Expressions(request(Update="ADD #n :one")).updated({}) == {"id": {"S": "one"}, "n": {"N": "1"}}


def test_adding_to_what_is_not_there_begins_at_zero() -> None:
    after = updated("ADD #gone :one, #n :one")
    assert (after["gone"], after["n"]) == ({"N": "1"}, {"N": "11"})


def test_if_not_exists_reads_its_second_operand_only_where_the_first_is_missing() -> None:
    assert updated("SET #owner = if_not_exists(#owner, #gone)") == ITEM
    assert updated("SET #gone = if_not_exists(#gone, #owner)")["gone"] == {"S": "me"}


def test_an_update_reaches_into_maps() -> None:
    after = updated("SET #mark.#synced = :true, #mark.#gone = #mark.#at REMOVE #mark.#at")
    assert after["mark"] == {"M": {"synced": {"BOOL": True}, "gone": {"S": "noon"}}}


@pytest.mark.parametrize(
    ("text", "selected"),
    [("#owner = :me", True), ("#owner = :you", False), ("#owner = :me AND #n < :nine", False), ("#gone = :me", False)],
)
def test_a_key_condition_selects_items(text: str, selected: bool) -> None:
    assert Expressions(request(KeyCondition=text)).select(ITEM) is selected


def test_a_projection_gives_what_is_there() -> None:
    assert Expressions(request(Projection="#owner, #gone,#n")).projected(ITEM) == {
        "owner": {"S": "me"},
        "n": {"N": "10"},
    }
    assert Expressions({}).projected(ITEM) == ITEM


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Condition", ""),
        ("Condition", "#owner"),
        ("Condition", "#owner = :me AND"),
        ("Condition", "(#owner = :me"),
        ("Condition", "#owner = :me)"),
        ("Condition", "owner = :me"),
        ("Condition", "attribute_exists(:me)"),
        ("Condition", "begins_with(#owner, :me)"),
        ("Condition", "#owner = :me %"),
        ("Update", ""),
        ("Update", "SET #owner :me"),
        ("Update", "SET #owner = :me,"),
        ("Update", "SET #owner = :me SET #n = :one"),
        ("Update", "PUT #owner = :me"),
        ("Update", "ADD #n #n"),
        ("Update", "SET #mark = :mark REMOVE #mark.#at"),
        ("Update", "SET #n = :one REMOVE #n"),
        ("KeyCondition", "#owner < :me"),
        ("KeyCondition", "#owner = :me AND #n <> :one"),
        ("KeyCondition", "#owner = :me OR #n = :one"),
        ("Projection", "owner"),
        ("Projection", "#owner #n"),
        ("Projection", "#mark.#at"),
    ],
)
def test_an_expression_that_cannot_be_read_is_refused_with_its_request(kind: str, text: str) -> None:
    with pytest.raises(InvalidExpression):
        Expressions(request(**{kind: text}))


@pytest.mark.parametrize(
    "text",
    [
        "SET #owner = #gone",
        "SET #gone.#at = :noon",
        "SET #owner.#at = :noon",
        "REMOVE #gone.#at",
        "SET #id = :me",
        "ADD #owner :one",
        "ADD #n :me",
    ],
)
def test_an_update_that_the_item_has_no_place_for_is_refused(text: str) -> None:
    with pytest.raises(InvalidExpression):
        updated(text)


def test_what_has_no_order_is_not_compared() -> None:
    with pytest.raises(InvalidExpression, match="have no order"):
        Expressions(request(Condition="#mark < :mark")).allow(ITEM)


@pytest.mark.parametrize("kind", ["Names", "Values"])
def test_what_an_expression_uses_must_be_given(kind: str) -> None:
    asked = request(Condition="#owner = :me", Update="SET #n = :one")
    asked[f"ExpressionAttribute{kind}"].popitem()
    with pytest.raises(InvalidExpression, match="is not given"):
        Expressions(asked)


@pytest.mark.parametrize(("kind", "more"), [("Names", {"#gone": "gone"}), ("Values", {":you": {"S": "you"}})])
def test_nothing_may_be_given_in_vain(kind: str, more: dict[str, Any]) -> None:
    asked = request(Condition="#owner = :me", Update="SET #n = :one")
    asked[f"ExpressionAttribute{kind}"] |= more
    with pytest.raises(InvalidExpression, match=f"no expression uses {next(iter(more))}"):
        Expressions(asked)


def test_a_query_needs_a_key_condition() -> None:
    with pytest.raises(InvalidExpression, match="needs a key condition"):
        Expressions({}).select(ITEM)
