"""What a plan says: pure functions over the schema, the prior state, the configuration and Terraform's proposal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.local.terraform_provider.naming import is_set
from millrace.local.terraform_provider.reading import State, canonical, is_document
from millrace.local.terraform_provider.schema import Block, attributes, blocks
from millrace.local.terraform_provider.wire import UNKNOWN, is_unknown


@dataclass(frozen=True)
class Plan:
    """The planned state; `replace` names the attributes that force a new object."""

    state: State
    replace: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """How one resource type changes.

    `defaults` stand in the plan where the configuration says nothing. `changes_in_place` tells whether the service can
    change an attribute, given its prior and its new value. `volatile` are computed and change with every update.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    changes_in_place: Callable[[str, Any, Any], bool] = lambda _name, _prior, _new: False
    volatile: tuple[str, ...] = ()


def plan(
    block: Block,
    rules: Rules,
    prior: State | None,
    config: Mapping[str, Any],
    proposed: State,
    region: str,
    default_tags: Mapping[str, str],
) -> Plan:
    """Plan a create (prior is None) or an update; a destroy needs no plan."""
    new = dict(proposed)
    for name, value in rules.defaults.items():
        if new.get(name) is None:
            new[name] = value
    if "region" in attributes(block):
        new["region"] = region
    if "tags_all" in attributes(block):
        tags = new.get("tags")
        new["tags_all"] = UNKNOWN if is_unknown(tags) else {**default_tags, **(tags or {})}
    if prior is None:
        return Plan(with_unknowns(block, new))
    return _plan_update(block, rules, prior, config, new)


def _plan_update(block: Block, rules: Rules, prior: State, config: Mapping[str, Any], new: State) -> Plan:
    for name in attributes(block):
        if is_document(new.get(name)) and canonical(new[name]) == canonical(prior.get(name)):
            new[name] = prior[name]
    for name, nested in blocks(block).items():
        # Terraform proposes a block's old computed values even where what they were computed from has changed.
        if new.get(name) != prior.get(name) and isinstance(config.get(name), list) and not is_unknown(config[name]):
            new[name] = [with_unknowns(nested["block"], item) for item in config[name]]
    changed = [name for name in (*attributes(block), *blocks(block)) if new.get(name) != prior.get(name)]
    replace = tuple(
        name
        for name in changed
        if name not in ("tags", "tags_all") and not rules.changes_in_place(name, prior.get(name), new.get(name))
    )
    if changed and not replace:
        new |= dict.fromkeys(rules.volatile, UNKNOWN)
    return Plan(new, replace)


def with_unknowns(block: Block, value: Any) -> Any:
    """The object with UNKNOWN for each computed attribute that nobody set."""
    if not isinstance(value, dict):
        return value
    result = dict(value)
    for name, spec in attributes(block).items():
        if spec.get("computed") and result.get(name) is None:
            result[name] = UNKNOWN
    for name, nested in blocks(block).items():
        inner = result.get(name)
        if isinstance(inner, list) and not is_unknown(inner):
            result[name] = [with_unknowns(nested["block"], item) for item in inner]
        elif is_set(inner):
            result[name] = with_unknowns(nested["block"], inner)
    return result
