"""JSONPath as Step Functions reads it (the rules of Jayway JsonPath, which it uses).

A definite path (names and single indexes only) gives the value and must exist. An indefinite path (a
wildcard, slice, filter, union or `..`) gives the list of what it finds, empty if nothing, but its definite
beginning must exist.
"""

from __future__ import annotations

import copy
import itertools
from functools import lru_cache
from typing import Any

from jsonpath_ng import Child, Fields, Index, JSONPath, Root
from jsonpath_ng.ext import parse


class NoSuchPath(LookupError):
    """Nothing is at the path."""


class InvalidPath(ValueError):
    """The text is no JSONPath."""


Step = str | int


@lru_cache(maxsize=4096)
def split(path: str) -> tuple[tuple[Step, ...], JSONPath | None]:
    """The definite beginning of a path as steps, and what follows it from the first indefinite step on, or
    None.

    Raises InvalidPath.
    """
    try:
        links = _links(parse(path))
    except Exception as error:  # the parser raises bare Exception
        raise InvalidPath(f"{path!r} is no JSONPath: {error}") from error
    steps: list[Step] = []
    for at, link in enumerate(links):
        step = _definite(link)
        if step is None:
            rest = links[at]
            for later in links[at + 1 :]:
                rest = Child(rest, later)
            return tuple(steps), rest
        steps.append(step)
    return tuple(steps), None


def _links(path: JSONPath) -> list[JSONPath]:
    if isinstance(path, Child):
        return _links(path.left) + _links(path.right)
    return [] if isinstance(path, Root) else [path]


def _definite(link: JSONPath) -> Step | None:
    if isinstance(link, Fields) and len(link.fields) == 1 and link.fields[0] != "*":
        return link.fields[0]
    if isinstance(link, Index) and len(link.indices) == 1:
        return link.indices[0]
    return None


def read(path: str, document: Any) -> Any:
    """What is at the path. The value is the document's own, not a copy. Raises NoSuchPath, InvalidPath."""
    steps, rest = split(path)
    found = document
    for step in steps:
        found = _follow(found, step, path)
    return found if rest is None else [match.value for match in rest.find(found)]


def _follow(value: Any, step: Step, path: str) -> Any:
    if isinstance(step, str) and isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
        return value[step]
    raise NoSuchPath(f"nothing is at {path!r}")


def place(path: str, document: Any, value: Any) -> Any:
    """A copy of the document with the value at a reference path, made where it is missing (ResultPath's
    rule).

    Raises NoSuchPath when the path runs through something that cannot hold it, or is not a reference path.
    """
    steps, rest = split(path)
    if rest is not None:
        raise InvalidPath(f"{path!r} is no reference path: it may name more than one place")
    if not steps:
        return value
    result = copy.deepcopy(document)
    holder = result
    for step, following in itertools.pairwise(steps):
        if isinstance(step, str) and isinstance(holder, dict) and isinstance(following, str):
            holder.setdefault(step, {})
        holder = _follow(holder, step, path)
    if not _holds(holder, steps[-1]):
        raise NoSuchPath(f"{path!r} runs through {type(holder).__name__}, which cannot hold it")
    holder[steps[-1]] = value
    return result


def _holds(value: Any, step: Step) -> bool:
    if isinstance(step, str):
        return isinstance(value, dict)
    return isinstance(value, list) and -len(value) <= step < len(value)
