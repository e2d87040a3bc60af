"""Condition and update expressions of DynamoDB, as far as the states of single flight use them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Any]

TOKEN = re.compile(r"[#:]?\w+|<=|>=|<>|[=<>(),]")
CLAUSES = ("SET", "REMOVE", "ADD")
COMPARISONS = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


class InvalidExpression(ValueError):
    """DynamoDB would answer ValidationException."""


def allows(request: Mapping[str, Any], item: Item) -> bool:
    """Whether an UpdateItem request's condition holds for an item; without a condition it does."""
    if "ConditionExpression" not in request:
        return True
    reader = _Reader(request["ConditionExpression"], request, item)
    held = reader.either()
    reader.end()
    return held


def updated(request: Mapping[str, Any], item: Item) -> dict[str, Any]:
    """The item after an UpdateItem request. Every operand is read from the item as it was."""
    reader = _Reader(request["UpdateExpression"], request, item)
    result = {**item, **request["Key"]}
    while reader.tokens:
        clause = reader.take(*CLAUSES)
        while True:
            name = reader.name()
            if clause == "SET":
                reader.take("=")
                result[name] = reader.operand()
            elif clause == "ADD":
                result[name] = {"N": str(number(item.get(name, {"N": "0"})) + number(reader.operand()))}
            else:
                result.pop(name, None)
            if not reader.tokens or reader.tokens[0] != ",":
                break
            reader.take(",")
    return result


def number(value: Mapping[str, str]) -> int:
    return int(value["N"])


class _Reader:
    def __init__(self, expression: str, request: Mapping[str, Any], item: Item) -> None:
        self.tokens = TOKEN.findall(expression)
        self.names = request.get("ExpressionAttributeNames", {})
        self.values = request.get("ExpressionAttributeValues", {})
        self.item = item
        if TOKEN.sub("", expression).strip():
            raise InvalidExpression(f"not understood: {TOKEN.sub('', expression).strip()}")

    def take(self, *wanted: str) -> str:
        token = self.tokens.pop(0) if self.tokens else "the end"
        if wanted and token not in wanted:
            raise InvalidExpression(f"{token} stands where {' or '.join(wanted)} is wanted")
        return token

    def end(self) -> None:
        if self.tokens:
            raise InvalidExpression(f"{self.tokens[0]} stands where the end is wanted")

    def name(self) -> str:
        token = self.take()
        if not token.startswith("#"):
            raise InvalidExpression(f"{token} stands where a name is wanted")
        return str(self.names[token])

    def operand(self) -> Any:
        if self.tokens[0] == "if_not_exists":
            self.take("if_not_exists")
            self.take("(")
            there = self.item.get(self.name())
            self.take(",")
            otherwise = self.operand() if there is None else self.take()
            self.take(")")
            return otherwise if there is None else there
        if self.tokens[0].startswith(":"):
            return self.values[self.take()]
        name = self.name()
        if name not in self.item:
            raise InvalidExpression(f"the item has no attribute {name}")
        return self.item[name]

    def either(self) -> bool:
        held = self.both()
        while self.tokens and self.tokens[0] == "OR":
            self.take("OR")
            held = self.both() or held
        return held

    def both(self) -> bool:
        held = self.one()
        while self.tokens and self.tokens[0] == "AND":
            self.take("AND")
            held = self.one() and held
        return held

    def one(self) -> bool:
        if self.tokens[0] == "(":
            self.take("(")
            held = self.either()
            self.take(")")
            return held
        if self.tokens[0] in ("attribute_exists", "attribute_not_exists"):
            wanted = self.take() == "attribute_exists"
            self.take("(")
            name = self.name()
            self.take(")")
            return (name in self.item) is wanted
        one = self._compared()
        compare = COMPARISONS[self.take(*COMPARISONS)]
        other = self._compared()
        return one is not None and other is not None and bool(compare(one, other))

    def _compared(self) -> Any:
        """A value to compare: numbers by size, and nothing at all for an attribute that is not there."""
        value = self.values[self.take()] if self.tokens[0].startswith(":") else self.item.get(self.name())
        return number(value) if value is not None and "N" in value else value
