"""What an item of the table of incidents says, as DynamoDB gives it: `{"incident_id": {"S": "INC-1"}, ...}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incident_sync.fields import MARK, STATUS, Fields
from incident_sync.values import AttributeValue

Item = Mapping[str, AttributeValue]

CLOSED = {"S": "CLOSED"}
TRUE = {"BOOL": True}


def is_closed(item: Item) -> bool:
    """Whether the incident belongs into the knowledge base."""
    return item.get(STATUS) == CLOSED


def is_synced(item: Item) -> bool:
    """Whether the incident says that its objects are written."""
    mark = item.get(MARK, {}).get("M")
    return isinstance(mark, Mapping) and mark.get("synced") == TRUE


def seen(item: Item, fields: Fields) -> dict[str, AttributeValue | None]:
    """All that was read of an incident: `status` and each field, None where there is none.

    A mark is written on condition that the incident still says the same: what is None, it must not have."""
    return {name: item.get(name) for name in fields.names}


def says_the_same(one: Item, other: Item, fields: Fields) -> bool:
    """Whether two versions of an incident are one to whoever reads `status` and the fields. The order of a set's
    members means nothing."""
    return _unordered(seen(one, fields)) == _unordered(seen(other, fields))


def _unordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: frozenset(content) if name in ("SS", "NS", "BS") and _is_set(content) else _unordered(content)
            for name, content in value.items()
        }
    return [_unordered(item) for item in value] if isinstance(value, list) else value


def _is_set(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(member, str | bytes) for member in content)
