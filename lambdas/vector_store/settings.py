"""What Terraform tells this workflow's functions beside plain settings."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from shared.settings import ConfigurationInvalid, setting
from vector_store.places import LINES, WORDS

Number = TypeVar("Number", int, float)

QUEUES = {LINES: "LINES_QUEUE_URL", WORDS: "WORDS_QUEUE_URL"}
"""The variables with the URLs of the collections' queues."""


def choice(name: str, allowed: Collection[str]) -> str:
    """An environment variable that is one of these. Raises ConfigurationInvalid."""
    value = setting(name)
    if value not in allowed:
        raise ConfigurationInvalid(f"environment variable {name} is {value!r}; allowed: {', '.join(allowed)}")
    return value


def number(name: str, read: Callable[[str], Number], allowed: str, is_good: Callable[[Number], bool]) -> Number:
    """An environment variable that is a number. Raises ConfigurationInvalid."""
    given = setting(name)
    try:
        value = read(given)
    except ValueError:
        value = None
    if value is None or not is_good(value):
        raise ConfigurationInvalid(f"environment variable {name} is {given!r}; it must be {allowed}")
    return value


def whole(name: str) -> int:
    """An environment variable that is a whole number from 1, in plain digits. Raises ConfigurationInvalid."""
    return number(name, _digits, "a whole number from 1", lambda value: value >= 1)


def _digits(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise ValueError(text)
    return int(text)
