"""The expressions of a DynamoDB request: its condition, update, key condition and projection, as far as the project's
calls use them.

A request is what boto3 or a state machine sends. Attributes stand in it as `#names` only, as DynamoDB reserves many
words, and values as `:values`; every one must be given, and none in vain. What was read once is kept.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

Item = Mapping[str, Any]
Values = Mapping[str, Any]
Path = tuple[str, ...]
Operand = Callable[[Item, Values], Any]
"""Gives a value with its type, or None where the item has nothing there."""
Test = Callable[[Item, Values], bool]
Found = TypeVar("Found")

TOKEN = re.compile(r"[#:]?\w+|<=|>=|<>|[=<>(),.]")
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
EQUALITIES = ("=", "<>")
RANGES = tuple(sign for sign in COMPARE if sign != "<>")
"""What a query may ask of its range key."""
ORDERED = ("S", "N", "B")
"""The types of values that come before or after one another."""


class InvalidExpression(ValueError):
    """DynamoDB would answer ValidationException, or the expression needs what is not known here."""


class Expressions:
    """All expressions of one request. Raises InvalidExpression."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._key: Item = request.get("Key", {})
        self._values: Values = request.get("ExpressionAttributeValues", {})
        self._parsed = _parsed(
            request.get("ConditionExpression"),
            request.get("UpdateExpression"),
            request.get("KeyConditionExpression"),
            request.get("ProjectionExpression"),
            tuple(request.get("ExpressionAttributeNames", {}).items()),
            tuple(self._values),
        )

    def allow(self, item: Item) -> bool:
        """Whether a write's condition holds for an item, which is empty where there is none; without a condition it
        does."""
        return self._parsed.condition is None or self._parsed.condition(item, self._values)

    def updated(self, item: Item) -> dict[str, Any]:
        """The item after an UpdateItem request. Every operand is read from the item as it was, which stays so. Raises
        InvalidExpression."""
        made = {**item, **self._key}
        for path, operand in self._parsed.changes:
            if path[0] in self._key:
                raise InvalidExpression(f"{path[0]} is the item's key, which an update cannot change")
            _place(made, path, operand(item, self._values))
        return made

    def select(self, item: Item) -> bool:
        """Whether a query's key condition holds for an item."""
        if self._parsed.selection is None:
            raise InvalidExpression("a query needs a key condition")
        return self._parsed.selection(item, self._values)

    def projected(self, item: Item) -> dict[str, Any]:
        """What a read gives of an item; without a projection that is all."""
        wanted = self._parsed.projection
        return dict(item) if wanted is None else {name: item[name] for name in wanted if name in item}


class _Parsed(NamedTuple):
    condition: Test | None
    changes: tuple[tuple[Path, Operand], ...]
    """What comes to each path; None removes what is there."""
    selection: Test | None
    projection: tuple[str, ...] | None


@cache
def _parsed(
    condition: str | None,
    update: str | None,
    selection: str | None,
    projection: str | None,
    names: tuple[tuple[str, str], ...],
    values: tuple[str, ...],
) -> _Parsed:
    given = dict(names) | dict.fromkeys(values, "")
    used: set[str] = set()

    def read(text: str | None, rule: Callable[[_Reader], Found]) -> Found | None:
        if text is None:
            return None
        reader = _Reader(text, given)
        found = rule(reader)
        reader.end()
        used.update(reader.tokens)
        return found

    parsed = _Parsed(
        read(condition, _Reader.condition),
        read(update, _Reader.changes) or (),
        read(selection, _Reader.selection),
        read(projection, _Reader.projection),
    )
    if unused := given.keys() - used:
        raise InvalidExpression(f"no expression uses {', '.join(sorted(unused))}")
    return parsed


