"""What Millrace relies on in DynamoDB: transactions that happen whole or not at all, and reads that find everything."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, name, role

pytestmark = pytest.mark.network


class Table:
    """A table with keys `job` and `part`, both strings."""

    def __init__(self, aws: Instance) -> None:
        self.aws = aws
        self.dynamodb = aws.client("dynamodb")
        self.name = name("table")
        self.arn = f"arn:aws:dynamodb:{aws.region}:{aws.account}:table/{self.name}"
        self.dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "job", "KeyType": "HASH"}, {"AttributeName": "part", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "job", "AttributeType": "S"},
                {"AttributeName": "part", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, part: str, **condition: Any) -> dict[str, Any]:
        return {"Put": {"TableName": self.name, "Item": key(part), **condition}}

    def first(self, part: str) -> dict[str, Any]:
        return self.put(part, ConditionExpression="attribute_not_exists(part)")

    def delete(self, part: str) -> dict[str, Any]:
        condition = {"ConditionExpression": "attribute_exists(part)"}
        return {"Delete": {"TableName": self.name, "Key": key(part), **condition}}

    def add(self, part: str, more: int = 1, *, most: int | None = None) -> dict[str, Any]:
        values = {":n": {"N": str(more)}} | ({":most": {"N": str(most)}} if most is not None else {})
        update = {
            "TableName": self.name,
            "Key": key(part),
            "UpdateExpression": "ADD done :n",
            "ExpressionAttributeValues": values,
        }
        if most is not None:
            update["ConditionExpression"] = "done < :most"
        return {"Update": update}

    def check(self, part: str) -> dict[str, Any]:
        condition = {"ConditionExpression": "attribute_exists(part)"}
        return {"ConditionCheck": {"TableName": self.name, "Key": key(part), **condition}}

    def write(self, *actions: dict[str, Any], **more: Any) -> None:
        self.dynamodb.transact_write_items(TransactItems=list(actions), **more)

    def reasons(self, *actions: dict[str, Any]) -> list[str]:
        """Why each action of a transaction that is cancelled did not happen."""
        with pytest.raises(ClientError) as error:
            self.write(*actions)
        assert error.value.response["Error"]["Code"] == "TransactionCanceledException"
        return [str(reason["Code"]) for reason in error.value.response["CancellationReasons"]]

    def item(self, part: str) -> dict[str, Any] | None:
        answer = self.dynamodb.get_item(TableName=self.name, Key=key(part), ConsistentRead=True)
        found: dict[str, Any] | None = answer.get("Item")
        return found

    def done(self, part: str) -> int:
        item = self.item(part)
        return int(item["done"]["N"]) if item else 0

    def parts(self, **more: Any) -> list[str]:
        """The parts of the whole table, page by page."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="job = :j",
            ExpressionAttributeValues={":j": {"S": "j"}},
            ConsistentRead=True,
            **more,
        )
        return [item["part"]["S"] for page in pages for item in page["Items"]]


def key(part: str) -> dict[str, Any]:
    return {"job": {"S": "j"}, "part": {"S": part}}


@pytest.fixture
def table(embedded_aws: Instance) -> Table:
    return Table(embedded_aws)


def test_a_transaction_of_a_hundred_actions_happens(table: Table):
    table.write(*(table.first(f"{number:03}") for number in range(99)), table.add("counter", 99))
    assert len(table.parts()) == 100
    assert table.done("counter") == 99


def test_a_hundred_and_one_actions_are_refused(table: Table):
    with pytest.raises(ClientError) as error:
        table.write(*(table.first(str(number)) for number in range(101)))
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert table.parts() == []


def test_a_condition_that_fails_cancels_all_and_each_action_has_its_reason(table: Table):
    table.write(table.first("there"), table.add("counter", 5))
    assert table.reasons(table.first("a"), table.first("there"), table.add("counter")) == [
        "None",
        "ConditionalCheckFailed",
        "None",
    ]
    assert table.reasons(table.delete("absent"), table.first("b")) == ["ConditionalCheckFailed", "None"]
    assert table.reasons(table.check("absent"), table.first("c")) == ["ConditionalCheckFailed", "None"]
    assert table.reasons(table.add("counter", most=5), table.first("d")) == ["ConditionalCheckFailed", "None"]
    assert (table.parts(), table.done("counter")) == (["counter", "there"], 5)


