"""Which events of a queue a pipe takes: any that one of its patterns matches, by EventBridge's own rules for patterns.

A pattern's `body` is an object where the body is JSON, and a list of texts where it is not (EventBridge user guide,
"Amazon EventBridge Pipes filtering").

* InvalidPattern   it is not an event pattern
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from millrace.local.anchors import hold
from millrace.local.pipes.paths import parsed

Matches = Callable[[dict[str, Any]], bool]


class InvalidPattern(ValueError):
    pass


def compiled(patterns: Sequence[str]) -> Matches:
    """Whether an event is to be taken: all are, where there are no patterns. Raises InvalidPattern."""
    from ministack.services import eventbridge

    parse = hold(eventbridge, "_parse_pattern_text", "(alternatives, None)")
    matches = hold(eventbridge, "_matches_detail", "``$or``-free alternative")
    alternatives = []
    for pattern in patterns:
        found, reason = parse(pattern)
        if reason is not None:
            raise InvalidPattern(f"Event pattern is not valid. Reason: {reason}")
        alternatives += found
    if not alternatives:
        return lambda _: True

    def is_taken(event: dict[str, Any]) -> bool:
        seen = {**event, "body": parsed(event["body"])}
        return any(matches(seen, alternative) for alternative in alternatives)

    return is_taken
