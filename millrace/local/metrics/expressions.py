"""Metric math: an expression over the series of a request (CloudWatch user guide, "Using math expressions with
CloudWatch metrics").

There are numbers, ids, lists, + - * /, comparisons, and the functions in FUNCTIONS.

* InvalidExpression   it cannot be read, or asks for what is not here
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Series = tuple[float | None, ...]
"""A value for each period, None where there is none."""
Value = float | Series | list[Series]
"""A number, a series, or a list of series."""
Known = Mapping[str, Series]
"""The series of a request by id; all have the same length."""
Evaluate = Callable[[Known], Value]

TOKEN = re.compile(r"\s*(?:(?P<number>\d+\.?\d*)|(?P<name>[A-Za-z]\w*)|(?P<sign><=|>=|==|!=|[-+*/<>(),\[\]]))")
REPEAT = "REPEAT"


class InvalidExpression(ValueError):
    pass


@dataclass(frozen=True)
class Expression:
    """`ids` are the series that it reads; None where it reads all metrics of the request (`METRICS()`)."""

    evaluate: Callable[[Known], Series]
    ids: frozenset[str] | None


def parsed(text: str) -> Expression:
    """Raises InvalidExpression."""
    reader = _Reader(text)
    found = reader.comparison()
    if reader.token is not None:
        raise InvalidExpression(f"{text}: {reader.token!r} is not expected")

    def evaluate(known: Known) -> Series:
        value = found(known)
        if isinstance(value, list):
            raise InvalidExpression(f"{text} gives several series; one is wanted")
        return value if isinstance(value, tuple) else _spread(value, known)

    return Expression(evaluate, None if reader.reads_all else frozenset(reader.ids))


def _spread(number: float, known: Known) -> Series:
    return (number,) * len(next(iter(known.values()), ()))


def _both(act: Callable[[float, float], float | None]) -> Callable[[Value, Value], Value]:
    """Of two numbers a number; of a series and anything a series that has values where all have."""

    def apply(one: Value, other: Value) -> Value:
        if isinstance(one, list) or isinstance(other, list):
            raise InvalidExpression("a list of series stands only inside a function")
        if isinstance(one, tuple) or isinstance(other, tuple):
            length = len(one if isinstance(one, tuple) else other)  # type: ignore[arg-type]
            ones, others = ((each if isinstance(each, tuple) else (each,) * length) for each in (one, other))
            return tuple(None if a is None or b is None else act(a, b) for a, b in zip(ones, others, strict=True))
        return act(one, other) or 0.0

    return apply


SIGNS: Mapping[str, Callable[[Value, Value], Value]] = {
    "+": _both(lambda a, b: a + b),
    "-": _both(lambda a, b: a - b),
    "*": _both(lambda a, b: a * b),
    "/": _both(lambda a, b: a / b if b else None),
    "<": _both(lambda a, b: float(a < b)),
    ">": _both(lambda a, b: float(a > b)),
    "<=": _both(lambda a, b: float(a <= b)),
    ">=": _both(lambda a, b: float(a >= b)),
    "==": _both(lambda a, b: float(a == b)),
    "!=": _both(lambda a, b: float(a != b)),
}


def _fill(series: Value, filling: Value | str) -> Value:
    """FILL: a value for the periods without one; REPEAT repeats the last one before."""
    if not isinstance(series, tuple):
        raise InvalidExpression("FILL fills a series")
    if filling == REPEAT:
        last, filled = None, []
        for value in series:
            last = last if value is None else value
            filled.append(last)
        return tuple(filled)
    fillings = filling if isinstance(filling, tuple) else (filling,) * len(series)
    return tuple(new if old is None else old for old, new in zip(series, fillings, strict=True))  # type: ignore[misc]


def _over(act: Callable[[Sequence[float]], float]) -> Callable[[Value], Value]:
    """Of a list of series a series of what each period has; of one series one number."""

    def apply(value: Value) -> Value:
        if isinstance(value, list):
            present = ([each for each in column if each is not None] for column in zip(*value, strict=True))
            return tuple(act(values) if values else None for values in present)
        found = [each for each in value if each is not None] if isinstance(value, tuple) else [value]
        return act(found) if found else 0.0

    return apply


def _if(condition: Value, then: Value, otherwise: Value) -> Value:
    chosen = _both(lambda a, b: b if a else None)
    other = _both(lambda a, b: None if a else b)
    first, second = chosen(condition, then), other(condition, otherwise)
    if isinstance(first, tuple) and isinstance(second, tuple):
        return tuple(b if a is None else a for a, b in zip(first, second, strict=True))
    return then if condition else otherwise


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Value]]] = {
    "ABS": (1, lambda value: _both(lambda a, _: abs(a))(value, 0.0)),
    "AVG": (1, _over(statistics.fmean)),
    "FILL": (2, _fill),
    "IF": (3, _if),
    "MAX": (1, _over(max)),
    "MIN": (1, _over(min)),
    "SUM": (1, _over(sum)),
}
"""Functions by name: how many arguments they take, and what they do. METRICS() stands beside them."""


class _Reader:
    """Reads an expression from left to right; `token` is what comes next, None at the end."""

    def __init__(self, text: str) -> None:
        self.ids: set[str] = set()
        self.reads_all = False
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    @property
    def token(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self, *expected: str) -> str:
        token = self.token
        if token is None or (expected and token not in expected):
            wanted = f"{' or '.join(expected)} is missing" if expected else "something is missing"
            raise InvalidExpression(f"{self._text}: {wanted} before {token or 'the end'}")
        self._at += 1
        return token

    def comparison(self) -> Evaluate:
        return self._chain(self.sum, "<", ">", "<=", ">=", "==", "!=")

    def sum(self) -> Evaluate:
        return self._chain(self.product, "+", "-")

    def product(self) -> Evaluate:
        return self._chain(self.signed, "*", "/")

    def _chain(self, part: Callable[[], Evaluate], *signs: str) -> Evaluate:
        found = part()
        while self.token in signs:
            found = _applied(SIGNS[self.take()], found, part())
        return found

    def signed(self) -> Evaluate:
        if self.token == "-":
            self.take()
            return _applied(SIGNS["-"], lambda _: 0.0, self.signed())
        return self.atom()

    def atom(self) -> Evaluate:
        token = self.take()
        if token == "(":
            inner = self.comparison()
            self.take(")")
            return inner
        if token == "[":
            parts = self._list("]")
            return lambda known: [_series(part(known), known) for part in parts]
        if token[0].isdigit():
            return lambda _: float(token)
        if not token[0].isalpha():
            raise InvalidExpression(f"{self._text}: {token!r} is not expected")
        if token[0].islower():
            self.ids.add(token)
            return lambda known: known[token]
        return self._function(token)

    def _function(self, name: str) -> Evaluate:
        if name == REPEAT:
            return lambda _: REPEAT  # type: ignore[return-value]
        self.take("(")
        arguments = self._list(")")
        if name == "METRICS" and not arguments:
            self.reads_all = True
            return lambda known: list(known.values())
        if name not in FUNCTIONS:
            known_names = ", ".join([*FUNCTIONS, "METRICS()"])
            raise InvalidExpression(f"the embedded AWS's metric math has no {name}; it has {known_names}")
        number, act = FUNCTIONS[name]
        if len(arguments) != number:
            raise InvalidExpression(f"{self._text}: {name} takes {number} arguments")
        return _applied(act, *arguments)

    def _list(self, end: str) -> list[Evaluate]:
        found: list[Evaluate] = []
        while self.token != end:
            found.append(self.comparison())
            if self.token != end:
                self.take(",")
        self.take(end)
        return found


def _applied(act: Callable[..., Value], *parts: Evaluate) -> Evaluate:
    return lambda known: act(*(part(known) for part in parts))


def _series(value: Value, known: Known) -> Series:
    if isinstance(value, list):
        raise InvalidExpression("a list of series holds series")
    return value if isinstance(value, tuple) else _spread(value, known)


def _tokens(text: str) -> list[str]:
    found, at, length = [], 0, len(text.rstrip())
    while at < length:
        match = TOKEN.match(text, at)
        if match is None:
            raise InvalidExpression(f"{text}: {text[at:].strip()[:1]!r} is not expected")
        found.append(match[0].strip())
        at = match.end()
    return found