def test_a_condition_that_fails_tells_the_item_if_asked(table: Table):
    table.write(table.first("there"))
    again = table.first("there")
    again["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    with pytest.raises(ClientError) as error:
        table.write(table.first("other"), again)
    assert error.value.response["CancellationReasons"][1]["Item"] == key("there")


def test_all_four_actions_go_together(table: Table):
    table.write(table.first("old"), table.first("sure"))
    table.write(table.delete("old"), table.check("sure"), table.first("new"), table.add("counter", 2))
    assert (table.parts(), table.done("counter")) == (["counter", "new", "sure"], 2)


def test_a_transaction_with_a_token_happens_once(table: Table):
    for _ in range(2):
        table.write(table.add("counter"), ClientRequestToken="t")
    assert table.done("counter") == 1
    with pytest.raises(ClientError) as error:
        table.write(table.add("counter", 2), ClientRequestToken="t")
    assert error.value.response["Error"]["Code"] == "IdempotentParameterMismatchException"


def test_one_item_twice_in_a_transaction_is_refused(table: Table):
    with pytest.raises(ClientError) as error:
        table.write(table.first("a"), table.add("a"))
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_of_the_same_part_counted_by_many_at_once_one_counts(table: Table):
    """Each thread counts all parts: a part and its count are one transaction, so a part counts once."""
    parts = [f"request-{number:02}" for number in range(20)]

    def count_all(_: int) -> int:
        counted = 0
        for part in parts:
            try:
                table.write(table.first(part), table.add("counter"))
            except table.dynamodb.exceptions.TransactionCanceledException as error:
                codes = {reason["Code"] for reason in error.response["CancellationReasons"]}
                if codes & {"ConditionalCheckFailed"}:
                    continue
                raise
            counted += 1
        return counted

    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(count_all, range(8)))
    assert sum(counted) == len(parts)
    assert table.done("counter") == len(parts)
    assert table.parts() == ["counter", *parts]


def test_no_increment_is_lost_and_the_last_one_is_seen_once(table: Table):
    def increment(_: int) -> int:
        update = table.add("counter")["Update"]
        answer = table.dynamodb.update_item(**update, ReturnValues="ALL_NEW")
        return int(answer["Attributes"]["done"]["N"])

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(increment, range(200)))
    assert sorted(seen) == list(range(1, 201))


def test_a_batch_of_a_hundred_keys_is_read(table: Table):
    for start in range(0, 100, 25):
        table.write(*(table.put(f"{number:03}") for number in range(start, start + 25)))
    keys = [key(f"{number:03}") for number in range(100)]
    answer = table.dynamodb.batch_get_item(RequestItems={table.name: {"Keys": keys, "ConsistentRead": True}})
    assert sorted(item["part"]["S"] for item in answer["Responses"][table.name]) == [f"{n:03}" for n in range(100)]
    assert answer["UnprocessedKeys"] == {}
    with pytest.raises(ClientError) as error:
        table.dynamodb.batch_get_item(RequestItems={table.name: {"Keys": [*keys, key("more")]}})
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_query_finds_a_range_of_parts_page_by_page(table: Table):
    for start in range(0, 60, 20):
        table.write(*(table.put(f"request-{number:02}") for number in range(start, start + 20)), table.put("z"))
    pages = table.dynamodb.get_paginator("query").paginate(
        TableName=table.name,
        KeyConditionExpression="job = :j AND begins_with(part, :p)",
        ExpressionAttributeValues={":j": {"S": "j"}, ":p": {"S": "request-"}},
        PaginationConfig={"PageSize": 7},
    )
    sizes = [len(page["Items"]) for page in pages]
    assert (sum(sizes), max(sizes)) == (60, 7)


def test_each_action_of_a_transaction_asks_for_its_own_right(table: Table):
    given = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem")
    actions = [table.put("a"), table.add("b"), table.delete("c"), table.check("d")]
    for lacking, action in zip(given, actions, strict=True):
        table.write(table.put("c"))
        table.write(table.put("d"))
        allowed = [right for right in given if right != lacking]
        caller = table.aws.client("dynamodb", role=role(table.aws, "lambda", allow(*allowed, on=table.arn)))
        others = [other for other in actions if other is not action]
        caller.transact_write_items(TransactItems=others)
        with pytest.raises(ClientError) as error:
            caller.transact_write_items(TransactItems=[action])
        assert error.value.response["Error"]["Code"] == "AccessDeniedException"
    asked = {call["action"] for call in table.aws.calls() if call["resource"] == table.arn}
    assert asked >= set(given)
    assert "dynamodb:TransactWriteItems" not in asked


def test_a_transaction_of_ten_updates_takes_milliseconds(table: Table):
    took = []
    for number in range(50):
        began = time.perf_counter()
        table.write(*(table.add(f"{number}-{update}") for update in range(10)))
        took.append(time.perf_counter() - began)
    assert sorted(took)[25] < 0.02


