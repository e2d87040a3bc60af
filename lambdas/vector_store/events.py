"""What the events of the functions that a person may call have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from vector_store.errors import EventInvalid
from vector_store.places import COLLECTIONS


def check_members(event: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Raise EventInvalid where the event has a member that `what` does not know."""
    if unknown := event.keys() - known:
        names = ", ".join(sorted(ascii(name)[:80] for name in unknown))
        raise EventInvalid(f"unknown members: {names}; {what} has {', '.join(sorted(known))}")


def collection_in(event: Mapping[str, Any]) -> str:
    """The collection that an event names. Raises EventInvalid."""
    collection = event.get("collection")
    if collection not in COLLECTIONS:
        raise EventInvalid(f"collection is {ascii(collection)[:80]}; allowed: {', '.join(COLLECTIONS)}")
    return str(collection)
