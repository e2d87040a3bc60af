"""Paths into an event: dots, names, indices, `*` (EventBridge user guide, "Pipes input transformation").

* InvalidPath   it is not one
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATH = re.compile(r"\$((?:\.[\w/-]+|\[(?:\d+|\*)\])*)")
STEP = re.compile(r"\.([\w/-]+)|\[(\d+|\*)\]")
JSON_TEXT = frozenset({"body"})
"""The fields of a queue's message whose text is read as JSON when a path goes into it."""


class InvalidPath(ValueError):
    pass


@dataclass(frozen=True)
class Path:
    steps: tuple[str | int, ...]
    """Names, indices, and `*` for every element."""

    @classmethod
    def of(cls, text: str) -> Path:
        """Raises InvalidPath."""
        found = PATH.fullmatch(text)
        if found is None:
            raise InvalidPath(f"{text!r} is no path such as $.body.key[0]")
        steps = STEP.findall(found.group(1))
        return cls(tuple(name or (index if index == "*" else int(index)) for name, index in steps))

    def find(self, event: Mapping[str, Any]) -> Any:
        """What stands there; None where nothing does."""
        if len(self.steps) > 1 and self.steps[0] in JSON_TEXT:
            event = {**event, self.steps[0]: parsed(event.get(str(self.steps[0])))}
        return _at(event, self.steps)


def parsed(text: Any) -> Any:
    """A text that is JSON as what it says; anything else as it is."""
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return text


def _at(value: Any, steps: tuple[str | int, ...]) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step == "*" and isinstance(value, list):
        return [_at(item, rest) for item in value]
    if isinstance(step, int) and isinstance(value, list):
        return _at(value[step], rest) if step < len(value) else None
    return _at(value.get(step), rest) if isinstance(value, dict) else None
