"""Mends of moto's interpreter, where it differs from what AWS documents. Each module mends one part of it.

All of them hold for the process; `apply` is called once, before the first definition is parsed.
"""

from __future__ import annotations

from millrace.local.states.calls import Calls
from millrace.local.states.mends import choices, errors, flow, literals, parts, tasks, values, waits


def apply(calls: Calls) -> None:
    """Mend the interpreter; its tasks call AWS through `calls`. Raises anchors.AnchorMoved."""
    literals.apply()
    values.apply()
    choices.apply()
    waits.apply()
    errors.apply()
    flow.apply()
    parts.apply()
    tasks.apply(calls)
