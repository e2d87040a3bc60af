"""The deployed definitions of the campaign, each for a table of its own: machines with single flight, the sweeper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.state_machines.machines import COMPACTION, KB_SYNC, KB_SYNC_SWEEPER

Definition = dict[str, Any]
Change = Callable[[Definition], None]
"""Changes a definition in place."""


def as_it_is(_: Definition) -> None:
    """The definition that is deployed."""


def kb_sync(table: str, topic: str, change: Change = as_it_is) -> Definition:
    definition = KB_SYNC.rendered(table=table, notifications_topic_arn=topic)
    change(definition)
    return definition


def compaction(table: str, topic: str, function: str, change: Change = as_it_is) -> Definition:
    definition = COMPACTION.rendered(table=table, notifications_topic_arn=topic, compact_arn=function)
    change(definition)
    return definition


def sweeper(table: str, machine: str) -> Definition:
    return KB_SYNC_SWEEPER.rendered(table=table, machine_arn=machine)


def hands_over_early(definition: Definition) -> None:
    """Limits that a history reaches with its second job, or with its third look."""
    lower = {100: 1, 800: 3, 900: 300}
    for state in definition["States"].values():
        for choice in state.get("Choices", []):
            if choice.get("NumericGreaterThanEquals") in lower:
                choice["NumericGreaterThanEquals"] = lower[choice["NumericGreaterThanEquals"]]