class _Reader:
    """Goes through the tokens of one expression. `given` has what stands for each name, and the values."""

    def __init__(self, text: str, given: Mapping[str, str]) -> None:
        self.tokens: list[str] = TOKEN.findall(text)
        self._text = text
        self._given = given
        self._place = 0
        if rest := TOKEN.sub("", text).strip():
            raise InvalidExpression(f"{rest} is not known here, in {text}")

    def end(self) -> None:
        if self._next():
            raise self._misplaced("the end")

    # Whole expressions.

    def condition(self) -> Test:
        """AND binds closer than OR."""
        tests = [self._all()]
        while self._comes("OR"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda item, values: any(test(item, values) for test in tests)

    def selection(self) -> Test:
        """The hash key's value, and what the range key must be."""
        of_hash = _comparison(self._attribute(), self._take("="), self._value())
        if not self._comes("AND"):
            return of_hash
        of_range = _comparison(self._attribute(), self._take(*RANGES), self._value())
        return lambda item, values: of_hash(item, values) and of_range(item, values)

    def changes(self) -> tuple[tuple[Path, Operand], ...]:
        rules = {"SET": self._set, "REMOVE": self._remove, "ADD": self._add}
        changes: list[tuple[Path, Operand]] = []
        while rules:
            change = rules.pop(self._take(*rules))
            changes.append(change())
            while self._comes(","):
                changes.append(change())
            if not self._next():
                break
        for (one, _), (other, _) in combinations(changes, 2):
            if one[: len(other)] == other[: len(one)]:
                raise InvalidExpression(f"{'.'.join(one)} and {'.'.join(other)} overlap, in {self._text}")
        return tuple(changes)

    def projection(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._comes(","):
            names.append(self._name())
        return tuple(names)

    # Their parts.

    def _all(self) -> Test:
        tests = [self._one()]
        while self._comes("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda item, values: all(test(item, values) for test in tests)

    def _one(self) -> Test:
        if self._comes("("):
            test = self.condition()
            self._take(")")
            return test
        if self._next() in ("attribute_exists", "attribute_not_exists"):
            wanted = self._take() == "attribute_exists"
            self._take("(")
            attribute = self._attribute()
            self._take(")")
            return lambda item, values: (attribute(item, values) is not None) is wanted
        return _comparison(self._compared(), self._take(*COMPARE), self._compared())

    def _compared(self) -> Operand:
        return self._value() if self._next().startswith(":") else self._attribute()

    def _set(self) -> tuple[Path, Operand]:
        path = self._path()
        self._take("=")
        return path, self._operand()

    def _remove(self) -> tuple[Path, Operand]:
        return self._path(), lambda _item, _values: None

    def _add(self) -> tuple[Path, Operand]:
        path = self._path()
        return path, _sum(_attribute(path), self._value())

    def _operand(self) -> Operand:
        if self._next().startswith(":"):
            return self._value()
        if not self._comes("if_not_exists"):
            path = self._path()
            return _there(path)
        self._take("(")
        attribute = self._attribute()
        self._take(",")
        otherwise = self._operand()
        self._take(")")
        return lambda item, values: attribute(item, values) or otherwise(item, values)

    def _attribute(self) -> Operand:
        return _attribute(self._path())

    def _path(self) -> Path:
        names = [self._name()]
        while self._comes("."):
            names.append(self._name())
        return tuple(names)

    def _name(self) -> str:
        return self._given[self._alias("#", "a name")]

    def _value(self) -> Operand:
        value = self._alias(":", "a value")
        return lambda _item, values: values[value]

    def _alias(self, sign: str, wanted: str) -> str:
        if not self._next().startswith(sign):
            raise self._misplaced(wanted)
        token = self._take()
        if token not in self._given:
            raise InvalidExpression(f"{token} is not given, for {self._text}")
        return token

    # Tokens.

    def _next(self) -> str:
        """The next token, empty at the end."""
        return self.tokens[self._place] if self._place < len(self.tokens) else ""

    def _comes(self, wanted: str) -> bool:
        """Whether this token comes next; if so, it is passed."""
        if self._next() != wanted:
            return False
        self._place += 1
        return True

    def _take(self, *wanted: str) -> str:
        """Pass the next token, which is one of these; without any, it may be all but the end."""
        token = self._next()
        if token not in wanted if wanted else not token:
            raise self._misplaced(" or ".join(wanted) or "more")
        self._place += 1
        return token

    def _misplaced(self, wanted: str) -> InvalidExpression:
        return InvalidExpression(f"{self._next() or 'the end'} stands where {wanted} is wanted, in {self._text}")


def _attribute(path: Path) -> Operand:
    """What an item has at a path."""
    first, *rest = path

    def look(item: Item, _values: Values) -> Any:
        found = item.get(first)
        for name in rest:
            found = found.get("M", {}).get(name) if found else None
        return found

    return look


def _there(path: Path) -> Operand:
    """What an item has at a path, where it must have something."""
    look = _attribute(path)

    def look_for(item: Item, values: Values) -> Any:
        if (found := look(item, values)) is None:
            raise InvalidExpression(f"the item has no attribute {'.'.join(path)}")
        return found

    return look_for


def _sum(attribute: Operand, value: Operand) -> Operand:
    """A number more; what is not there counts as zero."""

    def added(item: Item, values: Values) -> Any:
        terms = [attribute(item, values) or {"N": "0"}, value(item, values)]
        if not all("N" in term for term in terms):
            raise InvalidExpression(f"ADD adds numbers to numbers, not {terms[1]} to {terms[0]}")
        return {"N": format(sum(Decimal(term["N"]) for term in terms), "f")}

    return added


def _comparison(left: Operand, sign: str, right: Operand) -> Test:
    """What is not there, or of another type, equals nothing, and comes neither before nor after anything."""
    compare = COMPARE[sign]

    def holds(item: Item, values: Values) -> bool:
        one, other = left(item, values), right(item, values)
        if one is None or other is None or one.keys() != other.keys():
            return sign == "<>"
        ((kind, mine),), ((_, theirs),) = one.items(), other.items()
        if kind not in ORDERED and sign not in EQUALITIES:
            raise InvalidExpression(f"{one} {sign} {other}: values of type {kind} have no order")
        return compare(Decimal(mine), Decimal(theirs)) if kind == "N" else compare(mine, theirs)

    return holds


def _place(made: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value at a path, or remove what is there where it is None. The maps on the way are replaced by copies."""
    *above, last = path
    for name in above:
        if "M" not in made.get(name, {}):
            raise InvalidExpression(f"{'.'.join(path)} has no place in the item: {name} is no map")
        made[name] = {"M": dict(made[name]["M"])}
        made = made[name]["M"]
    if value is None:
        made.pop(last, None)
    else:
        made[last] = value
