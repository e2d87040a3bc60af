"""Renders a definition as Terraform's module state_machine does: parts joined, states of an option replaced,
placeholders filled.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.state_machines.edges import all_states

PLACEHOLDER = re.compile(r"(?<!\$)\$\{([^}]*)\}")
QUOTED_NUMBER = re.compile(r'"MaxConcurrency": *"([0-9]+)"')


class RenderingError(ValueError):
    """A placeholder without a value, a value without a placeholder, a state that two files have, or a replacement of
    a state that is not there.
    """


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def render(text: str, values: Mapping[str, str]) -> str:
    """The text with every placeholder filled and the number of MaxConcurrency without its quotes.

    Raises RenderingError when a placeholder has no value, or a value no placeholder.
    """
    wanted, given = placeholders(text), set(values)
    if wanted != given:
        raise RenderingError(
            f"placeholders without a value: {sorted(wanted - given)}; "
            f"values without a placeholder: {sorted(given - wanted)}"
        )
    filled = PLACEHOLDER.sub(lambda found: values[found[1]], text).replace("$${", "${")
    return QUOTED_NUMBER.sub(r'"MaxConcurrency": \1', filled)


def joined(definition: Path, parts: Sequence[Path] = (), replacements: Path | None = None) -> str:
    """The definition's text, its placeholders still in it: the states of `parts` beside its own, and then those of
    `replacements` in place of the ones with their names.

    Raises RenderingError when two of definition and parts have a state, or when a state that is to be replaced is
    not there.
    """
    base = json.loads(definition.read_text(encoding="utf-8"))
    states = dict(base["States"])
    for part in parts:
        more = states_of(part)
        repeated = states.keys() & more.keys()
        if repeated:
            raise RenderingError(f"{definition.name} has {', '.join(sorted(repeated))} before {part.name} brings it")
        states |= more
    replaced = states_of(replacements) if replacements else {}
    unknown = replaced.keys() - states.keys()
    if unknown:
        raise RenderingError(f"{definition.name} has no state {', '.join(sorted(unknown))} to replace")
    return json.dumps({**base, "States": {**states, **replaced}}, ensure_ascii=False)


def states_of(file: Path) -> dict[str, Any]:
    states: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["States"]
    return states


def quickened(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The same states and edges with every retry and fixed wait shortened to at most a second."""
    quick = copy.deepcopy(dict(definition))
    for state in all_states(quick).values():
        for retrier in state.get("Retry", []):
            if retrier["MaxAttempts"] > 0:
                retrier.update(IntervalSeconds=1, BackoffRate=1, MaxDelaySeconds=2)
        if "Seconds" in state:
            state["Seconds"] = 1
    return quick


def one_at_a_time(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The same with one iteration of a Map at a time, so that mocked answers reach the iterations in their order."""
    single = copy.deepcopy(dict(definition))
    for state in all_states(single).values():
        if state["Type"] == "Map":
            state["MaxConcurrency"] = 1
    return single


def shortened(definition: Mapping[str, Any], bounds: Mapping[int, int]) -> dict[str, Any]:
    """The same with other bounds of loops: numbers that a rule of a Choice compares a count with (`>=`), or attempts
    of a retrier that waits for something.

    Raises RenderingError when no rule and no retrier has one of the bounds.
    """
    short = copy.deepcopy(dict(definition))
    unused = set(bounds)
    for state in all_states(short).values():
        for rule in state.get("Choices", []):
            bound = rule.get("NumericGreaterThanEquals")
            if bound in bounds:
                rule["NumericGreaterThanEquals"] = bounds[bound]
                unused.discard(bound)
        for retrier in state.get("Retry", []):
            attempts = retrier["MaxAttempts"]
            if attempts in bounds:
                retrier["MaxAttempts"] = bounds[attempts]
                unused.discard(attempts)
    if unused:
        raise RenderingError(f"no loop ends by {', '.join(map(str, sorted(unused)))}")
    return short
