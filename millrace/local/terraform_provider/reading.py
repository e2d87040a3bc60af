"""What the state becomes when the service has answered: pure functions over a block, the state and what was seen.

The state keeps its own words wherever the service says the same, so that a second plan is clean. It takes the
service's words for what is computed and where something was changed or added by hand. Maps, sets and JSON documents
compare whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from millrace.local.terraform_provider.schema import Block, attributes, blocks
from millrace.local.terraform_provider.wire import is_unknown

State = dict[str, Any]


def merged(
    block: Block, state: Mapping[str, Any], seen: Mapping[str, Any], silent: Mapping[str, Any] | None = None
) -> State:
    """The state after a look at the service. `seen` holds what the answer could say (naming.from_answer).

    `silent` is what the service says of arguments that nobody set, where that is not nothing. Without it (inside a
    block) an argument that nobody set stays unset whatever the service says.
    """
    result = dict(state)
    for name, spec in attributes(block).items():
        if name not in seen:
            continue
        had = state.get(name)
        if had is None or is_unknown(had):
            default = None if silent is None else silent.get(name)
            if spec.get("computed") or (silent is not None and not same(spec["type"], default, seen[name])):
                result[name] = seen[name]
        elif not same(spec["type"], had, seen[name]):
            result[name] = seen[name]
    for name, nested in blocks(block).items():
        if name not in seen:
            continue
        had = state.get(name) or []
        if had or (silent is not None and not _is_default(nested, silent.get(name), seen[name])):
            result[name] = _merged_blocks(nested, had, seen[name])
    return result


def _is_default(nested: Mapping[str, Any], default: list[State] | None, seen: list[State]) -> bool:
    return is_nothing(seen) or (default is not None and _blocks_agree(nested, default, seen))


def complete(block: Block, seen: Mapping[str, Any]) -> State:
    """An object of the block out of what was seen alone."""
    return {name: seen.get(name) for name in attributes(block)} | {
        name: [complete(nested["block"], item) for item in seen.get(name) or []]
        for name, nested in blocks(block).items()
    }


def same(kind: Any, had: Any, seen: Any) -> bool:
    """Do both say the same? What is absent says the same as the empty or zero value."""
    if had is None or seen is None:
        return is_nothing(had) and is_nothing(seen)
    if kind == "string":
        return had == seen or (is_document(had) and canonical(had) == canonical(seen))
    if isinstance(kind, list) and kind[0] == "set":
        return sorted(had, key=repr) == sorted(seen, key=repr)
    return had == seen


def agrees(block: Block, had: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    """Does what was seen hold everything that `had` sets?"""
    return all(
        had.get(name) is None or is_unknown(had[name]) or name not in seen or same(spec["type"], had[name], seen[name])
        for name, spec in attributes(block).items()
    ) and all(
        name not in seen or _blocks_agree(nested, had.get(name) or [], seen[name])
        for name, nested in blocks(block).items()
    )


def is_nothing(value: Any) -> bool:
    """Is it null, zero, empty, or an object of nothing but such?"""
    if isinstance(value, dict):
        return all(is_nothing(item) for item in value.values())
    if isinstance(value, list) and not is_unknown(value):
        return all(isinstance(item, dict) and is_nothing(item) for item in value)
    return value is None or is_unknown(value) or value in ("", 0, False)


def is_document(text: Any) -> bool:
    return isinstance(text, str) and text.lstrip()[:1] in ("{", "[")


def canonical(text: Any) -> str:
    """One spelling for all texts of the same JSON document; other texts stay as they are."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except (TypeError, ValueError):
        return str(text)


def _merged_blocks(nested: Mapping[str, Any], had: list[State], seen: list[State]) -> list[State]:
    block = nested["block"]
    if not seen and is_nothing(had):
        return had
    if nested["nesting_mode"] != "set" and len(had) == len(seen):
        return [merged(block, old, new) for old, new in zip(had, seen, strict=True)]
    if nested["nesting_mode"] != "set":
        return [complete(block, new) for new in seen]
    left, result = list(seen), []
    for old in had:
        match = next((new for new in left if agrees(block, old, new)), None)
        if match is not None:
            left.remove(match)
            result.append(merged(block, old, match))
    return result + [complete(block, new) for new in left]


def _blocks_agree(nested: Mapping[str, Any], had: list[State], seen: list[State]) -> bool:
    if not had or (not seen and is_nothing(had)):
        return True
    if len(had) != len(seen):
        return False
    if nested["nesting_mode"] != "set":
        return all(agrees(nested["block"], old, new) for old, new in zip(had, seen, strict=True))
    left = list(seen)
    for old in had:
        match = next((new for new in left if agrees(nested["block"], old, new)), None)
        if match is None:
            return False
        left.remove(match)
    return True