class Item:
    """One item, as single flight keeps it: numbers that count, and who may act."""

    def __init__(self, table: Table, **attributes: dict[str, Any]) -> None:
        self.table = table
        if attributes:
            table.dynamodb.put_item(TableName=table.name, Item={**key("flight"), **attributes})

    def update(self, expression: str, condition: str | None = None, **values: dict[str, Any]) -> dict[str, Any]:
        """The item's new attributes without its key; in the expressions `#x` stands for the attribute `x`."""
        words = set(re.findall(r"#(\w+)", f"{expression} {condition}"))
        answer = self.table.dynamodb.update_item(
            TableName=self.table.name,
            Key=key("flight"),
            UpdateExpression=expression,
            **({"ConditionExpression": condition} if condition else {}),
            **({"ExpressionAttributeNames": {f"#{word}": word for word in words}} if words else {}),
            **({"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}),
            ReturnValues="ALL_NEW",
        )
        return {name: value for name, value in answer["Attributes"].items() if name not in key("")}

    def refusal(self, *arguments: Any, **values: Any) -> str:
        with pytest.raises(ClientError) as error:
            self.update(*arguments, **values)
        return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


def n(number: object) -> dict[str, str]:
    return {"N": str(number)}


REGISTER = "SET #completed = if_not_exists(#completed, :zero), #since = if_not_exists(#since, :now) ADD #requested :one"


def test_the_first_update_makes_the_item_and_a_second_one_keeps_what_is_there(table: Table):
    item = Item(table)
    first = item.update(REGISTER, zero=n(0), one=n(1), now={"S": "one"})
    assert first == {"completed": n(0), "since": {"S": "one"}, "requested": n(1)}
    assert item.update(REGISTER, zero=n(0), one=n(1), now={"S": "two"}) == {**first, "requested": n(2)}


def test_a_condition_compares_two_attributes_as_numbers(table: Table):
    item = Item(table, requested=n(10), completed=n(9), owner={"S": "me"})
    assert "ConditionalCheckFailed" in item.refusal("REMOVE #owner", "#requested = #completed")
    assert item.update("SET #completed = #requested", "#requested > #completed")["completed"] == n(10)
    assert "owner" not in item.update("REMOVE #owner", "#requested = #completed")


def test_values_are_read_before_anything_is_changed(table: Table):
    item = Item(table, startedAt={"S": "old"}, since={"S": "older"})
    assert item.update("SET #since = #startedAt REMOVE #startedAt") == {"since": {"S": "old"}}
    assert item.update("SET #a = #since, #since = :new", new={"S": "new"}) == {"a": {"S": "old"}, "since": {"S": "new"}}
    assert "does not exist" in item.refusal("SET #a = #startedAt REMOVE #startedAt")


def test_numbers_keep_all_their_digits(table: Table):
    digits = "12345678901234567890123456789012345678"
    item = Item(table, large=n(digits), small=n("0.1"))
    assert item.update("ADD #large :one, #small :some", one=n(1), some=n("0.2")) == {
        "large": n(int(digits) + 1),
        "small": n("0.3"),
    }


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("SET #a = :one REMOVE #a", "overlap"),
        ("SET #a = :one, #a = :one", "overlap"),
        ("SET #a = :one, #m.#b = :one REMOVE #m", "overlap"),
        ("SET #a = :one SET #b = :one", 'The "SET" section can only be used once'),
    ],
)
def test_what_contradicts_itself_is_refused(table: Table, expression, told):
    item = Item(table, m={"M": {"b": n(0)}})
    assert told in item.refusal(expression, one=n(1))
    assert item.update("ADD #c :one", one=n(1)) == {"m": {"M": {"b": n(0)}}, "c": n(1)}


def test_of_many_who_want_to_be_the_owner_one_is(table: Table):
    Item(table, requested=n(1))
    free = "attribute_exists(#requested) AND (attribute_not_exists(#owner) OR #owner = :me)"

    def acquire(number: int) -> str | None:
        item = Item(table)
        try:
            return str(
                item.update("SET #owner = :me ADD #fence :one", free, me={"S": str(number)}, one=n(1))["fence"]["N"]
            )
        except table.dynamodb.exceptions.ConditionalCheckFailedException:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sorted(filter(None, pool.map(acquire, range(40)))) == ["1"]


def test_a_key_that_nobody_registered_is_not_made_by_a_refused_update(table: Table):
    assert "ConditionalCheckFailed" in Item(table).refusal("SET #a = :one", "attribute_exists(#requested)", one=n(1))
    assert table.item("flight") is None


def test_a_scan_finds_what_is_pending_page_by_page(table: Table):
    """A page ends after so many items that were looked at, not found; the last one has no key to go on from."""
    for number in range(9):
        item = {**key(f"{number}"), "requested": n(number + 6), "completed": n(10)}
        table.dynamodb.put_item(TableName=table.name, Item=item)
    asked: dict[str, Any] = {
        "TableName": table.name,
        "FilterExpression": "#requested > #completed",
        "ProjectionExpression": "#part",
        "ExpressionAttributeNames": {"#requested": "requested", "#completed": "completed", "#part": "part"},
        "ConsistentRead": True,
        "Limit": 3,
    }
    pages = [table.dynamodb.scan(**asked)]
    while last := pages[-1].get("LastEvaluatedKey"):
        pages.append(table.dynamodb.scan(**asked, ExclusiveStartKey=last))
    assert [page["ScannedCount"] for page in pages[:3]] == [3, 3, 3]
    assert pages[0]["Items"] == []
    assert sorted(item["part"]["S"] for page in pages for item in page["Items"]) == ["5", "6", "7", "8"]
    assert all(item.keys() == {"part"} for page in pages for item in page["Items"])
