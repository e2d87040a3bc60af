"""What DynamoDB refuses of an update expression that MiniStack carries out, and numbers of 38 digits.

MiniStack lets the last of two changes of one path win, keeps one of two sections of a kind, and adds with Python's 28
digits.
"""

from __future__ import annotations

import decimal
import functools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from millrace.local.anchors import hold, patch

DIGITS = 38
"""Of a number (DynamoDB developer guide, "Supported data types and naming rules")."""
SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")

Path = tuple[Any, ...]
Apply = Callable[..., tuple[dict[str, Any], set[Path]]]


class DistinctPaths(set[Path]):
    """The paths that an expression changes, in MiniStack's form. Adding one that overlaps another is a ValueError."""

    def add(self, path: Path) -> None:
        for known in self:
            if known[: len(path)] == path[: len(known)]:
                raise ValueError(
                    "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one "
                    f"of these paths; path one: {_shown(known)}, path two: {_shown(path)}"
                )
        super().add(path)


def repeated_section(words: Iterable[str]) -> str | None:
    """The section that an expression of these words has more than once."""
    counts = Counter(word.upper() for word in words)
    return next((section for section in SECTIONS if counts[section] > 1), None)


def install() -> None:
    from ministack.services import dynamodb

    tokens_of = hold(dynamodb, "_tokenize")
    for name in ("_apply_set", "_apply_remove", "_apply_add", "_apply_delete"):
        hold(dynamodb, name, "updated_attrs.add(tuple(path")

    def checked(original: Apply) -> Apply:
        @functools.wraps(original)
        def apply(
            item: dict[str, Any],
            expression: str,
            values: dict[str, Any],
            names: dict[str, str],
            changed: set[Path] | None = None,
        ) -> tuple[dict[str, Any], set[Path]]:
            words = (token[1] for token in tokens_of(expression) if token[0] == "IDENT")
            if section := repeated_section(words):
                said = f'The "{section}" section can only be used once in an update expression;'
                raise ValueError(f"Invalid UpdateExpression: {said}")
            paths, changed = DistinctPaths(), set() if changed is None else changed
            try:
                with decimal.localcontext(prec=DIGITS):
                    result, _ = original(item, expression, values, names, paths)
            finally:
                changed.update(paths)  # whose caller asks for them after an error as well
            return result, changed

        return apply

    patch(
        dynamodb,
        "_apply_update_expression",
        checked,
        "def _apply_update_expression(item, expr, attr_values, attr_names, updated_attrs=None):",
    )


def _shown(path: Path) -> str:
    return f"[{', '.join(map(str, path))}]"
